// Leader election on a Lease, as client-go does it, so that our replicas and upstream's respect each other.
// A holder counts as dead when its Lease has not changed for the Lease's duration by our own clock: clocks of
// different machines are never compared.
// Source: https://kubernetes.io/docs/concepts/architecture/leases/
import { leases, type Lease } from '@snapshot-stack/api-types';
import type { Client } from '../client/client.ts';
import { KubeError } from '../client/kube-error.ts';
import type { Clock, GaugeMetric, Log, Metrics, Random } from '../process/index.ts';

export interface LeaderElectionOptions {
  client: Client;
  clock: Clock;
  random: Random;
  log: Log;
  lease: { name: string; namespace: string; labels?: Readonly<Record<string, string>> };
  /** Unique among all candidates; see {@link uniqueIdentity}. */
  identity: string;
  leaseDurationMs: number;
  renewDeadlineMs: number;
  retryPeriodMs: number;
  /** Give the Lease back on the way out, so that the next leader need not wait for it to expire. */
  releaseOnExit?: boolean;
  /** The work of a leader; its signal aborts when leadership is lost or the process ends. */
  lead(signal: AbortSignal): Promise<void>;
  signal: AbortSignal;
  /** Gets `leader_election_master_status`, as client-go's. */
  metrics?: Metrics;
}

const JITTER = 0.2;
const RELEASE_WITHIN_MS = 5_000;
// Source: snapshot-behaviour of upstream's /healthz/leader-election: 20 s beyond the lease duration.
const HEALTH_GRACE_MS = 20_000;

/** Kubernetes MicroTime: RFC 3339 with six decimals. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}

/** A host's name is not enough: two replicas that share it would both lead. */
export function uniqueIdentity(hostname: string, random: Random): string {
  const suffix = Array.from({ length: 4 }, () =>
    Math.floor(random() * 0x10000)
      .toString(16)
      .padStart(4, '0'),
  ).join('');
  return `${hostname}_${suffix}`;
}

/** A Lease's name from a driver's or component's: `a.b/c` → `a-b-c`; a trailing `-` gets an `X`. */
export function leaseNameOf(text: string): string {
  const name = text.replaceAll(/[^a-zA-Z0-9-]/g, '-');
  return name.endsWith('-') ? `${name}X` : name;
}

/** Why the signal of a leader's work aborts when it is a leader no more. */
class LeadershipLost extends Error {
  override readonly name = 'LeadershipLost';
}

/** After a try: we hold the Lease, another does, or it could not be told. */
type Standing = 'mine' | 'taken' | 'unknown';

