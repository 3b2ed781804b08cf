// Rotation, crashes and wrong clocks, with reviews going on all the time: none of them may fail.
import { secrets } from '@snapshot-stack/api-types';
import { isWrite, systemClock, wrapClient, type Client, type Clock } from '@snapshot-stack/runtime';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  SECRET,
  deleteSecret,
  reviewAllTheTime,
  startCertificateScene,
  text,
  waitFor,
  type CertificateScene,
  type ReplicaOptions,
} from './certificates-scene.ts';

const YEARS_MS = 365 * 86_400_000;

let scene: CertificateScene;
beforeEach(async () => void (scene = await startCertificateScene()));
afterEach(() => scene.stop());

/** A certificate is replaced about every half a second. */
const hasty: ReplicaOptions = { policy: { validMs: 8_000, renewBeforeMs: 7_400, settleMs: 50, lookMs: 250 } };
const loggedTimes = (message: string): number => scene.lines.filter((line) => line.startsWith(message)).length;
const promotions = (): number => loggedTimes('put the next certificate into use');

function shifted(byMs: number): Clock {
  return { ...systemClock, now: () => systemClock.now() + byMs };
}

/** Lets `writes` writes pass and then nothing at all, as when the process is killed. */
function dyingAfter(writes: number): { wrap: (client: Client) => Client; isDead: () => boolean } {
  let left = writes;
  let isDead = false;
  const before = (call: Parameters<typeof isWrite>[0]): Promise<void> | void => {
    if (isWrite(call) && left-- <= 0) isDead = true;
    return isDead ? Promise.reject(new Error('the process was killed')) : undefined;
  };
  return { wrap: (client) => wrapClient(client, { before }), isDead: () => isDead };
}

describe('a rotation', () => {
  it('fails no review, however many replicas serve', async () => {
    await scene.ready(scene.start(hasty), scene.start(hasty), scene.start(hasty));
    const end = reviewAllTheTime(scene);
    await waitFor(() => promotions() >= 4, 20_000);
    const { reviews, failures } = await end();
    expect(failures).toEqual([]);
    expect(reviews).toBeGreaterThan(100);
    expect(text(await scene.secret(), 'ca.crt').split('BEGIN').length - 1).toBeLessThanOrEqual(3);
  }, 30_000);

  it('is gone through by one replica after the other as they are rolled out anew', async () => {
    const first = [scene.start(hasty), scene.start(hasty)];
    await scene.ready(...first);
    const end = reviewAllTheTime(scene);
    for (const old of first) {
      const before = promotions();
      await waitFor(() => promotions() > before, 10_000);
      await scene.ready(scene.start(hasty));
      await old.stop();
    }
    // The API server may meet a replica at the moment it closes; that is the drain's matter, which is none here.
    const { failures } = await end();
    expect(failures.filter((why) => /certificate|self-signed|issuer|signature/.test(why))).toEqual([]);
  }, 30_000);

  it('is finished by others when a replica dies at any of its writes', async () => {
    let writes = 0;
    for (; ; writes++) {
      const dying = dyingAfter(writes);
      const before = promotions();
      const replica = scene.start({ ...hasty, wrap: dying.wrap });
      await waitFor(() => dying.isDead() || promotions() >= before + 2, 20_000);
      await replica.stop();
      const heir = scene.start(hasty);
      await scene.ready(heir);
      await scene.review();
      const seen = promotions();
      await waitFor(() => promotions() > seen, 10_000);
      await scene.review();
      await heir.stop();
      if (!dying.isDead() || writes >= 8) break;
    }
    expect(writes).toBeGreaterThan(3);
  }, 60_000);

  it('goes on while somebody resets the caBundle again and again', async () => {
    await scene.ready(scene.start(hasty), scene.start(hasty));
    for (let i = 0; i < 8; i++) {
      const before = promotions();
      await scene.setBundle('');
      await waitFor(async () => (await scene.bundles())[0] !== '');
      await waitFor(() =>
        scene.review().then(
          () => true,
          () => false,
        ),
      );
      if (i % 4 === 3) await waitFor(() => promotions() > before, 10_000);
    }
  }, 30_000);

  it('is counted, and the expiry is told', async () => {
    const replica = scene.start(hasty);
    await scene.ready(replica);
    await waitFor(() => promotions() > 0, 10_000);
    const metrics = await replica.metrics.text();
    expect(metrics).toMatch(/snapshot_webhook_certificate_rotations_total\{step="promoted"\} [1-9]/);
    const expiry = Number(/certificate_expiry_timestamp_seconds (\d+)/.exec(metrics)?.[1]) * 1_000;
    expect(expiry).toBeGreaterThan(Date.now() - 1_000);
    expect(expiry).toBeLessThan(Date.now() + 10_000);
  }, 20_000);
});

