// What nobody should send: each gets a Status, and the server goes on.
import { once } from 'node:events';
import { connect } from 'node:tls';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { callerOf, type Caller } from './caller.ts';

const MAPS = '/api/v1/namespaces/default/configmaps';

let api: ApiServer;
let call: Caller;
let closeCaller: () => void;

beforeAll(async () => {
  api = await startApiServer();
  ({ call, close: closeCaller } = callerOf(api));
});
afterEach(async () => expect((await call('GET', '/readyz')).body).toBe('ok'));
afterAll(async () => {
  closeCaller();
  await api.stop();
});

/** What the server says to bytes that no HTTP client would send. */
async function raw(text: string): Promise<string> {
  const { ca, cert, key } = api.adminConnection.tls;
  const socket = connect({ host: '127.0.0.1', port: Number(new URL(api.url).port), ca, cert, key, servername: 'localhost' });
  await once(socket, 'secureConnect');
  let answer = '';
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
  socket.on('error', () => {});
  const closed = once(socket, 'close');
  socket.write(text);
  await closed;
  return answer;
}

const request = (line: string, ...headers: string[]): string => [line, 'Host: localhost', 'Connection: close', ...headers, '', ''].join('\r\n');

describe('bad input', () => {
  it.each(['{', 'null', '[]', '"text"', '{"apiVersion":', '\u0000', '{"metadata":{"name":"a"}'])('is refused as a body: %j', async (body) => {
    const answer = await call('POST', MAPS, { body });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ kind: 'Status', status: 'Failure', reason: 'BadRequest' });
  });

  it('is refused when it is larger than 3 MiB, told or untold', async () => {
    const body = JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'big' }, data: { big: 'x'.repeat(4 * 2 ** 20) } });
    expect(await call('POST', MAPS, { body })).toMatchObject({ status: 413, body: { reason: 'RequestEntityTooLarge' } });
    const chunked = await raw(
      `${request(`POST ${MAPS} HTTP/1.1`, 'Transfer-Encoding: chunked', 'Content-Type: application/json')}400000\r\n${'x'.repeat(0x40_0000)}\r\n0\r\n\r\n`,
    );
    expect(chunked).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('does not reach prototypes', async () => {
    const polluted =
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"proto","labels":{"__proto__":"x"}},"__proto__":{"polluted":"yes"},"constructor":{"prototype":{"polluted":"yes"}}}';
    expect((await call('POST', MAPS, { body: polluted })).status).toBeLessThan(500);
    const patch = '{"metadata":{"__proto__":{"polluted":"yes"}},"__proto__":{"polluted":"yes"}}';
    expect((await call('PATCH', `${MAPS}/proto`, { body: patch, contentType: 'application/merge-patch+json' })).status).toBeLessThan(500);
    const steps = '[{"op":"add","path":"/__proto__/polluted","value":"yes"},{"op":"add","path":"/constructor/prototype/polluted","value":"yes"}]';
    expect((await call('PATCH', `${MAPS}/proto`, { body: steps, contentType: 'application/json-patch+json' })).status).toBeLessThan(500);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it.each([
    '/api/v1/namespaces/default/configmaps/..%2f..%2fsecrets',
    '/api/v1/../../etc/passwd',
    '/api/v1/namespaces/%00/configmaps/a',
    '/api/v1/namespaces/default/configmaps/%ff',
    '//api//v1',
    '/api/v1/namespaces/default/configmaps/a/b/c/d/e',
  ])('is no way out of a path: %s', async (path) => {
    const answer = await raw(request(`GET ${path} HTTP/1.1`));
    expect(answer).toMatch(/^HTTP\/1\.1 [1-4]\d\d /);
  });

  it('that is no HTTP gets a Status and its connection closed', async () => {
    expect(await raw(request('BREW /coffee HTTP/1.1'))).toMatch(/^HTTP\/1\.1 405 [\s\S]*"reason":"MethodNotAllowed"/);
    expect(await raw('once upon a time\r\n\r\n')).toMatch(/^HTTP\/1\.1 40[05] [\s\S]*"kind":"Status"/);
    expect(await raw(request('GET / HTTP/1.1', `X-Long: ${'y'.repeat(66_000)}`))).toMatch(/^HTTP\/1\.1 431 /);
  });

  it('as deep as a well is refused, not followed', async () => {
    const deep = `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"deep"},"data":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`;
    const { status } = await call('POST', MAPS, { body: deep });
    expect(status).toBeGreaterThanOrEqual(400);
  });

  it('cannot make a list or a watch that never ends from bad numbers', async () => {
    for (const query of ['limit=x', 'resourceVersion=-1', 'continue=garbage', 'labelSelector=(((', 'fieldSelector=a'])
      expect((await call('GET', `${MAPS}?${query}`)).status).toBe(400);
    expect((await call('GET', `${MAPS}?watch=1&timeoutSeconds=0.01&resourceVersion=0`)).status).toBeLessThan(500);
  });
});
