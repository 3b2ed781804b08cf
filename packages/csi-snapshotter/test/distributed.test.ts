// Node-local storage: the controller labels each content with the node of its volume, and only that node's
// sidecar handles it.
import { Label, nodes, persistentVolumeClaims, persistentVolumes, volumeSnapshotContents, volumeSnapshots } from '@snapshot-stack/api-types';
import { expect, test } from 'vitest';
import { Scene } from './support/scene.ts';

async function addLocalClaim(scene: Scene, name: string, node: string): Promise<void> {
  const claim = await scene.addClaim(name, { volumeName: `pv-${name}` });
  const nodeSelectorTerms = [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [node] }] }];
  await scene.client.create(persistentVolumes, {
    metadata: { name: `pv-${name}` },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      claimRef: { kind: 'PersistentVolumeClaim', namespace: 'default', name, uid: claim.metadata.uid! },
      csi: { driver: scene.driver.name, volumeHandle: `volume-${name}` },
      nodeAffinity: { required: { nodeSelectorTerms } },
    },
  });
  await scene.client.patch(
    persistentVolumeClaims,
    { name, namespace: 'default' },
    { kind: 'merge', body: { status: { phase: 'Bound' } } },
    { subresource: 'status' },
  );
}

test("a content is handled by its node's sidecar and by no other", async () => {
  await using scene = await Scene.start();
  await scene.addClass('local');
  for (const name of ['n1', 'n2']) await scene.client.create(nodes, { metadata: { name, labels: { 'kubernetes.io/hostname': name } } });
  await addLocalClaim(scene, 'here', 'n1');
  await addLocalClaim(scene, 'there', 'n2');
  await addLocalClaim(scene, 'nowhere', 'n9');
  scene.startController({}, undefined, { distributed: true });
  await scene.startSidecar({}, { node: 'n1' });
  await scene.snapshotOf('there', 'theirs', 'local');
  await scene.snapshotOf('here', 'ours', 'local');
  await scene.snapshotOf('nowhere', 'lost', 'local');
  const ours = await scene.untilReady('ours');
  const content = await scene.get(volumeSnapshotContents, ours.status!.boundVolumeSnapshotContentName!);
  expect(content.metadata.labels?.[Label.managedBy]).toBe('n1');
  const theirs = await scene.until(volumeSnapshots, 'theirs', ({ status }) => status?.boundVolumeSnapshotContentName !== undefined);
  expect(theirs.status?.readyToUse).toBe(false);
  expect(scene.driver.count('CreateSnapshot')).toBe(1);
  await scene.until(volumeSnapshots, 'lost', ({ status }) => status?.error?.message?.includes('no node matches the node affinity') === true);
  await scene.startSidecar({}, { node: 'n2' });
  await scene.untilReady('theirs');
  await scene.client.create(nodes, { metadata: { name: 'n9', labels: { 'kubernetes.io/hostname': 'n9' } } });
  await scene.startSidecar({}, { node: 'n9' });
  await scene.untilReady('lost');
});
