// Versions of group contents, as the API server has them converted when it reads, writes and lists.
import { Annotation, GROUP_SNAPSHOT_GROUP, volumeGroupSnapshotContents, type Resource, type VolumeGroupSnapshotContent } from '@snapshot-stack/api-types';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { send } from './support/https.ts';
import { startScene, type Scene } from './support/scene.ts';

let scene: Scene;
const inVersion = (version: string): Resource<any> => ({ ...volumeGroupSnapshotContents, version });
const infos = [
  { volumeHandle: 'v1', snapshotHandle: 's1', creationTime: 1_700_000_000_123_456_789n, readyToUse: true, restoreSize: 1 },
  { volumeHandle: 'v2', snapshotHandle: 's2' },
];

function aContent(name: string): VolumeGroupSnapshotContent {
  return {
    metadata: { name },
    spec: { driver: 'd', deletionPolicy: 'Delete', source: { volumeHandles: ['v1', 'v2'] }, volumeGroupSnapshotRef: { name, namespace: 'default' } },
  };
}

beforeAll(async () => {
  scene = await startScene();
});
afterAll(() => scene.stop());

describe('a group content', () => {
  it('written as v1 is read in each version, with nothing lost', async () => {
    const { client } = scene;
    await client.create(volumeGroupSnapshotContents, aContent('full'));
    await client.patch(
      volumeGroupSnapshotContents,
      { name: 'full' },
      { kind: 'merge', body: { status: { volumeSnapshotInfoList: infos } } },
      { subresource: 'status' },
    );
    for (const version of ['v1', 'v1beta2']) expect((await client.get(inVersion(version), { name: 'full' })).status.volumeSnapshotInfoList).toEqual(infos);
    const old = await client.get(inVersion('v1beta1'), { name: 'full' });
    expect(old.status).toEqual({
      volumeSnapshotHandlePairList: [
        { volumeHandle: 'v1', snapshotHandle: 's1' },
        { volumeHandle: 'v2', snapshotHandle: 's2' },
      ],
    });
    expect(old.metadata.annotations[Annotation.groupInfoList]).toContain('1700000000123456789');
  });

  it('changed by a v1beta1 client keeps what that client cannot see', async () => {
    const { client } = scene;
    const old = inVersion('v1beta1');
    await client.patch(old, { name: 'full' }, { kind: 'merge', body: { metadata: { labels: { touched: 'yes' } } } });
    const seen = await client.get(old, { name: 'full' });
    await client.replace(old, { ...seen, status: { ...seen.status, readyToUse: true } }, { subresource: 'status' });
    const now = await client.get(volumeGroupSnapshotContents, { name: 'full' });
    expect(now.status).toEqual({ readyToUse: true, volumeSnapshotInfoList: infos });
    expect(now.metadata.labels).toEqual({ touched: 'yes' });
    expect(now.metadata.annotations).toBeUndefined();
  });

  it('written as v1beta1 is judged and read as v1', async () => {
    const { client } = scene;
    const old = inVersion('v1beta1');
    await client.create(old, aContent('old'));
    const pairs = [{ volumeHandle: 'v1', snapshotHandle: 's1' }];
    await client.patch(old, { name: 'old' }, { kind: 'merge', body: { status: { volumeSnapshotHandlePairList: pairs } } }, { subresource: 'status' });
    expect((await client.get(volumeGroupSnapshotContents, { name: 'old' })).status).toEqual({ volumeSnapshotInfoList: pairs });
    const { items } = await client.list(old);
    expect(items.map(({ apiVersion, metadata }) => [apiVersion, metadata.name])).toEqual([
      [`${GROUP_SNAPSHOT_GROUP}/v1beta1`, 'full'],
      [`${GROUP_SNAPSHOT_GROUP}/v1beta1`, 'old'],
    ]);
    // What v1beta1's own definition lets pass is held to the rules of v1, in whose version the webhook sees it.
    const moved = client.patch(old, { name: 'old' }, { kind: 'merge', body: { spec: { driver: 'other' } } });
    await expect(moved).rejects.toThrow(/spec.driver: driver is immutable once set/);
  });
});

describe('a conversion review', () => {
  const review = (objects: unknown[], desiredAPIVersion = `${GROUP_SNAPSHOT_GROUP}/v1`): object => ({
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'ConversionReview',
    request: { uid: 'u', desiredAPIVersion, objects },
  });

  it('of 5,000 objects is answered in order', async () => {
    const objects = Array.from({ length: 5_000 }, (_, index) => ({
      ...aContent(`c-${index}`),
      apiVersion: `${GROUP_SNAPSHOT_GROUP}/v1beta2`,
      kind: 'VolumeGroupSnapshotContent',
      status: { volumeSnapshotInfoList: infos },
    }));
    const { json } = await send(scene, { path: '/convert', body: review(objects, `${GROUP_SNAPSHOT_GROUP}/v1beta1`) });
    expect(json.response).toMatchObject({ uid: 'u', result: { status: 'Success' } });
    expect(json.response.convertedObjects.map(({ metadata }: any) => metadata.name)).toEqual(objects.map(({ metadata }) => metadata.name));
  });

  it('with an object that cannot be converted fails as a whole, and names it', async () => {
    const { json } = await send(scene, { path: '/convert', body: review([{ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'p' } }]) });
    expect(json.response.result).toMatchObject({ status: 'Failure', message: expect.stringContaining('v1 Pod p cannot be converted') });
  });

  it.each([
    [{ apiVersion: 'apiextensions.k8s.io/v1beta1', kind: 'ConversionReview' }, 'conversionReviewVersions'],
    [{ kind: 'AdmissionReview' }, 'no ConversionReview'],
    [{ ...review([]), request: undefined }, 'no request'],
    [{ ...review([]), request: { uid: 'u', desiredAPIVersion: 'x' } }, 'request.objects'],
  ])('that is none is refused: %j', async (body, message) => {
    const { status, json } = await send(scene, { path: '/convert', body });
    expect([status, json.message]).toEqual([400, expect.stringContaining(message)]);
  });
});