export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  readonly #status: GaugeMetric<'name'> | undefined;
  /** The Lease as it was last seen to change, and when that was by {@link Clock.elapsed}. */
  #observed: Lease | undefined;
  #observedAt = 0;
  #leading = false;
  #renewedAt = 0;

  /** @throws RangeError when the three durations do not leave room for each other */
  constructor(options: LeaderElectionOptions) {
    const { leaseDurationMs, renewDeadlineMs, retryPeriodMs } = options;
    if (leaseDurationMs <= renewDeadlineMs) throw new RangeError('the lease duration must be longer than the renew deadline: otherwise two could lead at once');
    if (renewDeadlineMs <= retryPeriodMs * (1 + JITTER)) throw new RangeError(`the renew deadline must be longer than ${1 + JITTER} retry periods`);
    this.#options = options;
    this.#status = options.metrics?.gauge({
      name: 'leader_election_master_status',
      help: "Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates master. 'name' is the string used to identify the lease",
      labels: ['name'],
    });
    this.#setLeading(false);
  }

  get isLeader(): boolean {
    return this.#leading;
  }

  /** The answer of /healthz/leader-election: undefined is healthy, a text says how late the renewal is. */
  health(): string | undefined {
    if (!this.#leading) return undefined;
    const late = this.#options.clock.elapsed() - this.#renewedAt - this.#options.leaseDurationMs;
    return late > HEALTH_GRACE_MS ? `the lease ${this.#options.lease.name} was not renewed for ${Math.round(late / 1_000)} s beyond its duration` : undefined;
  }

  /**
   * Waits to become leader, leads, and resolves with `lost` when leadership was lost (the caller should exit),
   * or with `stopped` when the signal aborted. What `lead` throws is thrown, after the Lease was given back.
   */
  async run(): Promise<'lost' | 'stopped'> {
    const { signal, clock, log, lease, identity, renewDeadlineMs, retryPeriodMs, random } = this.#options;
    try {
      while ((await this.#try(renewDeadlineMs, signal)) !== 'mine') await clock.sleep(retryPeriodMs * (1 + JITTER * random()), signal);
    } catch (error) {
      if (signal.aborted) return 'stopped';
      throw error;
    }
    log.info('became leader', { lease: lease.name, identity });
    return this.#lead();
  }

  async #lead(): Promise<'lost' | 'stopped'> {
    const { signal, releaseOnExit = false, lead, log, clock, leaseDurationMs } = this.#options;
    this.#setLeading(true);
    const work = new AbortController();
    const renewing = new AbortController();
    const led = lead(AbortSignal.any([signal, work.signal]));
    // Renewal goes on while the work drains, so that nobody else starts before we have ended.
    const renewal = this.#renewUntilLost(renewing.signal);
    const first = await Promise.race([led.then(noted, noted), renewal]);
    this.#setLeading(false);
    if (first === 'lost') {
      work.abort(new LeadershipLost('leadership was lost'));
      // Whoever does not end in time must be ended by the caller: from then on another may lead.
      const left = Math.max(0, this.#renewedAt + leaseDurationMs - clock.elapsed());
      const drained = new AbortController();
      await Promise.race([led.then(noted, noted), clock.sleep(left, drained.signal).catch(noted)]);
      drained.abort();
      return 'lost';
    }
    renewing.abort();
    await renewal;
    if (releaseOnExit) await this.#release().catch((error: unknown) => log.warn('the lease could not be given back; others wait for it to expire', { error }));
    await led.catch((error: unknown) => {
      if (error !== signal.reason) throw error;
    });
    return 'stopped';
  }

  async #renewUntilLost(signal: AbortSignal): Promise<'lost' | 'ended'> {
    const { clock, log, lease, renewDeadlineMs, retryPeriodMs } = this.#options;
    for (;;) {
      await clock.sleep(retryPeriodMs, signal).catch(noted);
      if (signal.aborted) return 'ended';
      const left = this.#renewedAt + renewDeadlineMs - clock.elapsed();
      const standing = left <= 0 ? 'unknown' : await this.#try(left, signal);
      if (signal.aborted) return 'ended';
      if (standing === 'mine') continue;
      if (standing === 'unknown' && clock.elapsed() < this.#renewedAt + renewDeadlineMs) continue;
      const why = standing === 'taken' ? `${this.#observed?.spec?.holderIdentity} has taken the lease` : 'the lease could not be renewed in time';
      log.error(`${why}; giving up leadership`, { lease: lease.name });
      return 'lost';
    }
  }

  /** Takes or renews the Lease where that is possible now, within `withinMs`. Failures are logged. */
  async #try(withinMs: number, signal: AbortSignal): Promise<Standing> {
    const { clock, lease, log } = this.#options;
    const late = new AbortController();
    const timer = clock.setTimer(withinMs, () => late.abort(new KubeError('Timeout', `no answer within ${Math.round(withinMs)} ms`)));
    try {
      return await this.#takeOrRenew(AbortSignal.any([signal, late.signal]));
    } catch (error) {
      const { code } = KubeError.from(error);
      if (!signal.aborted && code !== 'Conflict' && code !== 'AlreadyExists') log.warn('the lease could not be read or written', { lease: lease.name, error });
      return 'unknown';
    } finally {
      timer.cancel();
    }
  }

  async #takeOrRenew(signal: AbortSignal): Promise<Standing> {
    const { client, clock, lease, identity, leaseDurationMs } = this.#options;
    const current = await client.find(leases, lease, { signal });
    // Taken before the write, so that our own count of the lease never runs longer than that of others.
    const at = clock.elapsed();
    if (current === undefined) {
      this.#renewed(await client.create(leases, this.#fresh(clock.now()), { signal }), at);
      return 'mine';
    }
    if (this.#observed?.metadata.resourceVersion !== current.metadata.resourceVersion) {
      this.#observed = current;
      this.#observedAt = at;
    }
    const holder = current.spec?.holderIdentity ?? '';
    const durationMs = (current.spec?.leaseDurationSeconds ?? leaseDurationMs / 1_000) * 1_000;
    const mine = holder === identity;
    if (!mine && holder !== '' && at < this.#observedAt + durationMs) return 'taken';
    this.#renewed(await client.replace(leases, this.#next(current, mine, clock.now()), { signal }), at);
    return 'mine';
  }

  #renewed(lease: Lease, at: number): void {
    this.#observed = lease;
    this.#observedAt = at;
    this.#renewedAt = at;
  }

  #setLeading(leading: boolean): void {
    this.#leading = leading;
    this.#status?.set({ name: this.#options.lease.name }, leading ? 1 : 0);
  }

  #fresh(now: number): Lease {
    const { lease, identity, leaseDurationMs } = this.#options;
    const time = microTime(now);
    return {
      metadata: { name: lease.name, namespace: lease.namespace, ...(lease.labels === undefined ? {} : { labels: { ...lease.labels } }) },
      spec: { holderIdentity: identity, leaseDurationSeconds: Math.ceil(leaseDurationMs / 1_000), acquireTime: time, renewTime: time, leaseTransitions: 0 },
    };
  }

  #next(current: Lease, mine: boolean, now: number): Lease {
    const { lease, identity, leaseDurationMs } = this.#options;
    const time = microTime(now);
    return {
      ...current,
      metadata: { ...current.metadata, ...(lease.labels === undefined ? {} : { labels: { ...current.metadata.labels, ...lease.labels } }) },
      spec: {
        ...current.spec,
        holderIdentity: identity,
        leaseDurationSeconds: Math.ceil(leaseDurationMs / 1_000),
        renewTime: time,
        ...(mine ? {} : { acquireTime: time, leaseTransitions: (current.spec?.leaseTransitions ?? 0) + 1 }),
      },
    };
  }

  async #release(): Promise<void> {
    const { client, clock, lease, identity } = this.#options;
    const late = new AbortController();
    const timer = clock.setTimer(RELEASE_WITHIN_MS, () => late.abort(new KubeError('Timeout', `no answer within ${RELEASE_WITHIN_MS} ms`)));
    try {
      const current = await client.find(leases, lease, { signal: late.signal });
      if (current?.spec?.holderIdentity !== identity) return;
      const time = microTime(clock.now());
      const spec = { ...current.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: time, acquireTime: time };
      await client.replace(leases, { ...current, spec }, { signal: late.signal });
    } finally {
      timer.cancel();
    }
  }
}

const noted = (): void => {};
