import type { ServerResponse } from 'node:http';
import { configMaps, keyOf, type ConfigMap } from '@snapshot-stack/api-types';
import { Informer, ManualClock, createClient, seededRandom, type InformerOptions } from '@snapshot-stack/runtime';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually, failure, json, serve, type ScriptedServer, type Seen } from './scripted-server.ts';

const aMap = (name: string, resourceVersion: string, more: Partial<ConfigMap> & { uid?: string } = {}): ConfigMap => {
  const { uid = `uid-${name}`, metadata, ...rest } = more;
  return { metadata: { name, namespace: 'ns', uid, resourceVersion, ...metadata }, ...rest };
};

interface World {
  server: ScriptedServer;
  clock: ManualClock;
  informer: Informer<ConfigMap>;
  /** What the handlers were told: `added a@1`, `updated a@2`. */
  told: string[];
  names: () => string[];
}

/** One step for each request in order; the last one answers all further requests. */
type Step = (request: Seen, response: ServerResponse) => void;

const event = (type: string, object: object): string => `${JSON.stringify({ type, object })}\n`;
const bookmark = (resourceVersion: string, annotations?: object): string =>
  event('BOOKMARK', { kind: 'ConfigMap', metadata: { resourceVersion, annotations } });
const initialEnd = (resourceVersion: string): string => bookmark(resourceVersion, { 'k8s.io/initial-events-end': 'true' });

/** A watch that sends these lines and stays open, or closes when `end` is given. */
const watching =
  (lines: string[], end = false): Step =>
  (_request, response) => {
    response.writeHead(200);
    response.write(lines.join(''));
    if (end) response.end();
  };
const failing =
  (code: number, reason: string, more: object = {}): Step =>
  (_request, response) =>
    json(response, code, { ...failure(code, reason, `the server says ${reason}`), ...more });
const page =
  (items: ConfigMap[], resourceVersion: string, next?: string): Step =>
  (_request, response) =>
    json(response, 200, { metadata: { resourceVersion, continue: next }, items });

async function world(steps: Step[], options: Partial<InformerOptions<ConfigMap>> = {}): Promise<World> {
  const server = await serve((request, response, number) => steps[Math.min(number, steps.length) - 1]!(request, response));
  const clock = new ManualClock();
  const client = createClient(server.connection, { userAgent: 'test', clock });
  const informer = new Informer({ client, resource: configMaps, clock, random: seededRandom(1), ...options });
  const told: string[] = [];
  const say =
    (what: string) =>
    ({ metadata }: ConfigMap): void =>
      void told.push(`${what} ${metadata.name}@${metadata.resourceVersion}`);
  informer.on({ added: say('added'), updated: say('updated'), deleted: say('deleted') });
  const abort = new AbortController();
  const running = informer.run(abort.signal);
  onTestFinished(async () => {
    abort.abort();
    await running;
    client.close();
  });
  return { server, clock, informer, told, names: () => informer.cache.list().map((object) => object.metadata.name!) };
}

const STEP_MS = 200;

/** Moves the clock until so many requests have come, and tells how long that took. */
async function requests({ server, clock }: World, count: number): Promise<number> {
  const start = clock.now();
  const seen = async (): Promise<number> => (server.seen.length < count && (await clock.advance(STEP_MS)), server.seen.length);
  await expect.poll(seen, { interval: 1, timeout: 15_000 }).toBeGreaterThanOrEqual(count);
  return clock.now() - start;
}

