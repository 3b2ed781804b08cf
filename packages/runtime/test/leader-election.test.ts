import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { leases, type Lease } from '@snapshot-stack/api-types';
import {
  LeaderElection,
  ManualClock,
  createMetrics,
  leaseNameOf,
  seededRandom,
  silentLog,
  uniqueIdentity,
  type LeaderElectionOptions,
} from '@snapshot-stack/runtime';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { calmClient, type Calm } from './calm-client.ts';

let api: ApiServer;
beforeAll(async () => {
  api = await startApiServer({});
});
afterAll(() => api.stop());

interface Candidate extends Calm {
  election: LeaderElection;
  clock: ManualClock;
  leading: () => boolean;
  outcome: () => string | undefined;
  stop: () => Promise<void>;
}

let serial = 0;
const freshName = (): string => `lease-${++serial}`;

function candidate(name: string, identity: string, options: Partial<LeaderElectionOptions> = {}): Candidate {
  const clock = new ManualClock();
  const calm = calmClient(api.adminConnection, clock, identity);
  const abort = new AbortController();
  let leading = false;
  const end: { outcome?: string } = {};
  const election = new LeaderElection({
    client: calm.client,
    clock,
    random: seededRandom(1),
    log: silentLog,
    lease: { name, namespace: 'default', labels: { app: 'test' } },
    identity,
    leaseDurationMs: 15_000,
    renewDeadlineMs: 10_000,
    retryPeriodMs: 2_000,
    lead: (signal) => {
      leading = true;
      return new Promise((resolve) => signal.addEventListener('abort', () => ((leading = false), resolve()), { once: true }));
    },
    signal: abort.signal,
    ...options,
  });
  const running = election.run().then(
    (how) => (end.outcome = how),
    (error: unknown) => (end.outcome = String(error)),
  );
  const stop = async (): Promise<void> => {
    abort.abort(new Error('the end'));
    while (end.outcome === undefined) await calm.pass(100);
    await running;
    calm.client.close();
  };
  onTestFinished(stop);
  return { ...calm, election, clock, leading: () => leading, outcome: () => end.outcome, stop };
}

const leaseOf = ({ client }: Calm, name: string): Promise<Lease> => client.get(leases, { name, namespace: 'default' });

describe('a candidate', () => {
  it('takes a free lease at once and writes it as client-go does', async () => {
    const name = freshName();
    const a = candidate(name, 'a');
    await a.pass(0);
    expect(a.leading()).toBe(true);
    const { spec, metadata } = await leaseOf(a, name);
    expect(metadata.labels).toEqual({ app: 'test' });
    expect(spec).toEqual({
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      acquireTime: '2023-11-14T22:13:20.000000Z',
      renewTime: '2023-11-14T22:13:20.000000Z',
      leaseTransitions: 0,
    });
  });

  it('renews, keeping since when it leads', async () => {
    const name = freshName();
    const a = candidate(name, 'a');
    await a.pass(60_000);
    const { spec } = await leaseOf(a, name);
    expect(spec).toMatchObject({ acquireTime: '2023-11-14T22:13:20.000000Z', renewTime: '2023-11-14T22:14:20.000000Z', leaseTransitions: 0 });
    expect(a.election.health()).toBeUndefined();
  });

  it('waits while another renews, and takes over when that one is silent for the lease duration', async () => {
    const name = freshName();
    const a = candidate(name, 'a');
    await a.pass(0);
    const b = candidate(name, 'b');
    for (let i = 0; i < 30; i++) {
      await a.pass(1_000);
      await b.pass(1_000);
    }
    expect(b.leading()).toBe(false);
    await b.pass(14_000); // time stands still for a
    expect(b.leading()).toBe(false);
    await b.pass(4_000);
    expect(b.leading()).toBe(true);
    expect((await leaseOf(b, name)).spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  });

  it('judges silence by its own clock alone, however wrong the clocks are', async () => {
    const name = freshName();
    const a = candidate(name, 'a');
    await a.pass(0);
    const b = candidate(name, 'b');
    b.clock.jump(3_600_000);
    await b.pass(1_000);
    a.clock.jump(-7_200_000);
    for (let i = 0; i < 20; i++) {
      await a.pass(1_000);
      await b.pass(1_000);
      b.clock.jump(600_000);
    }
    expect([a.leading(), b.leading()]).toEqual([true, false]);
  });

  it('takes a lease that was given back at once', async () => {
    const name = freshName();
    const a = candidate(name, 'a', { releaseOnExit: true });
    await a.pass(5_000);
    await a.stop();
    expect(a.outcome()).toBe('stopped');
    const b = candidate(name, 'b');
    expect((await leaseOf(b, name)).spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 });
    await b.pass(0);
    expect(b.leading()).toBe(true);
    expect((await leaseOf(b, name)).spec?.leaseTransitions).toBe(1);
  });

  it('keeps the lease on exit unless told otherwise', async () => {
    const name = freshName();
    const a = candidate(name, 'a');
    await a.pass(0);
    await a.stop();
    expect((await leaseOf(candidate(name, 'b'), name)).spec?.holderIdentity).toBe('a');
  });

  it('ends at once when asked to while it waits', async () => {
    const name = freshName();
    await candidate(name, 'a').pass(0);
    const b = candidate(name, 'b');
    await b.pass(3_000);
    await b.stop();
    expect(b.outcome()).toBe('stopped');
  });
});

