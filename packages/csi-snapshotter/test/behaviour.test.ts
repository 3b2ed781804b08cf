// What users of snapshots rely on, story by story, through API server, controller, sidecar and driver.
import {
  Annotation,
  Finalizer,
  events,
  persistentVolumeClaims,
  secrets,
  volumeSnapshotClasses,
  volumeSnapshotContents,
  volumeSnapshots,
  type VolumeSnapshot,
} from '@snapshot-stack/api-types';
import { CsiError } from '@snapshot-stack/csi';
import { KubeError } from '@snapshot-stack/runtime';
import { describe, expect, test } from 'vitest';
import { Scene, waitFor } from './support/scene.ts';

const messageOf = ({ status }: VolumeSnapshot): string => status?.error?.message ?? '';

async function says(scene: Scene, name: string, text: string | RegExp): Promise<VolumeSnapshot> {
  return scene.until(volumeSnapshots, name, (snapshot) => (typeof text === 'string' ? messageOf(snapshot).includes(text) : text.test(messageOf(snapshot))));
}

async function reasonsFor(scene: Scene, name: string): Promise<string[]> {
  const { items } = await scene.client.list(events);
  return items.filter(({ involvedObject }) => involvedObject.name === name).map(({ reason }) => reason ?? '');
}

async function hasReason(scene: Scene, name: string, reason: string): Promise<void> {
  await waitFor(async () => (await reasonsFor(scene, name)).includes(reason)).catch(async () => expect(await reasonsFor(scene, name)).toContain(reason));
}