describe('the first list', { timeout: 20_000 }, () => {
  it('streams, and the same connection brings what changes', async () => {
    const lines = [event('ADDED', aMap('a', '1')), event('ADDED', aMap('b', '2')), initialEnd('5'), event('MODIFIED', aMap('a', '6'))];
    const it = await world([watching(lines)]);
    await it.informer.synced();
    await eventually(() => it.told).toEqual(['added a@1', 'added b@2', 'updated a@6']);
    expect(it.server.seen).toHaveLength(1);
    expect(Object.fromEntries(new URLSearchParams(it.server.seen[0]!.url.split('?')[1]))).toMatchObject({
      watch: 'true',
      sendInitialEvents: 'true',
      resourceVersionMatch: 'NotOlderThan',
      allowWatchBookmarks: 'true',
    });
  });

  it('is not complete before the server says so', async () => {
    const it = await world([watching([event('ADDED', aMap('a', '1')), bookmark('3')])]);
    await requests(it, 1);
    expect(it.informer.hasSynced).toBe(false);
    expect(it.told).toEqual([]);
    await expect(it.informer.synced(AbortSignal.abort(new Error('no patience')))).rejects.toThrow('no patience');
  });

  it('comes in pages where the server does not stream', async () => {
    const pages = [page([aMap('a', '1')], '5', 'more'), page([aMap('b', '2')], '5'), watching([event('DELETED', aMap('a', '6'))])];
    const it = await world([failing(422, 'Invalid'), ...pages]);
    await eventually(() => it.told).toEqual(['added a@1', 'added b@2', 'deleted a@6']);
    expect(it.server.seen.map(({ url }) => url.split('configmaps')[1])).toEqual([
      expect.stringContaining('sendInitialEvents'),
      '?limit=500',
      '?limit=500&continue=more',
      expect.stringContaining('resourceVersion=5'),
    ]);
  });

  it('comes all at once when the server forgets between two pages', async () => {
    const steps = [failing(400, 'BadRequest'), page([aMap('old', '1')], '5', 'more'), failing(410, 'Expired'), page([aMap('a', '7')], '8'), watching([])];
    const it = await world(steps);
    await it.informer.synced();
    expect(it.names()).toEqual(['a']);
    await requests(it, 5);
    expect(it.server.seen[3]?.url).toBe('/api/v1/configmaps');
    expect(it.server.seen[4]?.url).toContain('resourceVersion=8');
  });

  it('comes in pages when the streaming one breaks off or falls silent', async () => {
    const broken = await world([watching([event('ADDED', aMap('a', '1'))], true), page([aMap('b', '2')], '5'), watching([])]);
    await requests(broken, 2);
    await broken.informer.synced();
    expect(broken.names()).toEqual(['b']);
    const silent = await world([watching([event('ADDED', aMap('a', '1'))]), page([aMap('b', '2')], '5'), watching([])]);
    expect(await requests(silent, 2)).toBeGreaterThanOrEqual(30_000);
    await silent.informer.synced();
    expect(silent.names()).toEqual(['b']);
  });

  it('keeps to its scope', async () => {
    const it = await world([watching([initialEnd('1')])], { namespace: 'ns', labelSelector: 'a=b', fieldSelector: 'metadata.name=x' });
    await it.informer.synced();
    expect(it.server.seen[0]?.url).toMatch(/^\/api\/v1\/namespaces\/ns\/configmaps\?labelSelector=a%3Db&fieldSelector=metadata.name%3Dx&/);
  });
});

