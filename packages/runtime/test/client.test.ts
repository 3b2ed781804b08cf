import { gzipSync } from 'node:zlib';
import { configMaps, leases, type ConfigMap } from '@snapshot-stack/api-types';
import { KubeError, ManualClock, createClient, guarded, type Client, type ClientOptions, type RequestRecord } from '@snapshot-stack/runtime';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually, failure, json, serve, type Answer, type ScriptedServer } from './scripted-server.ts';

async function clientOf(answer: Answer, options: Partial<ClientOptions> = {}): Promise<{ client: Client; server: ScriptedServer }> {
  const server = await serve(answer);
  const client = createClient(server.connection, { userAgent: 'test/1', ...options });
  onTestFinished(() => client.close());
  return { client, server };
}

const ref = { namespace: 'default', name: 'one' };
const aMap = (resourceVersion = '5'): ConfigMap => ({ metadata: { name: 'one', namespace: 'default', uid: 'u-1', resourceVersion } });
const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: unknown) => (error as KubeError).code,
  );

describe('requests', () => {
  it('reads an object from its path, and says who asks', async () => {
    const { client, server } = await clientOf((_request, response) => json(response, 200, aMap()));
    expect(await client.get(configMaps, ref)).toEqual(aMap());
    expect(server.seen[0]).toMatchObject({ method: 'GET', url: '/api/v1/namespaces/default/configmaps/one' });
    expect(server.seen[0]?.headers).toMatchObject({ 'user-agent': 'test/1', 'accept-encoding': 'gzip' });
  });

  it('fills in apiVersion and kind when it creates', async () => {
    const { client, server } = await clientOf((_request, response) => json(response, 201, aMap()));
    await client.create(leases, { metadata: { name: 'l', namespace: 'ns' } }, { dryRun: true, fieldManager: 'me' });
    expect(server.seen[0]).toMatchObject({ method: 'POST', url: '/apis/coordination.k8s.io/v1/namespaces/ns/leases?fieldManager=me&dryRun=All' });
    expect(JSON.parse(server.seen[0]!.body)).toMatchObject({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' });
  });

  it('sends each patch with its content type, and names itself as field manager where the server insists on one', async () => {
    const { client, server } = await clientOf((_request, response) => json(response, 200, aMap()));
    await client.patch(configMaps, ref, guarded(aMap('7'), { data: { a: 'b' } }), { subresource: 'status' });
    await client.patch(configMaps, ref, { kind: 'json', body: [{ op: 'remove', path: '/data/a' }] });
    await client.patch(configMaps, ref, { kind: 'apply', body: { data: {} } }, { force: true });
    expect(server.seen.map(({ url, headers }) => [url.split('/one')[1], headers['content-type']])).toEqual([
      ['/status', 'application/merge-patch+json'],
      ['', 'application/json-patch+json'],
      ['?fieldManager=test&force=true', 'application/apply-patch+yaml'],
    ]);
    expect(JSON.parse(server.seen[0]!.body)).toEqual({ data: { a: 'b' }, metadata: { uid: 'u-1', resourceVersion: '7' } });
  });

  it('deletes only the object that was meant', async () => {
    const { client, server } = await clientOf((_request, response) => json(response, 200, { kind: 'Status', status: 'Success' }));
    await client.delete(configMaps, ref, { uid: 'u-1', resourceVersion: '5', propagation: 'Background' });
    expect(JSON.parse(server.seen[0]!.body)).toMatchObject({ preconditions: { uid: 'u-1', resourceVersion: '5' }, propagationPolicy: 'Background' });
  });

  it('keeps integers beyond 2^53 digit for digit, both ways', async () => {
    const text = '{"metadata":{"name":"one"},"status":{"creationTime":1763913600123456789}}';
    const { client, server } = await clientOf((_request, response) => json(response, 200, text));
    const object = await client.get(configMaps, ref);
    expect(object).toMatchObject({ status: { creationTime: 1763913600123456789n } });
    await client.replace(configMaps, object);
    expect(server.seen[1]?.body).toContain('"creationTime":1763913600123456789}');
  });

  it('reads gzip', async () => {
    const { client } = await clientOf((_request, response) => {
      response.writeHead(200, { 'Content-Encoding': 'gzip' }).end(gzipSync(JSON.stringify({ metadata: { resourceVersion: '9' }, items: null })));
    });
    expect(await client.list(configMaps, { limit: 500 })).toMatchObject({ metadata: { resourceVersion: '9' }, items: [] });
  });

  it('asks for the token before each request', async () => {
    let token = 0;
    const server = await serve((_request, response) => json(response, 200, aMap()));
    const client = createClient({ ...server.connection, token: () => Promise.resolve(`t${++token}`) }, { userAgent: 'test/1' });
    await client.get(configMaps, ref);
    await client.get(configMaps, ref);
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual(['Bearer t1', 'Bearer t2']);
    client.close();
  });

  it('uses few connections for many requests', async () => {
    const { client, server } = await clientOf((_request, response) => json(response, 200, aMap()), { maxSockets: 4 });
    await Promise.all(Array.from({ length: 60 }, () => client.get(configMaps, ref)));
    expect(server.connections()).toBeLessThanOrEqual(4);
    expect(server.seen).toHaveLength(60);
  });

  it('reports each request with its status, and those without an answer with 0', async () => {
    const records: RequestRecord[] = [];
    const { client } = await clientOf((_request, response, number) => (number === 1 ? json(response, 200, aMap()) : response.destroy()), {
      onRequest: (record) => records.push(record),
    });
    await client.get(configMaps, ref);
    await codeOf(client.patch(configMaps, ref, { kind: 'merge', body: {} }));
    expect(records.map(({ method, status }) => [method, status])).toEqual([
      ['GET', 200],
      ['PATCH', 0],
    ]);
  });
});

describe('failures', () => {
  it.each([
    [400, 'BadRequest', 'BadRequest', false],
    [403, 'Forbidden', 'Forbidden', true],
    [404, 'NotFound', 'NotFound', false],
    [409, 'AlreadyExists', 'AlreadyExists', false],
    [409, 'Conflict', 'Conflict', true],
    [410, 'Expired', 'Expired', true],
    [422, 'Invalid', 'Invalid', false],
    [500, 'InternalError', 'Internal', true],
    [504, 'Timeout', 'Timeout', true],
  ])('turns HTTP %d with reason %s into %s, retryable: %s', async (status, reason, code, retryable) => {
    const { client } = await clientOf((_request, response) => json(response, status, failure(status, reason, 'the words of the server')));
    await expect(client.get(configMaps, ref)).rejects.toMatchObject({ code, status, reason, retryable, message: 'the words of the server' });
  });

  it('says what was tried when an intermediary answers in its own words', async () => {
    const { client } = await clientOf((_request, response) => response.writeHead(502).end('<html>bad gateway</html>'));
    await expect(client.get(configMaps, ref)).rejects.toThrow('GET /api/v1/namespaces/default/configmaps/one was answered with HTTP 502: <html>bad gateway');
  });

  it('finds nothing where there is nothing, but does not hide other failures', async () => {
    const { client } = await clientOf((_request, response, number) => json(response, number === 1 ? 404 : 403, failure(404, 'NotFound', 'gone')));
    expect(await client.find(configMaps, ref)).toBeUndefined();
    expect(await codeOf(client.find(configMaps, ref))).toBe('Forbidden');
  });

  it('names the address when nobody listens there', async () => {
    const client = createClient({ server: 'http://localhost:1', namespace: '', tls: {} }, { userAgent: 'test' });
    await expect(client.get(configMaps, ref)).rejects.toThrow(/GET .*configmaps\/one: .*ECONNREFUSED/);
  });

  it('gives up on a server that does not answer in time', async () => {
    const { client } = await clientOf(() => {}, { timeoutMs: 50 });
    const error = await client.get(configMaps, ref).catch((error: unknown) => KubeError.from(error));
    expect(error).toMatchObject({ code: 'Timeout', mayHaveHappened: true });
  });

  it('gives up on an answer that stops in the middle', async () => {
    const { client } = await clientOf((_request, response) => void response.writeHead(200).write('{"metadata"'), { timeoutMs: 50 });
    expect(await codeOf(client.get(configMaps, ref))).toBe('Timeout');
  });

  it('ends at once with the reason of the signal', async () => {
    const { client, server } = await clientOf(() => {});
    const abort = new AbortController();
    const reading = client.get(configMaps, ref, { signal: abort.signal });
    await eventually(() => server.seen.length).toBe(1);
    abort.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
    await expect(client.get(configMaps, ref, { signal: abort.signal })).rejects.toThrow('enough');
    expect(server.seen).toHaveLength(1);
  });

  it('ends a request or watch whose signal aborts before it has even been sent, at whatever moment', async () => {
    const { client } = await clientOf((_request, response) => void response.writeHead(200).write('\n'));
    const watching = async (signal: AbortSignal): Promise<void> => {
      for await (const event of client.watch(configMaps, { signal })) expect(event).toBeUndefined();
    };
    for (const start of [watching, (signal: AbortSignal) => client.get(configMaps, ref, { signal })]) {
      for (let turns = 0; turns < 12; turns++) {
        const abort = new AbortController();
        const running = start(abort.signal);
        const ended = expect(running).rejects.toThrow('enough');
        for (let turn = 0; turn < turns; turn++) await (turn < 6 ? Promise.resolve() : new Promise((resolve) => setImmediate(resolve)));
        abort.abort(new Error('enough'));
        await ended;
      }
    }
  });

  it('does not take a truncated answer for a whole one', async () => {
    const { client } = await clientOf((_request, response) => {
      response.writeHead(200, { 'Content-Length': '1000' });
      response.write('{}', () => response.destroy());
    });
    expect(await codeOf(client.patch(configMaps, ref, { kind: 'merge', body: {} }))).toBe('Connection');
  });

  it('survives broken gzip', async () => {
    const { client } = await clientOf((_request, response) => response.writeHead(200, { 'Content-Encoding': 'gzip' }).end('this is no gzip'));
    expect(await codeOf(client.get(configMaps, ref))).toBe('Connection');
  });
});

describe('throttling', () => {
  const throttle: Answer = (_request, response, number) => {
    if (number < 3) json(response, number === 1 ? 429 : 503, failure(429, 'TooManyRequests', 'slow down'), { 'Retry-After': '2' });
    else json(response, 200, aMap());
  };

  it('waits as long as the server asks, then goes on, whatever the method', async () => {
    const clock = new ManualClock();
    const { client, server } = await clientOf(throttle, { clock });
    const written = client.patch(configMaps, ref, { kind: 'merge', body: {} });
    await eventually(() => clock.pending).toBe(1);
    await clock.advance(1_999);
    expect(server.seen).toHaveLength(1);
    await clock.advance(1);
    await eventually(() => clock.pending).toBe(1);
    await clock.advance(2_000);
    expect(await written).toEqual(aMap());
    expect(server.seen).toHaveLength(3);
  });

  it('gives up after some tries, and tells how long the server asked to wait', async () => {
    const { client, server } = await clientOf((_request, response) => json(response, 429, failure(429, 'TooManyRequests', 'no'), { 'Retry-After': '0.01' }));
    await expect(client.get(configMaps, ref)).rejects.toMatchObject({ code: 'TooManyRequests', retryAfterMs: 10 });
    expect(server.seen).toHaveLength(6);
  });

  it('does not wait when the server does not ask for it', async () => {
    const { client, server } = await clientOf((_request, response) => json(response, 503, 'down'));
    expect(await codeOf(client.get(configMaps, ref))).toBe('Unavailable');
    expect(server.seen).toHaveLength(1);
  });

  it('keeps to the rate it was given, in the order of asking', async () => {
    const clock = new ManualClock();
    const { client, server } = await clientOf((_request, response) => json(response, 200, aMap()), { clock, qps: 10, burst: 2 });
    const reads = Promise.all(['a', 'b', 'c', 'd'].map((name) => client.get(configMaps, { name })));
    await eventually(() => server.seen.length).toBe(2);
    await clock.advance(100);
    await eventually(() => server.seen.length).toBe(3);
    await clock.advance(99);
    expect(server.seen).toHaveLength(3);
    await clock.advance(1);
    await reads;
    expect(server.seen.map(({ url }) => url.at(-1))).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('kept-alive connections', () => {
  // Answers the first request of each connection, and closes it in the middle of the second.
  const closesOnReuse = (): Answer => {
    const used = new WeakSet<object>();
    return (_request, response) => {
      const socket = response.socket!;
      if (used.has(socket)) socket.destroy();
      else json(response, 200, aMap());
      used.add(socket);
    };
  };

  it('repeats a read that met a connection which the server had closed', async () => {
    const { client, server } = await clientOf(closesOnReuse());
    for (let i = 0; i < 4; i++) expect(await client.get(configMaps, ref)).toEqual(aMap());
    expect(server.connections()).toBe(4);
  });

  it('repeats it even when all pooled connections are stale', async () => {
    const { client } = await clientOf(closesOnReuse(), { maxSockets: 3 });
    await Promise.all(Array.from({ length: 3 }, () => client.get(configMaps, ref)));
    expect(await client.get(configMaps, ref)).toEqual(aMap());
  });

  it('does not repeat a write that may have been done', async () => {
    const { client, server } = await clientOf(closesOnReuse());
    await client.get(configMaps, ref);
    expect(await codeOf(client.patch(configMaps, ref, { kind: 'merge', body: {} }))).toBe('Connection');
    expect(server.seen.filter(({ method }) => method === 'PATCH')).toHaveLength(1);
  });

  it('does not repeat what failed on a new connection', async () => {
    const { client, server } = await clientOf((_request, response) => response.destroy());
    expect(await codeOf(client.get(configMaps, ref))).toBe('Connection');
    expect(server.seen).toHaveLength(1);
  });
});