describe('a dynamic snapshot', () => {
  test('becomes ready with time, size and class, and its content has every nanosecond', async () => {
    await using scene = await Scene.start();
    await scene.addClass('standard', { isDefault: true });
    await scene.addBoundClaim('data');
    await scene.startBoth();
    await scene.snapshotOf('data', 'snap');
    const snapshot = await scene.untilReady('snap');
    expect(snapshot.spec.volumeSnapshotClassName).toBe('standard');
    expect(snapshot.status).toMatchObject({ restoreSize: '1Gi', creationTime: '2026-11-23T05:40:39Z' });
    expect(snapshot.status?.error).toBeUndefined();
    const content = await scene.get(volumeSnapshotContents, snapshot.status!.boundVolumeSnapshotContentName!);
    expect(content.status?.creationTime).toBe(1_795_412_439_123_456_789n);
    expect(content.spec).toMatchObject({ sourceVolumeMode: 'Filesystem', source: { volumeHandle: 'volume-data' }, deletionPolicy: 'Delete' });
    await waitFor(async () => (await scene.get(volumeSnapshotContents, content.metadata.name!)).metadata.annotations?.[Annotation.beingCreated] === undefined);
    for (const reason of ['CreatingSnapshot', 'SnapshotCreated', 'SnapshotReady']) await hasReason(scene, 'snap', reason);
  });

  test('goes on at once when its class comes', async () => {
    await using scene = await Scene.start({ retryStartMs: 60_000, retryMaxMs: 60_000 });
    await scene.addBoundClaim('data');
    await scene.startBoth();
    await scene.snapshotOf('data', 'snap', 'late');
    await says(scene, 'snap', 'VolumeSnapshotClass "late" does not exist');
    await hasReason(scene, 'snap', 'GetSnapshotClassFailed');
    await scene.addClass('late');
    expect((await scene.untilReady('snap')).status?.error).toBeUndefined();
  });

  test('goes on at once when a default class comes, and when one of two is no default any more', async () => {
    await using scene = await Scene.start({ retryStartMs: 60_000, retryMaxMs: 60_000 });
    await scene.addBoundClaim('data');
    await scene.startBoth();
    await scene.snapshotOf('data', 'first');
    await says(scene, 'first', 'cannot find default snapshot class');
    await scene.addClass('one', { isDefault: true });
    await scene.untilReady('first');
    await scene.addClass('two', { isDefault: true });
    await scene.snapshotOf('data', 'second');
    await says(scene, 'second', '2 default snapshot classes were found');
    await hasReason(scene, 'second', 'SetDefaultSnapshotClassFailed');
    await scene.delete(volumeSnapshotClasses, 'two');
    expect((await scene.untilReady('second')).spec.volumeSnapshotClassName).toBe('one');
  });

  test('goes on at once when its claim comes, and when that is bound', async () => {
    await using scene = await Scene.start({ retryStartMs: 60_000, retryMaxMs: 60_000 });
    await scene.addClass('fast');
    await scene.startBoth();
    await scene.snapshotOf('data', 'snap', 'fast');
    await says(scene, 'snap', 'PersistentVolumeClaim "data" does not exist');
    const claim = await scene.addClaim('data');
    await says(scene, 'snap', 'is not bound to a volume yet');
    await scene.bind(claim);
    await scene.untilReady('snap');
  });

  test('says so when its class is for another driver than its volume, and can be deleted', async () => {
    await using scene = await Scene.start();
    await scene.addClass('foreign', { driver: 'other.csi.example.com' });
    await scene.addBoundClaim('data');
    await scene.startBoth();
    await scene.snapshotOf('data', 'snap', 'foreign');
    await says(scene, 'snap', 'is for driver other.csi.example.com');
    expect((await scene.client.list(volumeSnapshotContents)).items).toEqual([]);
    await scene.delete(volumeSnapshots, 'snap');
    await scene.untilGone(volumeSnapshots, 'snap');
  });

  test('shows the name of its content while a slow driver works', async () => {
    await using scene = await Scene.start();
    const gate = Promise.withResolvers<void>();
    scene.driver.before = (method) => (method === 'CreateSnapshot' ? gate.promise : undefined);
    await scene.addClass('slow');
    await scene.addBoundClaim('data');
    await scene.startBoth();
    await scene.snapshotOf('data', 'snap', 'slow');
    const waiting = await scene.until(volumeSnapshots, 'snap', ({ status }) => status?.boundVolumeSnapshotContentName !== undefined);
    expect(waiting.status?.readyToUse).toBe(false);
    expect((await scene.get(persistentVolumeClaims, 'data')).metadata.finalizers).toContain(Finalizer.claimAsSource);
    gate.resolve();
    await scene.untilReady('snap');
    await waitFor(async () => !(await scene.get(persistentVolumeClaims, 'data')).metadata.finalizers?.includes(Finalizer.claimAsSource));
  });

  test("has the driver's message in its status until it is over", async () => {
    await using scene = await Scene.start();
    let failing = true;
    scene.driver.before = (method) => {
      if (method === 'CreateSnapshot' && failing) throw new CsiError('INTERNAL', 'the disk is on fire');
    };
    await scene.addClass('fast');
    await scene.addBoundClaim('data');
    await scene.startBoth();
    await scene.snapshotOf('data', 'snap', 'fast');
    await says(scene, 'snap', 'the disk is on fire');
    await hasReason(scene, 'snap', 'SnapshotCreationFailed');
    const [content] = (await scene.client.list(volumeSnapshotContents)).items;
    await hasReason(scene, content!.metadata.name!, 'SnapshotCreationFailed');
    // A final error: nothing is running, so the guard is taken off between the tries.
    await waitFor(async () => (await scene.get(volumeSnapshotContents, content!.metadata.name!)).metadata.annotations?.[Annotation.beingCreated] === undefined);
    failing = false;
    expect((await scene.untilReady('snap')).status?.error).toBeUndefined();
  });

  test('keeps its guard while the driver may still be working', async () => {
    await using scene = await Scene.start();
    scene.driver.before = (method) => {
      if (method === 'CreateSnapshot') throw new CsiError('ABORTED', 'still cutting');
    };
    await scene.addClass('fast');
    await scene.addBoundClaim('data');
    await scene.startBoth();
    await scene.snapshotOf('data', 'snap', 'fast');
    await says(scene, 'snap', 'still cutting');
    await waitFor(() => scene.driver.count('CreateSnapshot') > 3);
    const [content] = (await scene.client.list(volumeSnapshotContents)).items;
    expect(content?.metadata.annotations?.[Annotation.beingCreated]).toBe('yes');
    await scene.delete(volumeSnapshots, 'snap');
    await waitFor(async () => (await scene.get(volumeSnapshotContents, content!.metadata.name!)).metadata.deletionTimestamp !== undefined);
    scene.driver.before = () => {};
    await scene.untilGone(volumeSnapshots, 'snap');
    expect(scene.driver.snapshots.size).toBe(0);
  });

  test.each([
    ['GetSnapshot', { getSnapshot: true }],
    ['ListSnapshots', {}],
    ['CreateSnapshot', { listSnapshots: false }],
  ] as const)('is asked for by %s until it is ready', async (method, abilities) => {
    await using scene = await Scene.start({ readyAfter: 4, ...abilities });
    await scene.addClass('fast');
    await scene.addBoundClaim('data');
    await scene.startBoth();
    await scene.snapshotOf('data', 'snap', 'fast');
    const early = await scene.until(volumeSnapshots, 'snap', ({ status }) => status?.creationTime !== undefined);
    expect(early.status?.restoreSize).toBe('1Gi');
    await scene.untilReady('snap');
    expect(scene.driver.count(method)).toBeGreaterThanOrEqual(4);
    if (method !== 'CreateSnapshot') expect(scene.driver.count('CreateSnapshot')).toBe(1);
    expect(scene.driver.snapshots.size).toBe(1);
  });

  test('hands secrets and metadata to the driver, and is deleted although class and secret are gone', async () => {
    await using scene = await Scene.start();
    const parameters = {
      kind: 'gold',
      'csi.storage.k8s.io/snapshotter-secret-name': '${volumesnapshot.name}-key',
      'csi.storage.k8s.io/snapshotter-secret-namespace': '${volumesnapshot.namespace}',
    };
    await scene.addClass('secret', { parameters });
    await scene.addBoundClaim('data');
    scene.startController();
    await scene.startSidecar({}, { extraCreateMetadata: true });
    await scene.snapshotOf('data', 'snap', 'secret');
    await says(scene, 'snap', 'secret default/snap-key does not exist');
    await scene.client.create(secrets, { metadata: { name: 'snap-key', namespace: 'default' }, data: { token: Buffer.from('hush').toString('base64') } });
    const { status } = await scene.untilReady('snap');
    const call = scene.driver.calls.findLast(({ method }) => method === 'CreateSnapshot');
    expect(call?.secrets).toEqual({ token: 'hush' });
    expect(call?.parameters).toEqual({
      kind: 'gold',
      'csi.storage.k8s.io/volumesnapshot/name': 'snap',
      'csi.storage.k8s.io/volumesnapshot/namespace': 'default',
      'csi.storage.k8s.io/volumesnapshotcontent/name': status?.boundVolumeSnapshotContentName,
    });
    await scene.delete(volumeSnapshotClasses, 'secret');
    await scene.delete(secrets, 'snap-key');
    await scene.delete(volumeSnapshots, 'snap');
    await scene.untilGone(volumeSnapshots, 'snap');
    expect(scene.driver.snapshots.size).toBe(0);
  });

  test('says which secret template is wrong', async () => {
    await using scene = await Scene.start();
    const parameters = { 'csi.storage.k8s.io/snapshotter-secret-name': '${pvc.name}', 'csi.storage.k8s.io/snapshotter-secret-namespace': 'default' };
    await scene.addClass('wrong', { parameters });
    await scene.addBoundClaim('data');
    await scene.startBoth();
    await scene.snapshotOf('data', 'snap', 'wrong');
    await says(scene, 'snap', 'invalid tokens: ["pvc.name"]');
  });
});