describe('a leader', () => {
  it('gives up after the renew deadline, before anybody else may take over', async () => {
    const name = freshName();
    const a = candidate(name, 'leader-cut-off');
    await a.pass(4_000);
    const restore = api.faults.inject({ client: 'leader-cut-off' }, { kind: 'fail', code: 500 }, { times: Number.POSITIVE_INFINITY });
    onTestFinished(restore);
    await a.pass(9_000);
    expect(a.leading()).toBe(true);
    await a.pass(1_250);
    expect([a.leading(), a.outcome()]).toEqual([false, 'lost']);
  });

  it('outlives failures that are shorter than the renew deadline', async () => {
    const name = freshName();
    const a = candidate(name, 'leader-disturbed');
    await a.pass(1_000);
    api.faults.inject({ client: 'leader-disturbed' }, { kind: 'drop' }, { times: 3 });
    await a.pass(30_000);
    expect(a.leading()).toBe(true);
  });

  it('goes on when the answer to its renewal was lost', async () => {
    const name = freshName();
    const a = candidate(name, 'leader-unheard');
    await a.pass(1_000);
    api.faults.inject({ client: 'leader-unheard', verb: 'update' }, { kind: 'loseAnswer' }, { times: 1 });
    await a.pass(30_000);
    expect(a.leading()).toBe(true);
  });

  it('gives up at once when another holds the lease', async () => {
    const name = freshName();
    const a = candidate(name, 'a');
    await a.pass(1_000);
    await a.client.patch(leases, { name, namespace: 'default' }, { kind: 'merge', body: { spec: { holderIdentity: 'usurper' } } });
    await a.pass(2_000);
    expect(a.outcome()).toBe('lost');
  });

  it('does not wait forever for work that does not end when leadership is lost', async () => {
    const name = freshName();
    let told = false;
    const lead = (signal: AbortSignal): Promise<void> => new Promise(() => signal.addEventListener('abort', () => (told = true)));
    const a = candidate(name, 'a', { lead });
    await a.pass(1_000);
    await a.client.patch(leases, { name, namespace: 'default' }, { kind: 'merge', body: { spec: { holderIdentity: 'usurper' } } });
    await a.pass(2_000);
    expect([told, a.outcome()]).toEqual([true, undefined]);
    await a.pass(15_000);
    expect(a.outcome()).toBe('lost');
  });

  it('renews while its work drains', async () => {
    const name = freshName();
    let end = (): void => {};
    const abort = new AbortController();
    const a = candidate(name, 'a', { lead: () => new Promise((resolve) => (end = resolve)), signal: abort.signal, releaseOnExit: true });
    await a.pass(1_000);
    abort.abort();
    await a.pass(30_000);
    expect(a.outcome()).toBeUndefined();
    expect((await leaseOf(a, name)).spec).toMatchObject({ holderIdentity: 'a', renewTime: expect.stringMatching(/^2023-11-14T22:13:5/) as string });
    end();
    await a.pass(100);
    expect(a.outcome()).toBe('stopped');
    expect((await leaseOf(a, name)).spec?.holderIdentity).toBe('');
  });

  it('hands on what its work throws, and gives the lease back first', async () => {
    const name = freshName();
    const a = candidate(name, 'a', { lead: () => Promise.reject(new Error('the work failed')), releaseOnExit: true });
    await a.pass(100);
    expect(a.outcome()).toBe('Error: the work failed');
    expect((await leaseOf(a, name)).spec?.holderIdentity).toBe('');
  });

  it('is unhealthy once its renewal is overdue by 20 s beyond the lease duration', async () => {
    const name = freshName();
    const a = candidate(name, 'a');
    await a.pass(0);
    expect(a.election.health()).toBeUndefined();
    // Only a process that stood still (its timers too) gets here: otherwise leadership was lost long before.
    const [at, stoodStill] = [a.clock.elapsed(), (ms: number) => (a.clock.elapsed = () => at + ms)];
    stoodStill(35_000);
    expect(a.election.health()).toBeUndefined();
    stoodStill(36_000);
    expect(a.election.health()).toMatch(/lease-\d+ was not renewed for 21 s beyond its duration/);
    stoodStill(0);
  });

  it('shows in the metrics who leads', async () => {
    const metrics = createMetrics();
    const name = freshName();
    const a = candidate(name, 'a', { metrics });
    expect(await metrics.text()).toContain(`leader_election_master_status{name="${name}"} 0`);
    await a.pass(0);
    expect(await metrics.text()).toContain(`leader_election_master_status{name="${name}"} 1`);
    await a.stop();
    expect(await metrics.text()).toContain(`leader_election_master_status{name="${name}"} 0`);
  });
});

describe('names', () => {
  it('differ for two candidates on one host', () => {
    const random = seededRandom(3);
    expect(uniqueIdentity('host', random)).toMatch(/^host_[0-9a-f]{16}$/);
    expect(uniqueIdentity('host', random)).not.toBe(uniqueIdentity('host', random));
  });

  it('of leases are made as upstream makes them', () => {
    expect(['a.b/c', 'driver.', 'plain'].map(leaseNameOf)).toEqual(['a-b-c', 'driver-X', 'plain']);
  });

  it('and durations that leave room for two leaders are refused', () => {
    expect(() => candidate(freshName(), 'a', { leaseDurationMs: 10_000 })).toThrow('the lease duration must be longer than the renew deadline');
    expect(() => candidate(freshName(), 'a', { retryPeriodMs: 9_000 })).toThrow('longer than 1.2 retry periods');
  });
});
