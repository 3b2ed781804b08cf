import { get } from 'node:https';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { callerOf, type Answered, type Caller } from './caller.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';

let api: ApiServer;
let call: Caller;
let closeCaller: () => void;

beforeAll(async () => {
  api = await startApiServer();
  ({ call, close: closeCaller } = callerOf(api));
});
afterEach(() => api.faults.clear());
afterAll(async () => {
  closeCaller();
  await api.stop();
});

const make = (name: string, headers: Record<string, string> = {}): Promise<Answered> =>
  call('POST', MAPS, { headers, body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } } });
const statusOf = async (name: string): Promise<number> => (await call('GET', `${MAPS}/${name}`)).status;

/** The lines of a watch until it ends, and whether it ended in order. */
function watch(query: string): { lines: Promise<string[]>; opened: Promise<void>; ended: Promise<'closed' | 'cut'> } {
  const { ca, cert, key } = api.adminConnection.tls;
  const opened = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<'closed' | 'cut'>();
  const lines = new Promise<string[]>((resolve, reject) => {
    get(new URL(`${MAPS}?watch=1&${query}`, api.url), { ca, cert, key, agent: false }, (response) => {
      opened.resolve();
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('error', () => {});
      response.on('close', () => {
        ended.resolve(response.complete ? 'closed' : 'cut');
        resolve(text.split('\n').filter((line) => line !== ''));
      });
    }).on('error', reject);
  });
  return { lines, opened: opened.promise, ended: ended.promise };
}

describe('faults on demand', () => {
  it('fail the nth request that matches, and no other', async () => {
    api.faults.inject({ verb: 'create', resource: 'configmaps' }, { kind: 'fail', code: 500, message: 'on fire' }, { after: 1, times: 1 });
    expect((await make('one')).status).toBe(201);
    expect(await make('two')).toMatchObject({ status: 500, body: { kind: 'Status', message: 'on fire' } });
    expect((await make('two')).status).toBe(201);
  });

  it('match by name and by anything else that is known of a request', async () => {
    api.faults.inject({ name: 'one', when: ({ query }) => query.includes('dryRun') }, { kind: 'fail', code: 503 }, { times: Infinity });
    expect((await call('DELETE', `${MAPS}/one?dryRun=All`)).status).toBe(503);
    expect(await statusOf('one')).toBe(200);
  });

  it('refuse with 429 and say when to come back', async () => {
    api.faults.inject({ resource: 'configmaps' }, { kind: 'throttle', retryAfterSeconds: 7 });
    expect(await make('throttled')).toMatchObject({ status: 429, body: { reason: 'TooManyRequests', details: { retryAfterSeconds: 7 } } });
  });

  it('delay a request', async () => {
    api.faults.inject({ verb: 'get' }, { kind: 'delay', ms: 60 });
    const start = performance.now();
    expect(await statusOf('one')).toBe(200);
    expect(performance.now() - start).toBeGreaterThan(50);
  });

  it('drop a request before it is done, or lose its answer after', async () => {
    api.faults.inject({ verb: 'create' }, { kind: 'drop' });
    await expect(make('dropped')).rejects.toThrow(/hang up|ECONNRESET/);
    expect(await statusOf('dropped')).toBe(404);
    api.faults.inject({ verb: 'create' }, { kind: 'loseAnswer' });
    await expect(make('unheard')).rejects.toThrow(/hang up|ECONNRESET/);
    await expect.poll(() => statusOf('unheard')).toBe(200);
  });

  it('do a request twice, and answer the second', async () => {
    api.faults.inject({ verb: 'create' }, { kind: 'duplicate' });
    expect(await make('double')).toMatchObject({ status: 409, body: { reason: 'AlreadyExists' } });
    expect(await statusOf('double')).toBe(200);
  });

  it('break watches without a word', async () => {
    const { opened, ended } = watch('timeoutSeconds=30');
    await opened;
    expect(api.faults.breakWatches('configmaps')).toBe(1);
    expect(await ended).toBe('cut');
  });

  it('serve a stale list until they are cleared', async () => {
    const names = async (): Promise<string[]> =>
      ((await call('GET', MAPS)).body.items as { metadata: { name: string } }[]).map(({ metadata }) => metadata.name);
    api.faults.freezeList('configmaps');
    const before = await names();
    await make('fresh');
    expect(await names()).toEqual(before);
    api.faults.clear();
    expect(await names()).toContain('fresh');
  });

  it('compact history, so that old watches must list again', async () => {
    const { body } = await call('GET', MAPS);
    await make('later');
    api.faults.compact('configmaps');
    const { lines } = watch(`timeoutSeconds=1&resourceVersion=${(body as { metadata: { resourceVersion: string } }).metadata.resourceVersion}`);
    expect(JSON.parse((await lines)[0] ?? '')).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } });
  });

  it('pause one client and let the others go on', async () => {
    const resume = api.faults.pause('slowpoke');
    let answered = false;
    const held = make('held', { 'User-Agent': 'slowpoke/1.0' }).then((answer) => {
      answered = true;
      return answer;
    });
    expect(await statusOf('one')).toBe(200);
    expect(answered).toBe(false);
    resume();
    expect((await held).status).toBe(201);
  });
});