describe('after a disturbance', { timeout: 20_000 }, () => {
  const listed = [event('ADDED', aMap('a', '1')), initialEnd('5')];

  it('a watch goes on from the last version that was seen, bookmarks included', async () => {
    const it = await world([watching([...listed, bookmark('9')], true), watching([event('ADDED', aMap('b', '10'))])]);
    await requests(it, 2);
    expect(it.server.seen[1]?.url).toContain('resourceVersion=9');
    await eventually(() => it.names()).toEqual(['a', 'b']);
    expect(it.told).toEqual(['added a@1', 'added b@10']);
  });

  it.each<[string, Step]>([
    ['cut in the middle of an event', (_request, response) => (response.writeHead(200), response.write('{"type":"ADD', () => response.destroy()))],
    ['ended in the middle of an event', (_request, response) => void response.writeHead(200).end('{"type":"ADD')],
    ['made of garbage', watching(['no json\n'])],
    ['answered with an error', failing(500, 'InternalError')],
    ['refused', failing(403, 'Forbidden')],
  ])('a watch that is %s is tried again from the same version', async (_what, step) => {
    const it = await world([watching(listed, true), step, watching([event('ADDED', aMap('b', '6'))])]);
    await requests(it, 3);
    await eventually(() => it.names()).toEqual(['a', 'b']);
    expect(it.server.seen[2]?.url).toContain('resourceVersion=5');
    expect(it.informer.lastError).toBeUndefined();
  });

  it.each<[string, Step]>([
    ['as an event', watching([event('ERROR', failure(410, 'Expired', 'too old'))])],
    ['as the answer', failing(410, 'Gone')],
    ['because it was restored and does not know our version yet', failing(504, 'Timeout', { details: { causes: [{ reason: 'ResourceVersionTooLarge' }] } })],
  ])('it lists again when the server has forgotten our version, told %s, and finds what was deleted meanwhile', async (_how, step) => {
    const it = await world([watching(listed, true), step, watching([event('ADDED', aMap('b', '7')), initialEnd('8')])]);
    await eventually(async () => (await it.clock.advance(STEP_MS), it.told)).toEqual(['added a@1', 'deleted a@1', 'added b@7']);
    expect(it.server.seen[2]?.url).toContain('sendInitialEvents');
  });

  it('it lists again when watching keeps failing', async () => {
    const it = await world([watching(listed, true), ...Array.from({ length: 5 }, () => failing(500, 'InternalError')), watching([initialEnd('8')])]);
    await requests(it, 7);
    await eventually(() => it.names()).toEqual([]);
  });

  it('it waits longer and longer between tries, up to 30 s, however the server fails', async () => {
    for (const step of [failing(500, 'InternalError'), failing(410, 'Expired'), watching([], true), watching([bookmark('9')], true)]) {
      const it = await world([watching(listed, true), step]);
      expect(await requests(it, 4)).toBeLessThan(4_000);
      await requests(it, 10);
      const later = await requests(it, 14);
      expect(later / 4).toBeGreaterThan(7_000); // after a 410, every second request is a list that succeeds
      expect(later / 4).toBeLessThanOrEqual(30_000 + STEP_MS);
    }
  });

  it('it waits at least as long as the server asks', async () => {
    const throttled: Step = (_request, response) => json(response, 429, failure(429, 'TooManyRequests', 'later'), { 'Retry-After': '7' });
    const it = await world([watching(listed, true), throttled, watching([])]);
    await requests(it, 2);
    expect(await requests(it, 3)).toBeGreaterThanOrEqual(7_000);
  });

  it('all is well again once the server takes up the watch, though there is no news', async () => {
    const quiet: Step = (_request, response) => {
      response.writeHead(200);
      response.flushHeaders();
    };
    const it = await world([watching(listed, true), failing(500, 'InternalError'), quiet]);
    await requests(it, 2);
    await eventually(() => it.informer.lastError?.code).toBe('Internal');
    await requests(it, 3);
    await eventually(() => it.informer.lastError).toBeUndefined();
  });

  it('it tells why it is not synced', async () => {
    const it = await world([failing(404, 'NotFound')]);
    await eventually(() => it.informer.lastError?.code).toBe('NotFound');
  });
});

describe('time', { timeout: 20_000 }, () => {
  it('does not go backwards for an object', async () => {
    const it = await world([
      watching([event('ADDED', aMap('a', '10')), initialEnd('10'), event('MODIFIED', aMap('a', '9')), event('MODIFIED', aMap('a', '11'))]),
    ]);
    await eventually(() => it.told).toEqual(['added a@10', 'updated a@11']);
  });

  it('compares versions as numbers', async () => {
    const it = await world([watching([event('ADDED', aMap('a', '9')), initialEnd('9'), event('MODIFIED', aMap('a', '10'))])]);
    await eventually(() => it.told).toEqual(['added a@9', 'updated a@10']);
  });

  const expired = watching([event('ERROR', failure(410, 'Expired', 'too old'))]);
  const older = watching([event('ADDED', aMap('a', '3')), initialEnd('4')]);

  it('does not go backwards for a list from a server that lags', async () => {
    const it = await world([watching([event('ADDED', aMap('a', '10')), initialEnd('10')], true), expired, older, page([aMap('a', '12')], '13'), watching([])]);
    await requests(it, 5);
    await eventually(() => it.told).toEqual(['added a@10', 'updated a@12']);
  });

  it('starts over when the server insists, as after a restore from a backup', async () => {
    const restored = page([aMap('a', '3')], '4');
    const steps = [watching([event('ADDED', aMap('a', '10')), event('ADDED', aMap('b', '9')), initialEnd('10')], true), expired, older, restored, restored];
    const it = await world([...steps, watching([event('MODIFIED', aMap('a', '5'))])]);
    await requests(it, 6);
    await eventually(() => it.told).toEqual(['added a@10', 'added b@9', 'deleted b@9', 'updated a@3', 'updated a@5']);
  });

  it('tells an object that was made anew under its old name from a change', async () => {
    const it = await world([
      watching([event('ADDED', aMap('a', '1')), initialEnd('1')], true),
      expired,
      watching([event('ADDED', aMap('a', '4', { uid: 'new' })), initialEnd('5')]),
    ]);
    await requests(it, 3);
    await eventually(() => it.told).toEqual(['added a@1', 'deleted a@1', 'added a@4']);
  });
});

