// The runtime against our API server: what both promise must fit together.
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { configMaps, keyOf, leases, volumeSnapshots, type ConfigMap } from '@snapshot-stack/api-types';
import {
  Informer,
  KubeError,
  ManualClock,
  createClient,
  guarded,
  isWrite,
  selfCheckAccess,
  silentLog,
  waitForResources,
  wrapClient,
  type Call,
  type Client,
} from '@snapshot-stack/runtime';
import { eventually } from './scripted-server.ts';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';

let api: ApiServer;
let client: Client;
beforeAll(async () => {
  api = await startApiServer({});
  client = createClient(api.adminConnection, { userAgent: 'admin/1' });
});
afterAll(async () => {
  client.close();
  await api.stop();
});

const namespace = 'default';
const create = (name: string, data: Record<string, string> = {}): Promise<ConfigMap> => client.create(configMaps, { metadata: { name, namespace }, data });

function followed(agent: string, prefix: string): { informer: Informer<ConfigMap>; names: () => string[] } {
  const mine = createClient(api.adminConnection, { userAgent: agent });
  const informer = new Informer({ client: mine, resource: configMaps, namespace });
  const end = new AbortController();
  const running = informer.run(end.signal);
  onTestFinished(async () => {
    end.abort();
    await running;
    mine.close();
  });
  const names = (): string[] =>
    informer.cache
      .list()
      .map((object) => object.metadata.name!)
      .filter((name) => name.startsWith(prefix))
      .sort();
  return { informer, names };
}

describe('the client', () => {
  it('creates, reads, changes and deletes over TLS', async () => {
    const made = await create('crud', { a: '1' });
    const patched = await client.patch(configMaps, { name: 'crud', namespace }, guarded(made, { data: { b: '2' } }));
    expect(patched.data).toEqual({ a: '1', b: '2' });
    await expect(client.patch(configMaps, { name: 'crud', namespace }, guarded(made, { data: { c: '3' } }))).rejects.toMatchObject({ code: 'Conflict' });
    await expect(client.replace(configMaps, { ...made, data: {} })).rejects.toMatchObject({ code: 'Conflict' });
    expect((await client.replace(configMaps, { ...patched, data: { d: '4' } })).data).toEqual({ d: '4' });
    await expect(create('crud')).rejects.toMatchObject({ code: 'AlreadyExists' });
    await expect(client.delete(configMaps, { name: 'crud', namespace }, { uid: 'another' })).rejects.toMatchObject({ code: 'Conflict' });
    await client.delete(configMaps, { name: 'crud', namespace }, { uid: made.metadata.uid });
    expect(await client.find(configMaps, { name: 'crud', namespace })).toBeUndefined();
  });

  it('lists in pages', async () => {
    await Promise.all(['p1', 'p2', 'p3'].map((name) => create(name)));
    const first = await client.list(leases, { namespace, limit: 2 });
    expect(first.items.length).toBeLessThanOrEqual(2);
    const page = await client.list(configMaps, { namespace, limit: 2 });
    expect(page.items).toHaveLength(2);
    const rest = await client.list(configMaps, { namespace, limit: 500, continue: page.metadata.continue! });
    expect([...page.items, ...rest.items].map((object) => object.metadata.name)).toEqual(expect.arrayContaining(['p1', 'p2', 'p3']));
  });

  it('does not trust a server whose certificate it cannot check', async () => {
    const { server, namespace } = api.adminConnection;
    const stranger = createClient({ server, namespace, tls: {} }, { userAgent: 'stranger' });
    onTestFinished(() => stranger.close());
    await expect(stranger.get(configMaps, { name: 'a', namespace })).rejects.toMatchObject({ code: 'Connection' });
    const careless = createClient(
      { server, namespace, tls: { ...api.adminConnection.tls, insecure: true, serverName: 'elsewhere' } },
      { userAgent: 'careless' },
    );
    onTestFinished(() => careless.close());
    expect(await careless.find(configMaps, { name: 'no-such-map', namespace })).toBeUndefined();
  });
});

describe('an informer', { timeout: 20_000 }, () => {
  it('knows what is there and follows what comes, over a single watch', async () => {
    await create('follow-1');
    const { informer, names } = followed('follower', 'follow-');
    await informer.synced();
    expect(names()).toEqual(['follow-1']);
    await create('follow-2');
    await client.delete(configMaps, { name: 'follow-1', namespace });
    await eventually(names).toEqual(['follow-2']);
    expect(api.requests.filter(({ userAgent }) => userAgent === 'follower').map(({ verb }) => verb)).toEqual(['watch']);
  });

  it('misses nothing while its watch is cut again and again', async () => {
    const { informer, names } = followed('cut-off', 'cut-');
    await informer.synced();
    const expected: string[] = [];
    for (let i = 10; i < 20; i++) {
      expected.push((await create(`cut-${i}`)).metadata.name!);
      if (i % 3 === 0) api.faults.breakWatches('configmaps');
    }
    await client.delete(configMaps, { name: 'cut-10', namespace });
    await eventually(names).toEqual(expected.slice(1));
  });

  it('catches up with deletions after the server has forgotten the history', async () => {
    await create('gone-1');
    const { informer, names } = followed('forgotten', 'gone-');
    await informer.synced();
    const undo = api.faults.inject({ client: 'forgotten' }, { kind: 'fail', code: 500 }, { times: 2 });
    onTestFinished(undo);
    api.faults.breakWatches('configmaps');
    await client.delete(configMaps, { name: 'gone-1', namespace });
    await create('gone-2');
    api.faults.compact('configmaps');
    await eventually(names).toEqual(['gone-2']);
  });
});

