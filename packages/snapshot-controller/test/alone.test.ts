// The controller alone with an API server, as it is while no sidecar runs: it does its part, says what it waits
// for, and does nothing twice.
import { fileURLToPath } from 'node:url';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import {
  Annotation,
  Finalizer,
  persistentVolumeClaims,
  persistentVolumes,
  volumeSnapshotClasses,
  volumeSnapshotContents,
  volumeSnapshots,
} from '@snapshot-stack/api-types';
import { createClient, createMetrics, silentLog, systemClock, type Client } from '@snapshot-stack/runtime';
import { createSnapshotController, type SnapshotController } from '@snapshot-stack/snapshot-controller';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

const DRIVER = 'disk.csi.example.com';
const snap = { name: 'snap', namespace: 'default' };
let api: ApiServer;
let user: Client;
let controller: SnapshotController;
let stop: () => Promise<void>;

beforeEach(async () => {
  api = await startApiServer({ crds: [fileURLToPath(new URL('../../api-types/crds', import.meta.url))] });
  user = createClient(api.adminConnection, { userAgent: 'user/1' });
  const client = createClient(api.adminConnection, { userAgent: 'snapshot-controller/test' });
  const common = { clock: systemClock, random: Math.random, log: silentLog, metrics: createMetrics() };
  controller = createSnapshotController({
    client,
    ...common,
    workers: 2,
    retryStartMs: 20,
    retryMaxMs: 100,
    resyncMs: 0,
    distributed: false,
    recordVolumeMode: true,
  });
  const abort = new AbortController();
  const ended = controller.run(abort.signal);
  stop = async () => {
    abort.abort();
    await ended;
    client.close();
  };
  await user.create(volumeSnapshotClasses, { metadata: { name: 'fast' }, driver: DRIVER, deletionPolicy: 'Delete' });
  const claim = await user.create(persistentVolumeClaims, {
    metadata: { name: 'data', namespace: 'default' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, volumeName: 'pv' },
  });
  await user.create(persistentVolumes, {
    metadata: { name: 'pv' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      claimRef: { kind: 'PersistentVolumeClaim', name: 'data', namespace: 'default', uid: claim.metadata.uid! },
      csi: { driver: DRIVER, volumeHandle: 'volume-1' },
    },
  });
  await user.patch(
    persistentVolumeClaims,
    { name: 'data', namespace: 'default' },
    { kind: 'merge', body: { status: { phase: 'Bound' } } },
    { subresource: 'status' },
  );
});

afterEach(async () => {
  await stop();
  user.close();
  await api.stop();
});

async function takeSnapshot(): Promise<string> {
  const spec = { source: { persistentVolumeClaimName: 'data' }, volumeSnapshotClassName: 'fast' };
  const { metadata } = await user.create(volumeSnapshots, { metadata: snap, spec });
  return `snapcontent-${metadata.uid}`;
}

test('its content is complete from the first moment, and is shown while nobody serves it', async () => {
  const name = await takeSnapshot();
  await vi.waitFor(
    async () => expect((await user.get(volumeSnapshots, snap)).status).toEqual({ boundVolumeSnapshotContentName: name, readyToUse: false }),
    5_000,
  );
  const { metadata, spec } = await user.get(volumeSnapshotContents, { name });
  expect(metadata).toMatchObject({ finalizers: [Finalizer.content], annotations: { [Annotation.beingCreated]: 'yes' }, generation: 1 });
  expect(spec.volumeSnapshotRef).toMatchObject({ name: 'snap', namespace: 'default', kind: 'VolumeSnapshot' });
});

test('a snapshot that is deleted meanwhile waits for the sidecar, without writing anything again and again', async () => {
  const name = await takeSnapshot();
  await vi.waitFor(() => user.get(volumeSnapshotContents, { name }), 5_000);
  await user.delete(volumeSnapshots, snap);
  await vi.waitFor(async () => expect((await user.get(volumeSnapshotContents, { name })).metadata.deletionTimestamp).toBeDefined(), 5_000);
  const before = api.requests.length;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(api.requests.slice(before).filter(({ userAgent }) => userAgent.startsWith('snapshot-controller'))).toEqual([]);
  expect((await user.get(volumeSnapshots, snap)).metadata.finalizers).toHaveLength(2);
  // The sidecar lets the content go: the snapshot follows.
  await user.patch(volumeSnapshotContents, { name }, { kind: 'merge', body: { metadata: { finalizers: null } } });
  await vi.waitFor(async () => expect(await user.find(volumeSnapshots, snap)).toBeUndefined(), 5_000);
  await vi.waitFor(
    async () =>
      expect((await user.get(persistentVolumeClaims, { name: 'data', namespace: 'default' })).metadata.finalizers ?? []).not.toContain(Finalizer.claimAsSource),
    5_000,
  );
});