describe('our own writes', { timeout: 20_000 }, () => {
  const lines = [event('ADDED', aMap('a', '1')), initialEnd('5')];

  it('are read at once, and their echo is no change', async () => {
    const it = await world([watching([...lines, event('MODIFIED', aMap('a', '7')), event('MODIFIED', aMap('a', '8'))])], {
      transform: (object) => ({ ...object, data: {} }),
    });
    it.informer.on({ added: () => it.informer.cache.remember(aMap('a', '7')) });
    await eventually(() => it.told).toEqual(['added a@1', 'updated a@7', 'updated a@8']);
    expect(it.informer.cache.get('ns/a')?.data).toEqual({});
  });

  it('are not taken when the watch is further on: the object may have gone since', async () => {
    const it = await world([watching([...lines, event('DELETED', aMap('a', '9'))])]);
    await eventually(() => it.told).toContain('deleted a@9');
    it.informer.cache.remember(aMap('a', '8'));
    expect(it.names()).toEqual([]);
  });

  it('are not taken when they ended the object', async () => {
    const it = await world([watching(lines)]);
    await it.informer.synced();
    it.informer.cache.remember(aMap('a', '9', { metadata: { deletionTimestamp: '2026-01-01T00:00:00Z' } }));
    expect(it.informer.cache.get('ns/a')?.metadata.resourceVersion).toBe('1');
  });

  it('outlive a list that is older than they are', async () => {
    const expired = watching([event('ERROR', failure(410, 'Expired', 'too old'))]);
    const it = await world([watching(lines, true), expired, watching([event('ADDED', aMap('a', '1')), initialEnd('6')])]);
    await it.informer.synced();
    it.informer.cache.remember(aMap('new', '7'));
    await requests(it, 3);
    expect(it.names()).toEqual(['a', 'new']);
  });
});

describe('indexes', { timeout: 20_000 }, () => {
  const byColour = { colour: (object: ConfigMap) => (object.data?.['colour'] === undefined ? [] : [object.data['colour']]) };
  const coloured = (name: string, version: string, colour: string): ConfigMap => aMap(name, version, { data: { colour } });

  it('follow every change', async () => {
    const lines = [event('ADDED', coloured('a', '1', 'red')), event('ADDED', coloured('b', '2', 'red')), initialEnd('2')];
    const later = [event('MODIFIED', coloured('a', '3', 'blue')), event('DELETED', coloured('b', '4', 'red')), event('ADDED', aMap('c', '5'))];
    const it = await world([watching([...lines, ...later])], { indexers: byColour });
    await eventually(() => it.informer.cache.size).toBe(2);
    await eventually(() => it.told.at(-1)).toBe('added c@5');
    expect(it.informer.cache.byIndex('colour', 'red')).toEqual([]);
    expect(it.informer.cache.byIndex('colour', 'blue').map(keyOf)).toEqual(['ns/a']);
    expect(() => it.informer.cache.byIndex('size', 'big')).toThrow('there is no index "size"; declared are colour');
  });

  it('stay right when somebody changes a cached object', async () => {
    const it = await world([watching([event('ADDED', coloured('a', '1', 'red')), initialEnd('2'), event('MODIFIED', coloured('a', '3', 'blue'))])], {
      indexers: byColour,
    });
    it.informer.on({ added: (object) => void (object.data = { colour: 'green' }) });
    await eventually(() => it.told.at(-1)).toBe('updated a@3');
    expect(it.informer.cache.byIndex('colour', 'red')).toEqual([]);
    expect(it.informer.cache.byIndex('colour', 'blue')).toHaveLength(1);
  });
});

describe('what fails on our side', { timeout: 20_000 }, () => {
  it('does not end the informer: handlers, indexes and transforms may throw', async () => {
    const fail = (): never => {
      throw new Error('a bug');
    };
    const it = await world([watching([event('ADDED', aMap('a', '1')), initialEnd('5'), event('MODIFIED', aMap('a', '6'))])], {
      indexers: { broken: fail, fine: () => ['x'] },
      transform: fail,
    });
    it.informer.on({ added: fail, updated: fail });
    await eventually(() => it.told).toEqual(['added a@1', 'updated a@6']);
    expect(it.informer.cache.byIndex('fine', 'x')).toHaveLength(1);
    expect(it.informer.cache.byIndex('broken', 'x')).toEqual([]);
    expect(it.server.seen).toHaveLength(1);
  });
});
