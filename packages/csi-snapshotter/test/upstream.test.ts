// Half ours, half upstream's: the writes of external-snapshotter v8.6's controller or sidecar, made here by hand
// in the order and form in which it makes them, against our other half.
import { Annotation, Finalizer, volumeSnapshotContents, volumeSnapshots, type VolumeSnapshotContent } from '@snapshot-stack/api-types';
import type { JsonPatchOperation } from '@snapshot-stack/runtime';
import { expect, test } from 'vitest';
import { Scene, waitFor } from './support/scene.ts';

const guardPath = `/metadata/annotations/${Annotation.beingCreated.replace('/', '~1')}`;

function patchContent(scene: Scene, name: string, body: JsonPatchOperation[], subresource?: 'status'): Promise<VolumeSnapshotContent> {
  return scene.client.patch(volumeSnapshotContents, { name }, { kind: 'json', body }, subresource === undefined ? {} : { subresource });
}

test("our sidecar serves what upstream's controller makes and deletes", async () => {
  await using scene = await Scene.start();
  await scene.addClass('fast');
  await scene.startSidecar();
  const snapshot = await scene.snapshotOf('data', 'snap', 'fast');
  const name = `snapcontent-${snapshot.metadata.uid}`;
  // No finalizer and no guard: upstream adds the first later by itself, the second is the sidecar's.
  await scene.client.create(volumeSnapshotContents, {
    metadata: { name },
    spec: {
      deletionPolicy: 'Delete',
      driver: scene.driver.name,
      source: { volumeHandle: 'volume-1' },
      sourceVolumeMode: null,
      volumeSnapshotClassName: 'fast',
      volumeSnapshotRef: {
        apiVersion: 'snapshot.storage.k8s.io/v1',
        kind: 'VolumeSnapshot',
        name: 'snap',
        namespace: 'default',
        uid: snapshot.metadata.uid!,
        resourceVersion: '1',
      },
    },
  });
  await waitFor(() => scene.driver.count('CreateSnapshot') === 1);
  expect((await scene.get(volumeSnapshotContents, name)).metadata.finalizers).toEqual([Finalizer.content]);
  const ready = await scene.until(
    volumeSnapshotContents,
    name,
    (content) => content.status?.readyToUse === true && content.metadata.annotations?.[Annotation.beingCreated] === undefined,
  );
  expect(ready.status).toMatchObject({ snapshotHandle: 'id-1', creationTime: 1_795_412_439_123_456_789n, restoreSize: 1_073_741_824 });

  await patchContent(scene, name, [{ op: 'add', path: '/metadata/annotations', value: { [Annotation.beingDeleted]: 'yes' } }]);
  await scene.delete(volumeSnapshotContents, name);
  await scene.untilGone(volumeSnapshotContents, name);
  expect(scene.driver.snapshots.size).toBe(0);
});

test("our controller follows what upstream's sidecar tells, and waits until it lets the content go", async () => {
  await using scene = await Scene.start();
  await scene.addClass('fast');
  await scene.addBoundClaim('data');
  scene.startController();
  const snapshot = await scene.snapshotOf('data', 'snap', 'fast');
  const name = `snapcontent-${snapshot.metadata.uid}`;
  const made = await scene.until(volumeSnapshotContents, name, () => true);
  // What upstream's sidecar looks for: a guard that is set counts as its own, and the credentials are annotations.
  expect(made.metadata.annotations?.[Annotation.beingCreated]).toBe('yes');
  expect(made.metadata.finalizers).toEqual([Finalizer.content]);

  // A final error: the guard goes, the error is written, and the guard comes back with the next try.
  await patchContent(scene, name, [{ op: 'remove', path: guardPath }]);
  await patchContent(
    scene,
    name,
    [{ op: 'add', path: '/status', value: { readyToUse: false, error: { message: 'no space', time: '2026-11-23T12:00:00Z' } } }],
    'status',
  );
  await scene.until(volumeSnapshots, 'snap', ({ status }) => status?.error?.message === 'no space' && status.readyToUse === false);
  await patchContent(scene, name, [{ op: 'replace', path: '/metadata/annotations', value: { [Annotation.beingCreated]: 'yes' } }]);
  const status = { snapshotHandle: 'h-1', creationTime: 1_795_412_439_123_456_789n, restoreSize: 1_073_741_824, readyToUse: true };
  await patchContent(scene, name, [{ op: 'replace', path: '/status', value: status }], 'status');
  await patchContent(scene, name, [{ op: 'remove', path: guardPath }]);
  const ready = await scene.untilReady('snap');
  expect(ready.status?.error).toBeUndefined();

  await scene.delete(volumeSnapshots, 'snap');
  const going = await scene.until(volumeSnapshotContents, name, ({ metadata }) => metadata.deletionTimestamp !== undefined);
  expect(going.metadata.annotations?.[Annotation.beingDeleted]).toBe('yes');
  // DeleteSnapshot is done: upstream clears the status by PUT, then drops the finalizer.
  const { snapshotHandle: _handle, readyToUse: _ready, creationTime: _time, restoreSize: _size, ...cleared } = going.status ?? {};
  await scene.client.replace(volumeSnapshotContents, { ...going, status: cleared }, { subresource: 'status' });
  expect((await scene.get(volumeSnapshots, 'snap')).metadata.finalizers).toContain(Finalizer.snapshotBound);
  await patchContent(scene, name, [{ op: 'replace', path: '/metadata/finalizers', value: [] }]);
  await scene.untilGone(volumeSnapshots, 'snap');
});

test("our controller takes over a snapshot in the middle of upstream's work", async () => {
  await using scene = await Scene.start();
  await scene.addClass('fast');
  await scene.addBoundClaim('data');
  const snapshot = await scene.client.create(volumeSnapshots, {
    metadata: { name: 'snap', namespace: 'default', finalizers: [Finalizer.snapshotAsSource] },
    spec: { source: { persistentVolumeClaimName: 'data' }, volumeSnapshotClassName: 'fast' },
  });
  await scene.client.create(volumeSnapshotContents, {
    metadata: { name: `snapcontent-${snapshot.metadata.uid}` },
    spec: {
      deletionPolicy: 'Delete',
      driver: scene.driver.name,
      source: { volumeHandle: 'volume-data' },
      volumeSnapshotClassName: 'fast',
      volumeSnapshotRef: { kind: 'VolumeSnapshot', name: 'snap', namespace: 'default', uid: snapshot.metadata.uid! },
    },
  });
  await scene.startBoth();
  await scene.untilReady('snap');
  await scene.delete(volumeSnapshots, 'snap');
  await scene.untilGone(volumeSnapshots, 'snap');
  expect(scene.driver.snapshots.size).toBe(0);
});