describe('a deleted snapshot', () => {
  test('with policy Retain leaves content and data; the content can be deleted afterwards without the driver', async () => {
    await using scene = await Scene.start();
    await scene.addClass('kept', { deletionPolicy: 'Retain' });
    await scene.addBoundClaim('data');
    await scene.startBoth();
    await scene.snapshotOf('data', 'snap', 'kept');
    const { status } = await scene.untilReady('snap');
    const name = status!.boundVolumeSnapshotContentName!;
    await scene.delete(volumeSnapshots, 'snap');
    await scene.untilGone(volumeSnapshots, 'snap');
    expect((await scene.get(volumeSnapshotContents, name)).metadata.deletionTimestamp).toBeUndefined();
    await scene.delete(volumeSnapshotContents, name);
    await scene.untilGone(volumeSnapshotContents, name);
    expect(scene.driver.count('DeleteSnapshot')).toBe(0);
    expect(scene.driver.snapshots.size).toBe(1);
  });

  test('goes by the policy that its content has at that moment', async () => {
    await using scene = await Scene.start();
    await scene.addClass('kept', { deletionPolicy: 'Retain' });
    await scene.addBoundClaim('data');
    await scene.startBoth();
    await scene.snapshotOf('data', 'snap', 'kept');
    const { status } = await scene.untilReady('snap');
    const ref = { name: status!.boundVolumeSnapshotContentName! };
    await scene.client.patch(volumeSnapshotContents, ref, { kind: 'merge', body: { spec: { deletionPolicy: 'Delete' } } });
    await scene.delete(volumeSnapshots, 'snap');
    await scene.untilGone(volumeSnapshots, 'snap');
    await scene.untilGone(volumeSnapshotContents, ref.name);
    expect(scene.driver.snapshots.size).toBe(0);
  });

  test.each(['dataSource', 'dataSourceRef'] as const)('waits while a claim is being restored from it (%s), and says so', async (field) => {
    await using scene = await Scene.start();
    await scene.addClass('fast');
    await scene.addBoundClaim('data');
    await scene.startBoth();
    await scene.snapshotOf('data', 'snap', 'fast');
    await scene.untilReady('snap');
    const source = { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'snap' };
    const restored = await scene.addClaim('restored', { [field]: source });
    await waitFor(async () => (await scene.client.find(persistentVolumeClaims, { name: 'restored', namespace: 'default' })) !== undefined);
    await scene.delete(volumeSnapshots, 'snap');
    await says(scene, 'snap', 'claim "restored" is being restored from the snapshot');
    await hasReason(scene, 'snap', 'SnapshotDeletePending');
    expect(scene.driver.snapshots.size).toBe(1);
    await scene.bind(restored);
    await scene.untilGone(volumeSnapshots, 'snap');
    expect(scene.driver.snapshots.size).toBe(0);
  });

  test("waits for the provisioner's finalizer", async () => {
    await using scene = await Scene.start();
    await scene.addClass('fast');
    await scene.addBoundClaim('data');
    await scene.startBoth();
    await scene.snapshotOf('data', 'snap', 'fast');
    const { metadata } = await scene.untilReady('snap');
    const ref = { name: 'snap', namespace: 'default' };
    const finalizers = [...metadata.finalizers!, Finalizer.snapshotBeingRestored];
    await scene.client.patch(volumeSnapshots, ref, { kind: 'merge', body: { metadata: { finalizers } } });
    await waitFor(async () => (await scene.get(volumeSnapshots, 'snap')).metadata.finalizers!.length === 3);
    await scene.delete(volumeSnapshots, 'snap');
    await says(scene, 'snap', 'a provisioner is restoring a claim');
    expect(scene.driver.snapshots.size).toBe(1);
    await scene.client.patch(volumeSnapshots, ref, { kind: 'merge', body: { metadata: { finalizers: metadata.finalizers } } });
    await scene.untilGone(volumeSnapshots, 'snap');
  });

  test('tells why the driver refuses to delete', async () => {
    await using scene = await Scene.start();
    await scene.addClass('fast');
    await scene.addBoundClaim('data');
    await scene.startBoth();
    await scene.snapshotOf('data', 'snap', 'fast');
    await scene.untilReady('snap');
    scene.driver.before = (method) => {
      if (method === 'DeleteSnapshot') throw new CsiError('FAILED_PRECONDITION', 'volume clone-7 still reads from it');
    };
    await scene.delete(volumeSnapshots, 'snap');
    await says(scene, 'snap', 'volume clone-7 still reads from it');
    scene.driver.before = () => {};
    await scene.untilGone(volumeSnapshots, 'snap');
  });

  test('goes although an administrator deleted its content first', async () => {
    await using scene = await Scene.start();
    await scene.addClass('fast');
    await scene.addBoundClaim('data');
    await scene.startBoth();
    await scene.snapshotOf('data', 'snap', 'fast');
    const { status } = await scene.untilReady('snap');
    await scene.delete(volumeSnapshotContents, status!.boundVolumeSnapshotContentName!);
    await hasReason(scene, status!.boundVolumeSnapshotContentName!, 'SnapshotContentDeletePending');
    expect(scene.driver.snapshots.size).toBe(1);
    await scene.delete(volumeSnapshots, 'snap');
    await scene.untilGone(volumeSnapshots, 'snap');
    await scene.untilGone(volumeSnapshotContents, status!.boundVolumeSnapshotContentName!);
    expect(scene.driver.snapshots.size).toBe(0);
  });

  test('lets its content go even when its finalizers were taken off by hand', async () => {
    await using scene = await Scene.start();
    await scene.addClass('fast');
    await scene.addBoundClaim('data');
    await scene.startBoth();
    await scene.snapshotOf('data', 'snap', 'fast');
    const { status } = await scene.untilReady('snap');
    await scene.client.patch(volumeSnapshots, { name: 'snap', namespace: 'default' }, { kind: 'merge', body: { metadata: { finalizers: null } } });
    await scene.delete(volumeSnapshots, 'snap');
    await scene.untilGone(volumeSnapshots, 'snap');
    const name = status!.boundVolumeSnapshotContentName!;
    await scene.client.find(volumeSnapshotContents, { name });
    await scene.client.delete(volumeSnapshotContents, { name }).catch(() => {});
    await scene.untilGone(volumeSnapshotContents, name);
    expect(scene.driver.snapshots.size).toBe(0);
  });
});