describe('waiting for resources', () => {
  it('goes on at once when all are served, and says what is missing when they are not', async () => {
    const clock = new ManualClock();
    const abort = new AbortController();
    const missing: string[][] = [];
    const wait = (resources: Parameters<typeof waitForResources>[0]['resources']): Promise<void> =>
      waitForResources({ client, resources, clock, log: silentLog, maxMs: 1_000, signal: abort.signal, onMissing: (now) => missing.push([...now]) });
    await wait([configMaps, leases]);
    expect(missing).toEqual([[]]);
    const waiting = wait([configMaps, volumeSnapshots]);
    await eventually(() => clock.pending).toBe(1);
    await clock.advance(1_000);
    await eventually(() => missing.length).toBe(3);
    expect(missing[1]).toEqual(['volumesnapshots (snapshot.storage.k8s.io/v1) is not served']);
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });
});

describe('checking our own access', () => {
  it('names what is not allowed', async () => {
    const asked: string[] = [];
    // An API server that allows reading alone; what it answers is the form of a real review.
    const reader: Client = {
      ...wrapClient(client, {}),
      raw: (_method, path, request) => {
        const { resourceAttributes } = (request!.body as { spec: { resourceAttributes: { verb: string; resource: string } } }).spec;
        asked.push(path);
        return Promise.resolve({ status: 201, headers: {}, body: { status: { allowed: resourceAttributes.verb === 'get' } } });
      },
    };
    const rules = [
      { group: '', resource: 'events', verbs: ['get', 'create'], namespace: 'ns' },
      { group: 'snapshot.storage.k8s.io', resource: 'volumesnapshots', subresource: 'status', verbs: ['patch'] },
    ];
    expect(await selfCheckAccess(reader, rules)).toEqual(['create events in namespace ns', 'patch volumesnapshots/status.snapshot.storage.k8s.io']);
    expect(new Set(asked)).toEqual(new Set(['/apis/authorization.k8s.io/v1/selfsubjectaccessreviews']));
  });
});

describe('a wrapped client', () => {
  it('tells of each call before and after it, and can lose answers', async () => {
    const before: string[] = [];
    const outcomes: string[] = [];
    let writes = 0;
    const wrapped = wrapClient(client, {
      before: ({ verb, resource, ref }) =>
        void before.push(`${verb} ${resource} ${ref === undefined ? '' : keyOf({ metadata: ref as ConfigMap['metadata'] })}`),
      after: (call: Call, outcome) => {
        outcomes.push('error' in outcome ? (outcome.error as KubeError).code : 'ok');
        if (isWrite(call) && ++writes === 2) throw new KubeError('Timeout', 'the answer was lost');
      },
    });
    await wrapped.create(configMaps, { metadata: { name: 'wrapped', namespace } });
    await expect(wrapped.patch(configMaps, { name: 'wrapped', namespace }, { kind: 'merge', body: { data: { done: 'yes' } } })).rejects.toThrow(
      'the answer was lost',
    );
    expect((await wrapped.get(configMaps, { name: 'wrapped', namespace })).data).toEqual({ done: 'yes' });
    await expect(wrapped.get(configMaps, { name: 'nobody', namespace })).rejects.toMatchObject({ code: 'NotFound' });
    await wrapped.delete(configMaps, { name: 'wrapped', namespace });
    expect(before).toEqual([
      'create configmaps default/wrapped',
      'patch configmaps default/wrapped',
      'get configmaps default/wrapped',
      'get configmaps default/nobody',
      'delete configmaps default/wrapped',
    ]);
    expect(outcomes).toEqual(['ok', 'ok', 'ok', 'NotFound', 'ok']);
  });

  it('can stop a watch before it starts', async () => {
    const wrapped = wrapClient(client, {
      before: ({ verb }) => {
        if (verb === 'watch') throw new KubeError('Unavailable', 'no watches today');
      },
    });
    const watching = async (): Promise<void> => {
      for await (const event of wrapped.watch(configMaps, { signal: AbortSignal.timeout(1_000) })) expect(event).toBeUndefined();
    };
    await expect(watching()).rejects.toThrow('no watches today');
  });
});