describe('a clock', () => {
  it.each([
    ['ten years ahead', 10],
    ['ten years behind', -10],
    ['at the epoch', -56],
  ])('that is %s makes certificates that API servers accept, and leaves those of others alone', async (_what, years) => {
    const wrong = scene.start({ clock: shifted(years * YEARS_MS) });
    await scene.ready(wrong);
    await scene.review();
    const before = text(await scene.secret(), 'tls.crt');
    await scene.ready(scene.start());
    await wrong.stop();
    const again = scene.start({ clock: shifted(-years * YEARS_MS) });
    await scene.ready(again);
    for (let i = 0; i < 4; i++) await scene.review();
    expect(text(await scene.secret(), 'tls.crt')).toBe(before);
    expect(loggedTimes('prepared the next certificate')).toBe(0);
  });

  it('that jumps while certificates are renewed fails no review', async () => {
    let aheadMs = 0;
    const jumping: Clock = { ...systemClock, now: () => systemClock.now() + aheadMs };
    // Without word from an API server: the worst case, in which our own clock is all there is.
    const time = { now: () => jumping.now(), refresh: () => Promise.resolve() };
    const policy = { settleMs: 100, lookMs: 100 };
    await scene.ready(scene.start({ policy, clock: jumping, time }), scene.start({ policy }));
    const end = reviewAllTheTime(scene);
    for (const years of [10, -10, 30, 0]) {
      aheadMs = years * YEARS_MS;
      const before = promotions();
      await waitFor(() => promotions() > before || years <= 0, 5_000);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect((await end()).failures).toEqual([]);
  }, 30_000);
});

it('recovers a Secret that is deleted and damaged in the middle of rotations', async () => {
  await scene.ready(scene.start(hasty), scene.start(hasty));
  const end = reviewAllTheTime(scene);
  for (let i = 0; i < 3; i++) {
    await deleteSecret(scene.client);
    const before = promotions();
    await waitFor(() => promotions() > before, 10_000);
    await scene.client.patch(secrets, SECRET, { kind: 'merge', body: { data: { 'tls.key': '' } } });
    await waitFor(() => promotions() > before + 1, 10_000);
  }
  expect((await end()).failures).toEqual([]);
}, 40_000);

it('writes no private key into any log, in debug detail, whatever happens', async () => {
  await scene.ready(scene.start(hasty), scene.start(hasty));
  const keys: string[] = [];
  const remember = async (): Promise<void> => {
    const secret = await scene.secret();
    for (const name of ['tls.key', 'next.key']) {
      const body = text(secret, name).split('\n')[1];
      if (body !== undefined) keys.push(body, (secret?.data?.[name] ?? '').slice(40, 100));
    }
  };
  scene.api.faults.inject({ resource: 'secrets', verb: 'update' }, { kind: 'fail', code: 500, message: 'etcd is away' }, { times: 2 });
  for (let i = 0; i < 10; i++) {
    await remember();
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  const data = { 'tls.key': Buffer.from('-----BEGIN PRIVATE KEY-----\nbm8ga2V5IGF0IGFsbA==\n-----END PRIVATE KEY-----\n').toString('base64') };
  await scene.client.patch(secrets, SECRET, { kind: 'merge', body: { data } });
  await waitFor(() => loggedTimes('the Secret was damaged') > 0);
  expect(keys.length).toBeGreaterThan(2);
  expect(scene.lines.filter((line) => keys.some((key) => line.includes(key)) || line.includes('PRIVATE KEY') || line.includes('bm8ga2V5'))).toEqual([]);
}, 20_000);