describe('a pre-provisioned snapshot', () => {
  const imported = { id: 'old', name: 'old', volume: 'volume-x', readyAfter: 0, creationNanos: 1_795_412_439_123_456_789n };

  test('waits for its content, binds to it, and takes the data along when it goes', async () => {
    await using scene = await Scene.start({ pageSize: 2 });
    for (const id of ['a', 'b', 'c', 'old']) scene.driver.snapshots.set(id, { ...imported, id });
    await scene.startBoth();
    await scene.snapshotFrom('imported', 'snap');
    await says(scene, 'snap', 'VolumeSnapshotContent is missing');
    await hasReason(scene, 'snap', 'SnapshotContentMissing');
    await scene.addContent('imported', 'snap', 'old');
    const snapshot = await scene.untilReady('snap');
    expect(snapshot.status).toMatchObject({ boundVolumeSnapshotContentName: 'imported', restoreSize: '1Gi' });
    expect((await scene.get(volumeSnapshotContents, 'imported')).spec.volumeSnapshotRef.uid).toBe(snapshot.metadata.uid);
    await scene.delete(volumeSnapshots, 'snap');
    await scene.untilGone(volumeSnapshots, 'snap');
    expect([...scene.driver.snapshots.keys()]).toEqual(['a', 'b', 'c']);
  });

  test('is ready by the word of the administrator where the driver cannot be asked', async () => {
    await using scene = await Scene.start({ listSnapshots: false });
    await scene.startBoth();
    await scene.addContent('imported', 'snap', 'old', { deletionPolicy: 'Retain' });
    await scene.snapshotFrom('imported', 'snap');
    await scene.untilReady('snap');
  });

  test('says that the driver does not know the handle', async () => {
    await using scene = await Scene.start();
    await scene.startBoth();
    await scene.addContent('imported', 'snap', 'nowhere');
    await scene.snapshotFrom('imported', 'snap');
    await says(scene, 'snap', 'can not find snapshot for snapshotID nowhere');
  });

  test('does no harm to a content that names another snapshot', async () => {
    await using scene = await Scene.start();
    scene.driver.snapshots.set('old', { ...imported });
    await scene.startBoth();
    await scene.addContent('imported', 'rightful', 'old');
    await scene.snapshotFrom('imported', 'thief');
    await says(scene, 'thief', 'VolumeSnapshotContent [imported] is bound to a different snapshot');
    await hasReason(scene, 'thief', 'SnapshotContentMisbound');
    await scene.delete(volumeSnapshots, 'thief');
    await scene.untilGone(volumeSnapshots, 'thief');
    await scene.snapshotFrom('imported', 'rightful');
    await scene.untilReady('rightful');
    expect(scene.driver.snapshots.size).toBe(1);
  });

  test('does not take a content that is to be made from a volume', async () => {
    await using scene = await Scene.start();
    await scene.addClass('fast');
    scene.startController();
    await scene.addContent('wrong', 'snap', 'x', { source: { volumeHandle: 'volume-1' } });
    await scene.snapshotFrom('wrong', 'snap');
    await says(scene, 'snap', 'has no source.snapshotHandle');
    await hasReason(scene, 'snap', 'SnapshotContentMismatch');
  });
});

