// The HTTPS server: what it takes, what it refuses and in which words, and what it does with clients that waste its time.
import { Agent } from 'node:https';
import { connect as connectTcp } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { get, openSocket, send, untilClosed } from './support/https.ts';
import { aReview, aSnapshot } from './support/reviews.ts';
import { startScene, waitFor, type Scene } from './support/scene.ts';

let scene: Scene;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  scene = await startScene({ unregistered: true });
});
afterEach(() => {
  for (const close of closing.splice(0)) close();
});
afterAll(() => scene.stop());

describe('a review', () => {
  it.each(['/validate', '/validate/', '/validate?timeout=10s', '/volumesnapshot', '/volumegroupsnapshot'])('is judged at %s', async (path) => {
    const { status, json } = await send(scene, { path, body: aReview(aSnapshot()) });
    expect([status, json.kind, json.response]).toEqual([200, 'AdmissionReview', { uid: 'u-1', allowed: true }]);
    const denied = await send(scene, { path, body: aReview(aSnapshot('s', {})) });
    expect([denied.json.response.allowed, denied.json.response.status.code]).toEqual([false, 422]);
  });

  it('of 3 MiB is judged, and larger ones up to the limit', async () => {
    const large = aSnapshot();
    large.metadata.annotations = { filler: 'x'.repeat(3 * 2 ** 20) };
    expect((await send(scene, { body: aReview(large) })).json.response.allowed).toBe(true);
    const changed = { ...large, spec: { source: { persistentVolumeClaimName: 'other' } } };
    const { json } = await send(scene, { body: aReview(changed, large) });
    expect(json.response.status.message).toContain('persistentVolumeClaimName is immutable');
  });

  it('beyond the limit is refused with what helps', async () => {
    const { status, json } = await send(scene, { body: `{"filler":"${'x'.repeat(9 * 2 ** 20)}"}` }).catch(() =>
      send(scene, { body: '', headers: { 'Content-Length': String(9 * 2 ** 20) } }),
    );
    expect([status, json.message]).toEqual([413, 'the body is larger than 8388608 bytes; raise --max-body-bytes if such reviews are to be judged']);
  });

  it.each([
    ['no JSON', '{', 'the body is no JSON'],
    ['nothing', '', 'the body is no'],
    ['a list', '[]', 'the body is no JSON object'],
    ['an old version', JSON.stringify({ ...aReview(aSnapshot()), apiVersion: 'admission.k8s.io/v1beta1' }), 'admissionReviewVersions'],
    ['a depth that no object has', `${'['.repeat(200_000)}${']'.repeat(200_000)}`, 'the body is no JSON object'],
  ])('of %s is refused by a Status of 400', async (_name, body, message) => {
    for (const path of ['/validate', '/convert']) {
      const { status, json } = await send(scene, { path, body });
      expect([status, json.kind, json.reason, json.code]).toEqual([400, 'Status', 'BadRequest', 400]);
      if (path === '/validate') expect(json.message).toContain(message);
    }
  });

  it('of depths that exhaust the stack is refused, and the next one judged', async () => {
    const deep = `{"apiVersion":"snapshot.storage.k8s.io/v1","kind":"VolumeSnapshot","metadata":{"name":"s"},"spec":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`;
    const request = `"uid":"u","kind":{"group":"snapshot.storage.k8s.io","version":"v1","kind":"VolumeSnapshot"},"operation":"UPDATE","object":${deep},"oldObject":${deep}`;
    const { status } = await send(scene, { body: `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{${request}}}` });
    expect(status).toBe(500);
    expect((await send(scene, { body: aReview(aSnapshot()) })).status).toBe(200);
  });

  it('may say its character set', async () => {
    const headers = { 'Content-Type': 'application/json; charset=utf-8' };
    expect((await send(scene, { body: aReview(aSnapshot('schnappschuß')), headers })).json.response.allowed).toBe(true);
  });

  it('in another type than JSON is refused', async () => {
    const { status, json } = await send(scene, { body: 'kind: AdmissionReview', headers: { 'Content-Type': 'application/yaml' } });
    expect([status, json.message]).toEqual([415, 'only Content-Type application/json is understood']);
  });

  it('is told where to go when it comes to the wrong path, or by the wrong method', async () => {
    const lost = await send(scene, { path: '/mutate', body: {} });
    expect([lost.status, lost.json.message]).toEqual([
      404,
      expect.stringContaining('there are /validate, /volumesnapshot, /volumegroupsnapshot, /convert, /healthz'),
    ]);
    const got = await get(scene, '/validate');
    expect([got.status, got.json.message]).toEqual([405, '/validate takes POST with a review']);
  });
});

describe('the pages', () => {
  it('say health, readiness and metrics', async () => {
    expect((await get(scene, '/healthz')).text).toBe('ok');
    expect(await get(scene, '/readyz')).toMatchObject({ status: 200, text: 'ok' });
    await send(scene, { body: aReview(aSnapshot('s', {})) });
    const { text } = await get(scene, '/metrics');
    expect(text).toMatch(/snapshot_webhook_review_seconds_count\{kind="VolumeSnapshot",operation="CREATE",verdict="denied"\} \d/);
    expect(text).toMatch(/snapshot_webhook_findings_total\{rule="exactly-one",finding="denial"\} \d/);
    expect(text).toMatch(/snapshot_webhook_refused_requests_total\{code="400"\} \d/);
    expect(text).toContain('snapshot_webhook_cache_synced{resource="volumesnapshots"} 1');
    expect(text).toContain('snapshot_webhook_cache_stale_seconds{resource="volumesnapshots"} 0');
  });
});

