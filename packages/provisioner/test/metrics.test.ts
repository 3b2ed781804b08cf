// What dashboards and alerts written for upstream ask for.
import { persistentVolumeClaims, persistentVolumes } from '@snapshot-stack/api-types';
import { expect, test } from 'vitest';
import { Scene } from './support/scene.ts';

test('counts volumes that were made and deleted, and attempts that failed, under the names of upstream', async () => {
  await using scene = await Scene.start();
  const { metrics } = await scene.startProvisioner();
  await scene.addClass('bad', { parameters: { 'csi.storage.k8s.io/nonsense': 'x' } });
  await scene.addClaim('plain');
  await scene.addClaim('refused', { storageClassName: 'bad' });
  const { spec } = await scene.untilBound('plain');
  await scene.addClaim('copy', { from: { kind: 'PersistentVolumeClaim', name: 'plain' } });
  await scene.untilBound('copy');
  await scene.untilEvent('refused', 'ProvisioningFailed', /nonsense/);
  await scene.delete(persistentVolumeClaims, 'plain');
  await scene.untilGone(persistentVolumes, spec.volumeName ?? '');
  const text = await metrics.text();
  for (const line of [
    'controller_persistentvolumeclaim_provision_total{class="sc",source=""} 1',
    'controller_persistentvolumeclaim_provision_total{class="sc",source="PersistentVolumeClaim"} 1',
    'controller_persistentvolumeclaim_provision_failed_total{class="bad",source=""} 1',
    'controller_persistentvolumeclaim_provision_duration_seconds_count{class="sc",source=""} 1',
    'controller_persistentvolume_delete_total{class="sc"} 1',
    'controller_persistentvolume_delete_duration_seconds_count{class="sc"} 1',
  ])
    expect(text).toContain(`${line}\n`);
}, 60_000);
