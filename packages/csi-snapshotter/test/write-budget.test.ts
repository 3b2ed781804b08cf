// How many requests one snapshot costs, counted in the API server's own log.
import { persistentVolumeClaims, volumeSnapshotContents, volumeSnapshots } from '@snapshot-stack/api-types';
import { expect, test } from 'vitest';
import { Scene, waitFor } from './support/scene.ts';

interface Count {
  writes: string[];
  reads: string[];
}

/** Object writes and reads by controller and sidecar; events do not count, and neither do watches. */
function countOf(scene: Scene): Count {
  const ours = scene.api.requests.filter(
    ({ userAgent, resource }) => /^(snapshot-controller|csi-snapshotter)/.test(userAgent) && resource !== 'events' && resource !== 'leases',
  );
  const show = ({ userAgent, verb, resource, subresource, status }: (typeof ours)[number]): string =>
    `${userAgent.split('/')[0]} ${verb} ${resource}${subresource === '' ? '' : `/${subresource}`} ${status}`;
  return {
    writes: ours.filter(({ verb }) => ['create', 'update', 'patch', 'delete'].includes(verb)).map(show),
    reads: ours.filter(({ verb }) => verb === 'get' || verb === 'list').map(show),
  };
}

test('a dynamic snapshot with policy Delete costs at most 7 writes to create, 5 to delete, and no read', async () => {
  await using scene = await Scene.start();
  await scene.addClass('fast');
  await scene.addBoundClaim('data');
  await scene.startBoth();
  // The first one warms the connections; the second is counted.
  await scene.snapshotOf('data', 'warm', 'fast');
  await scene.untilReady('warm');
  await waitFor(async () => !(await scene.get(persistentVolumeClaims, 'data')).metadata.finalizers?.some((each) => each.includes('as-source')));

  scene.api.clearRequests();
  await scene.snapshotOf('data', 'counted', 'fast');
  await scene.untilReady('counted');
  await waitFor(async () => !(await scene.get(persistentVolumeClaims, 'data')).metadata.finalizers?.some((each) => each.includes('as-source')));
  const created = countOf(scene);
  expect(created.reads).toEqual([]);
  expect(created.writes.length, created.writes.join('\n')).toBeLessThanOrEqual(7);

  scene.api.clearRequests();
  await scene.delete(volumeSnapshots, 'counted');
  await scene.untilGone(volumeSnapshots, 'counted');
  const deleted = countOf(scene);
  expect(deleted.reads).toEqual([]);
  expect(deleted.writes.length, deleted.writes.join('\n')).toBeLessThanOrEqual(5);
  expect((await scene.client.list(volumeSnapshotContents)).items).toHaveLength(1);
  expect([...scene.driver.snapshots.values()]).toHaveLength(1);
});

test('a static snapshot costs at most 5 writes to bind, and no read', async () => {
  await using scene = await Scene.start();
  scene.driver.snapshots.set('old', { id: 'old', name: 'old', volume: 'volume-x', readyAfter: 0, creationNanos: 1_795_412_439_123_456_789n });
  const { part } = scene.startController();
  const sidecar = await scene.startSidecar();
  await waitFor(() => part.ready && sidecar.part.ready);
  scene.api.clearRequests();
  await scene.addContent('imported', 'snap', 'old');
  await scene.snapshotFrom('imported', 'snap');
  await scene.untilReady('snap');
  const bound = countOf(scene);
  expect(bound.reads).toEqual([]);
  expect(bound.writes.length, bound.writes.join('\n')).toBeLessThanOrEqual(5);
});