describe('TLS', () => {
  it('is of version 1.3 and no older, and speaks HTTP/1.1', async () => {
    await expect(openSocket(scene, { maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version|handshake/);
    const socket = await openSocket(scene, { ALPNProtocols: ['h2', 'http/1.1'] });
    closing.push(() => socket.destroy());
    expect([socket.getProtocol(), socket.alpnProtocol]).toEqual(['TLSv1.3', 'http/1.1']);
  });

  it('takes a new certificate for new connections, and leaves open ones alone', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: scene.authority.ca });
    closing.push(() => agent.destroy());
    await send(scene, { body: aReview(aSnapshot()), agent });
    const before = await openSocket(scene);
    const next = await scene.authority.issue();
    scene.certificates.change(next);
    const after = await openSocket(scene);
    closing.push(
      () => before.destroy(),
      () => after.destroy(),
    );
    expect(after.getPeerX509Certificate()?.toString()).toBe(next.cert.endsWith('\n') ? next.cert : `${next.cert}\n`);
    expect(after.getPeerX509Certificate()?.serialNumber).not.toBe(before.getPeerX509Certificate()?.serialNumber);
    await expect(openSocket(scene, { maxVersion: 'TLSv1.2' })).rejects.toThrow(/protocol version|handshake/);
    expect((await send(scene, { body: aReview(aSnapshot()), agent })).status).toBe(200);
  });
});

describe('under load', () => {
  it('1,000 reviews at the same time all get their own answer', { timeout: 60_000 }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1_000, ca: scene.authority.ca });
    closing.push(() => agent.destroy());
    const answers = await Promise.all(
      Array.from({ length: 1_000 }, (_, index) =>
        send(scene, { body: aReview(aSnapshot('s', index % 2 === 0 ? {} : undefined), undefined, `u-${index}`), agent }),
      ),
    );
    answers.forEach(({ status, json }, index) => {
      expect([status, json.response.uid, json.response.allowed]).toEqual([200, `u-${index}`, index % 2 === 1]);
    });
  });

  it('64 reviews of 3 MiB at the same time are read by turns', { timeout: 60_000 }, async () => {
    const large = aSnapshot();
    large.metadata.annotations = { filler: 'x'.repeat(3 * 2 ** 20) };
    const body = JSON.stringify(aReview(large));
    const agent = new Agent({ keepAlive: true, maxSockets: 64, ca: scene.authority.ca });
    closing.push(() => agent.destroy());
    const answers = await Promise.all(Array.from({ length: 64 }, () => send(scene, { body, agent })));
    expect(answers.map(({ json }) => json.response.allowed)).toEqual(answers.map(() => true));
  });
});

describe('a client that wastes time', () => {
  let strict: Scene;
  beforeAll(async () => {
    const limits = { handshakeTimeoutMs: 300, headersTimeoutMs: 300, requestTimeoutMs: 600, maxConnections: 4, bodiesBytes: 2 ** 20 };
    strict = await startScene({ unregistered: true, webhook: { limits } });
  });
  afterAll(() => strict.stop());

  it('in the handshake is cut', async () => {
    const socket = connectTcp({ host: '127.0.0.1', port: strict.port });
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('close', resolve));
  });

  it('before its first byte is cut', async () => {
    expect((await untilClosed(await openSocket(strict))).ms).toBeLessThan(5_000);
  });

  it('in the headers is told 408 and cut', async () => {
    const socket = await openSocket(strict);
    socket.write('POST /validate HTTP/1.1\r\nHost: x\r\nX-Slow: ');
    const drip = setInterval(() => socket.write('z'), 50);
    closing.push(() => clearInterval(drip));
    const { text, ms } = await untilClosed(socket);
    expect(text).toContain('408 Request Timeout');
    expect(ms).toBeLessThan(5_000);
  });

  it('in the body is told 408 and cut, and gives back the memory it held', async () => {
    const sockets = await Promise.all([openSocket(strict), openSocket(strict)]);
    for (const socket of sockets) socket.write(`POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${2 ** 20}\r\n\r\n{`);
    const ends = await Promise.all(sockets.map(untilClosed));
    for (const { text } of ends) expect(text).toContain('408 Request Timeout');
    const large = aSnapshot();
    large.metadata.annotations = { filler: 'x'.repeat(2 ** 19) };
    expect((await send(strict, { body: aReview(large) })).status).toBe(200);
  });

  it('with too many connections gets no more of them', async () => {
    const held = await Promise.all([1, 2, 3, 4].map(() => openSocket(strict)));
    await expect(openSocket(strict)).rejects.toThrow(/ECONNRESET|disconnected|socket hang up/);
    for (const socket of held) socket.destroy();
    await waitFor(async () => (await strict.metrics.text()).includes('snapshot_webhook_connections 0'));
    expect(await strict.metrics.text()).toMatch(/snapshot_webhook_dropped_connections_total [1-9]/);
    expect((await send(strict, { body: aReview(aSnapshot()) })).status).toBe(200);
  });

  it('and no HTTP at all is told 400', async () => {
    const socket = await openSocket(strict);
    socket.write('hello\r\n\r\n');
    expect((await untilClosed(socket)).text).toContain('400 Bad Request');
  });
});