describe('a member of a group snapshot', () => {
  test('is neither made nor deleted by the sidecar, and waits for its group to go', async () => {
    await using scene = await Scene.start();
    await scene.startBoth();
    const owner = { apiVersion: 'groupsnapshot.storage.k8s.io/v1beta2', kind: 'VolumeGroupSnapshot', name: 'group', uid: 'group-uid' };
    const member = await scene.client.create(volumeSnapshots, {
      metadata: { name: 'member', namespace: 'default', ownerReferences: [owner], finalizers: [Finalizer.snapshotInGroup] },
      spec: { source: { persistentVolumeClaimName: 'data' } },
    });
    const content = await scene.client.create(volumeSnapshotContents, {
      metadata: { name: 'snapcontent-abc', annotations: { [Annotation.groupSnapshotHandle]: 'g-1' }, finalizers: [Finalizer.content] },
      spec: {
        deletionPolicy: 'Delete',
        driver: scene.driver.name,
        source: { volumeHandle: 'v' },
        volumeSnapshotRef: {
          kind: 'VolumeSnapshot',
          name: 'member',
          namespace: 'default',
          ...(member.metadata.uid === undefined ? {} : { uid: member.metadata.uid }),
        },
      },
    });
    const status = { boundVolumeSnapshotContentName: content.metadata.name };
    await scene.client.patch(volumeSnapshots, { name: 'member', namespace: 'default' }, { kind: 'merge', body: { status } }, { subresource: 'status' });
    scene.driver.snapshots.set('m-1', { id: 'm-1', name: 'm-1', volume: 'v', readyAfter: 0, creationNanos: 1n });
    const known = { snapshotHandle: 'm-1', volumeGroupSnapshotHandle: 'g-1' };
    await scene.client.patch(volumeSnapshotContents, { name: 'snapcontent-abc' }, { kind: 'merge', body: { status: known } }, { subresource: 'status' });
    await scene.untilReady('member');
    await scene.delete(volumeSnapshots, 'member');
    await hasReason(scene, 'member', 'SnapshotDeletePending');
    expect((await scene.get(volumeSnapshotContents, 'snapcontent-abc')).metadata.deletionTimestamp).toBeUndefined();
    expect(scene.driver.count('CreateSnapshot') + scene.driver.count('DeleteSnapshot')).toBe(0);
    expect(scene.driver.snapshots.size).toBe(1);
  });
});

