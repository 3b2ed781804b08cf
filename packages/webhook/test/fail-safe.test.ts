// What happens when something is away: the API server, the caches, the webhook itself.
import { Annotation, snapshotCrds, volumeSnapshotClasses, volumeSnapshots, type VolumeSnapshotClass } from '@snapshot-stack/api-types';
import { startApiServer } from '@snapshot-stack/apiserver';
import { createClient, createMetrics, silentLog, systemClock, wrapClient } from '@snapshot-stack/runtime';
import { createWebhook } from '@snapshot-stack/webhook';
import { afterEach, describe, expect, it } from 'vitest';
import { fixedSource, makeAuthority } from './support/certificate.ts';
import { get, send } from './support/https.ts';
import { aReview, aSnapshot } from './support/reviews.ts';
import { startScene, waitFor, type Scene } from './support/scene.ts';

const stops: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function aScene(...options: Parameters<typeof startScene>): Promise<Scene> {
  const scene = await startScene(...options);
  stops.push(() => scene.stop());
  return scene;
}

const defaults = { [Annotation.isDefaultClass]: 'true' };
const kind = { apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshotClass' };
const aClass = (name: string, annotations: Record<string, string> = defaults): VolumeSnapshotClass => ({
  ...kind,
  metadata: { name, annotations },
  driver: 'd',
  deletionPolicy: 'Delete',
});

/** Cuts the webhook off from the API server, and nobody else. */
function cutOff({ api }: Scene): () => void {
  const restore = api.faults.inject({ client: 'snapshot-webhook' }, { kind: 'drop' }, { times: Infinity });
  api.faults.breakWatches();
  return restore;
}

describe('with the API server away', () => {
  it('answers from the cache, says how old that is, and recovers by itself', async () => {
    const scene = await aScene();
    await scene.client.create(volumeSnapshotClasses, aClass('first'));
    await waitFor(async () => (await send(scene, { body: aReview(aClass('probe')) })).json.response.allowed === false);
    const restore = cutOff(scene);
    await waitFor(async () => (await get(scene, '/readyz')).text !== 'ok');
    const ready = await get(scene, '/readyz');
    expect([ready.status, ready.text]).toEqual([200, expect.stringMatching(/^ok\n.*volumesnapshotclasses: as they were \d+ s ago/s)]);
    await waitFor(async () => /snapshot_webhook_cache_stale_seconds\{resource="volumesnapshotclasses"\} [^0]/.test((await get(scene, '/metrics')).text));

    const second = (await send(scene, { body: aReview(aClass('second')) })).json.response;
    expect(second.status.message).toContain('first already exists for driver: d');
    expect(second.warnings.join('\n')).toMatch(/VolumeSnapshotClasses could not be read/);
    expect(second.warnings.join('\n')).toMatch(/checked against volumesnapshotclasses as they were \d+ s ago: the API server cannot be watched/);
    const group = {
      ...aClass('g', { [Annotation.isDefaultGroupClass]: 'true' }),
      apiVersion: 'groupsnapshot.storage.k8s.io/v1',
      kind: 'VolumeGroupSnapshotClass',
    };
    const unchecked = (await send(scene, { body: aReview(group) })).json.response;
    expect([unchecked.allowed, unchecked.warnings.join('\n')]).toEqual([true, expect.stringContaining('rules about them were not checked')]);
    const broken = (await send(scene, { body: aReview(aSnapshot('s', {})) })).json.response;
    expect([broken.allowed, broken.warnings]).toEqual([false, undefined]);

    const content = {
      apiVersion: 'snapshot.storage.k8s.io/v1',
      kind: 'VolumeSnapshotContent',
      metadata: { name: 'c', annotations: { [Annotation.allowVolumeModeChange]: 'true' } },
    };
    const spec = { driver: 'd', deletionPolicy: 'Delete', source: { snapshotHandle: 'h' }, volumeSnapshotRef: { name: 's', namespace: 'n' } };
    const moded = (await send(scene, { body: aReview({ ...content, spec } as never) })).json.response;
    expect([moded.allowed, moded.status.code, moded.status.reason]).toEqual([false, 503, 'ServiceUnavailable']);

    restore();
    await waitFor(async () => (await send(scene, { body: aReview(aClass('second')) })).json.response.warnings?.length === 1, 60_000);
  }, 90_000);

  it('that never was there, applies the rules that need no cluster, and is ready after a while', async () => {
    const api = await startApiServer({ crds: snapshotCrds() });
    const { adminConnection } = api;
    await api.stop();
    const client = createClient(adminConnection, { userAgent: 'snapshot-webhook/1' });
    const authority = await makeAuthority(['localhost']);
    const clock = { ...systemClock };
    let ahead = 0;
    clock.elapsed = () => systemClock.elapsed() + ahead;
    const webhook = createWebhook({
      client,
      clock,
      random: Math.random,
      log: silentLog,
      metrics: createMetrics(),
      certificates: fixedSource(await authority.issue()),
      port: 0,
      host: '127.0.0.1',
      drainMs: 0,
      preventVolumeModeConversion: true,
    });
    const end = new AbortController();
    const running = webhook.run(end.signal);
    stops.push(async () => {
      end.abort();
      await running;
      client.close();
    });
    const target = { port: await webhook.serving, authority };
    expect(await get(target, '/readyz')).toMatchObject({ status: 503, text: expect.stringContaining('filling the caches') });
    ahead = 11_000;
    expect(await get(target, '/readyz')).toMatchObject({ status: 200, text: expect.stringContaining('volumesnapshots: nothing is known yet') });
    expect((await send(target, { body: aReview(aSnapshot('s', {})) })).json.response.allowed).toBe(false);
    const { allowed, warnings } = (await send(target, { body: aReview(aClass('second')) })).json.response;
    expect(allowed).toBe(true);
    expect(warnings.join('\n')).toContain('rules about other volumesnapshotclasses were not checked: nothing is known of them yet');
  });

  it('slow rather than gone, answers within the time that the caller has', async () => {
    const scene = await aScene();
    await scene.client.create(volumeSnapshotClasses, aClass('first'));
    await waitFor(async () => (await send(scene, { body: aReview(aClass('probe')) })).json.response.allowed === false);
    const release = scene.api.faults.pause('snapshot-webhook');
    const start = performance.now();
    const { allowed, warnings } = (await send(scene, { path: '/validate?timeout=1s', body: aReview(aClass('second')) })).json.response;
    expect(performance.now() - start).toBeLessThan(950);
    expect(allowed).toBe(false);
    expect(warnings.join('\n')).toContain('no answer within 500 ms');
    release();
  });
});

describe('with the webhook away', () => {
  const bad = { metadata: { name: 's', namespace: 'default' }, spec: { source: { persistentVolumeClaimName: '' } } };
  const labelled = { kind: 'merge' as const, body: { metadata: { labels: { a: 'b' } } } };

  it('failurePolicy Fail refuses writes and says whom it could not reach; deletions go on', async () => {
    const scene = await aScene({ failurePolicy: 'Fail' });
    await scene.client.create(volumeSnapshots, bad);
    await scene.stopWebhook();
    const write = scene.client.patch(volumeSnapshots, { name: 's', namespace: 'default' }, labelled);
    await expect(write).rejects.toThrow(/failed calling webhook "validation-webhook.snapshot.storage.k8s.io": failed to call webhook/);
    await scene.client.delete(volumeSnapshots, { name: 's', namespace: 'default' });
    expect(await scene.client.find(volumeSnapshots, { name: 's', namespace: 'default' })).toBeUndefined();
  });

  it('failurePolicy Ignore lets writes through; the rules that the CRDs hold themselves still hold', async () => {
    const scene = await aScene({ failurePolicy: 'Ignore' });
    await scene.client.create(volumeSnapshotClasses, aClass('first'));
    await scene.stopWebhook();
    await scene.client.create(volumeSnapshotClasses, aClass('second'));
    await expect(scene.client.create(volumeSnapshots, { ...bad, spec: { source: {} } })).rejects.toThrow('exactly one of');
  });
});

describe('at shutdown', () => {
  it('readiness ends first, reviews are still answered, and those in hand get their answer', async () => {
    const scene = await aScene({ webhook: { drainMs: 400 } });
    await scene.client.create(volumeSnapshotClasses, aClass('first'));
    const release = scene.api.faults.pause('snapshot-webhook');
    const inHand = send(scene, { path: '/validate?timeout=30s', body: aReview(aClass('second')) });
    await waitFor(async () => (await scene.metrics.text()).includes('snapshot_webhook_requests_in_flight 1'));
    const stopped = scene.stopWebhook();
    await waitFor(async () => (await get(scene, '/readyz')).status === 503);
    expect((await get(scene, '/readyz')).text).toBe('not ready: shutting down\n');
    const meanwhile = await send(scene, { body: aReview(aSnapshot('s', {})) });
    expect([meanwhile.json.response.allowed, meanwhile.headers['connection']]).toEqual([false, 'close']);
    await waitFor(() =>
      get(scene, '/healthz').then(
        () => false,
        () => true,
      ),
    );
    release();
    expect((await inHand).json.response.allowed).toBe(false);
    await stopped;
  });
});

describe('two default classes that are created at the same moment', () => {
  it('are both let in, since neither is there when the other is judged; that is said, and can be mended', async () => {
    // Both lists of classes are in hand before either review is answered.
    const both = Promise.withResolvers<void>();
    let lists = 0;
    const scene = await aScene({
      wrap: (own) =>
        wrapClient(own, {
          after: async ({ verb, resource }) => {
            if (verb !== 'list' || resource !== 'volumesnapshotclasses') return;
            if (++lists === 2) both.resolve();
            await both.promise;
          },
        }),
    });
    const { client } = scene;
    const creations = [client.create(volumeSnapshotClasses, aClass('left')), client.create(volumeSnapshotClasses, aClass('right'))];
    await Promise.all(creations);
    await waitFor(async () => (await scene.metrics.text()).includes('snapshot_webhook_drivers_with_several_default_classes 1'));
    await expect(client.create(volumeSnapshotClasses, aClass('third'))).rejects.toThrow(/(left|right) already exists for driver: d/);
    const path = '/apis/snapshot.storage.k8s.io/v1/volumesnapshotclasses/left';
    const { headers } = await client.raw('PATCH', path, {
      body: { metadata: { annotations: { [Annotation.isDefaultClass]: 'false' } } },
      contentType: 'application/merge-patch+json',
    });
    expect((headers as { warning?: string }).warning).toBeUndefined();
    await waitFor(async () => (await scene.metrics.text()).includes('snapshot_webhook_drivers_with_several_default_classes 0'));
  });
});