describe('a claim', () => {
  test('that is deleted while it is snapshotted stays until the snapshot is ready', async () => {
    await using scene = await Scene.start();
    const gate = Promise.withResolvers<void>();
    scene.driver.before = (method) => (method === 'CreateSnapshot' ? gate.promise : undefined);
    await scene.addClass('fast');
    await scene.addBoundClaim('data');
    await scene.startBoth();
    await scene.snapshotOf('data', 'snap', 'fast');
    await waitFor(() => scene.driver.count('CreateSnapshot') === 1);
    await scene.delete(persistentVolumeClaims, 'data');
    expect((await scene.get(persistentVolumeClaims, 'data')).metadata.finalizers).toContain(Finalizer.claimAsSource);
    gate.resolve();
    await scene.untilReady('snap');
    await waitFor(async () => {
      const claim = await scene.client.find(persistentVolumeClaims, { name: 'data', namespace: 'default' });
      return claim?.metadata.finalizers?.includes(Finalizer.claimAsSource) !== true;
    });
  });

  test('of many snapshots at once is let go when the last of them is ready', async () => {
    await using scene = await Scene.start({ readyAfter: 2 });
    await scene.addClass('fast');
    await scene.addBoundClaim('data');
    await scene.startBoth();
    const names = Array.from({ length: 20 }, (_, index) => `snap-${index}`);
    await Promise.all(names.map((name) => scene.snapshotOf('data', name, 'fast')));
    await Promise.all(names.map((name) => scene.untilReady(name)));
    await waitFor(async () => !(await scene.get(persistentVolumeClaims, 'data')).metadata.finalizers?.includes(Finalizer.claimAsSource));
    expect(scene.driver.snapshots.size).toBe(20);
  });
});

test('looking at everything again writes nothing', async () => {
  await using scene = await Scene.start();
  await scene.addClass('fast');
  await scene.addBoundClaim('data');
  await scene.startBoth();
  for (const name of ['a', 'b']) await scene.snapshotOf('data', name, 'fast');
  await scene.snapshotOf('data', 'blocked', 'missing');
  for (const name of ['a', 'b']) await scene.untilReady(name);
  await hasReason(scene, 'blocked', 'GetSnapshotClassFailed');
  for (const name of ['a', 'b']) await hasReason(scene, name, 'SnapshotReady');
  await waitFor(async () => !(await scene.get(persistentVolumeClaims, 'data')).metadata.finalizers?.includes(Finalizer.claimAsSource));
  scene.api.clearRequests();
  // A restart looks at everything, as a resync does.
  const again = scene.startController();
  const sidecar = await scene.startSidecar();
  await waitFor(() => again.part.ready && sidecar.part.ready);
  await waitFor(() => again.part.queues.snapshots.length === 0 && sidecar.part.queue.length === 0);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(scene.api.requests.filter(({ userAgent, verb }) => !userAgent.startsWith('user') && ['create', 'update', 'patch', 'delete'].includes(verb))).toEqual(
    [],
  );
});

describe('a permission that is missing', () => {
  test('is told to the user at once, and its message goes when it is granted', async () => {
    await using scene = await Scene.start();
    await scene.addClass('fast');
    await scene.addBoundClaim('data');
    let allowed = false;
    scene.startController({
      before: ({ verb, resource }) => {
        if (!allowed && verb === 'create' && resource === 'volumesnapshotcontents') throw new KubeError('Forbidden', 'may not create volumesnapshotcontents');
      },
    });
    await scene.startSidecar();
    await scene.snapshotOf('data', 'snap', 'fast');
    await says(scene, 'snap', 'may not create volumesnapshotcontents');
    await hasReason(scene, 'snap', 'CreateSnapshotContentFailed');
    allowed = true;
    expect((await scene.untilReady('snap')).status?.error).toBeUndefined();
  });

  test("to patch claims, as upstream's ClusterRole has it, is made up for by updating them", async () => {
    await using scene = await Scene.start();
    await scene.addClass('fast');
    await scene.addBoundClaim('data');
    let updates = 0;
    scene.startController({
      before: ({ verb, resource }) => {
        if (resource !== 'persistentvolumeclaims') return;
        if (verb === 'patch') throw new KubeError('Forbidden', 'may only update');
        if (verb === 'replace') updates++;
      },
    });
    await scene.startSidecar();
    await scene.snapshotOf('data', 'snap', 'fast');
    await scene.untilReady('snap');
    await waitFor(async () => !(await scene.get(persistentVolumeClaims, 'data')).metadata.finalizers?.includes(Finalizer.claimAsSource));
    expect(updates).toBe(2);
  });
});

test('conflicts reach neither status nor events', async () => {
  await using scene = await Scene.start();
  await scene.addClass('fast');
  await scene.addBoundClaim('data');
  let writes = 0;
  const before = ({ verb, resource }: { verb: string; resource: string }): void => {
    if (verb === 'patch' && resource !== 'events' && ++writes % 2 === 1) throw new KubeError('Conflict', 'the object has been modified');
  };
  scene.startController({ before });
  await scene.startSidecar({ before });
  const messages: string[] = [];
  await scene.snapshotOf('data', 'snap', 'fast');
  await scene.until(volumeSnapshots, 'snap', (snapshot) => {
    messages.push(messageOf(snapshot));
    return snapshot.status?.readyToUse === true;
  });
  await scene.delete(volumeSnapshots, 'snap');
  await scene.untilGone(volumeSnapshots, 'snap');
  const said = (await scene.client.list(events)).items.map(({ message }) => message);
  expect([...messages, ...said].filter((message) => message?.includes('modified'))).toEqual([]);
});

test('a volume that comes after its claim lets the snapshot go on at once', async () => {
  await using scene = await Scene.start({ retryStartMs: 60_000, retryMaxMs: 60_000 });
  await scene.addClass('fast');
  const claim = await scene.addClaim('data', { volumeName: 'pv-data' });
  await scene.client.patch(
    persistentVolumeClaims,
    { name: 'data', namespace: 'default' },
    { kind: 'merge', body: { status: { phase: 'Bound' } } },
    { subresource: 'status' },
  );
  await scene.startBoth();
  await scene.snapshotOf('data', 'snap', 'fast');
  await says(scene, 'snap', 'volume "pv-data" of claim "data" does not exist');
  await scene.bind(claim);
  await scene.untilReady('snap');
});
