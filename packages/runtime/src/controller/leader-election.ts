// Leader election on a Lease, as client-go does it, so that our replicas and upstream's respect each other.
// A holder counts as dead when its Lease has not changed for the Lease's duration by our own clock: clocks of
// different machines are never compared.
// Source: https://kubernetes.io/docs/concepts/architecture/leases/
import { leases, type Lease } from '@snapshot-stack/api-types';
import type { Client } from '../client/client.ts';
import { KubeError } from '../client/kube-error.ts';
import type { Clock, Log, Random } from '../process/index.ts';

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
}

const JITTER = 0.2;
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

export class LeaderElection {
  readonly #options: LeaderElectionOptions;
  #observed: Lease | undefined;
  #observedAt = 0;
  #leading = false;
  #renewedAt = 0;

  constructor(options: LeaderElectionOptions) {
    this.#options = options;
  }

  get isLeader(): boolean {
    return this.#leading;
  }

  /** The answer of /healthz/leader-election: undefined is healthy, a text says how late the renewal is. */
  health(): string | undefined {
    if (!this.#leading) return undefined;
    const late = this.#options.clock.now() - this.#renewedAt - this.#options.leaseDurationMs;
    return late > HEALTH_GRACE_MS ? `the lease ${this.#options.lease.name} was not renewed for ${Math.round(late / 1_000)} s beyond its duration` : undefined;
  }

  /**
   * Waits to become leader, leads, and resolves with `lost` when leadership was lost (the caller should exit),
   * or with `stopped` when the signal aborted.
   */
  async run(): Promise<'lost' | 'stopped'> {
    const { signal, clock, log, lease, identity, retryPeriodMs, random } = this.#options;
    try {
      while (!(await this.#tryAcquire())) await clock.sleep(retryPeriodMs * (1 + JITTER * random()), signal);
    } catch (error) {
      if (signal.aborted) return 'stopped';
      throw error;
    }
    log.info('became leader', { lease: lease.name, identity });
    return this.#lead();
  }

  async #lead(): Promise<'lost' | 'stopped'> {
    const { signal, releaseOnExit = false, lead, log } = this.#options;
    this.#leading = true;
    const work = new AbortController();
    const combined = AbortSignal.any([signal, work.signal]);
    const led = lead(combined);
    // Renewal goes on while the work drains, so that nobody else starts before we have ended.
    const renewal = this.#renewUntilLost(AbortSignal.any([work.signal]));
    const first = await Promise.race([led.then(() => 'ended' as const), renewal.then(() => 'lost' as const)]);
    const lost = first === 'lost';
    work.abort(new KubeError('Timeout', 'leadership was lost'));
    await Promise.allSettled([led, renewal]);
    this.#leading = false;
    if (!lost && releaseOnExit)
      await this.#release().catch((error: unknown) => log.warn('the lease could not be given back; others wait for it to expire', { error }));
    if (lost) return 'lost';
    await led;
    return 'stopped';
  }

  async #renewUntilLost(signal: AbortSignal): Promise<void> {
    const { clock, log, renewDeadlineMs, retryPeriodMs } = this.#options;
    while (!signal.aborted) {
      const ok = await this.#tryAcquire();
      const now = clock.now();
      if (!ok && now - this.#renewedAt >= renewDeadlineMs) {
        log.error('the lease could not be renewed in time; giving up leadership', { lease: this.#options.lease.name });
        return;
      }
      await clock.sleep(retryPeriodMs, signal).catch(() => {});
    }
  }

  /** Takes or renews the Lease where that is possible now. Failures are logged and mean "not now". */
  async #tryAcquire(): Promise<boolean> {
    const { client, clock, lease, log, leaseDurationMs, renewDeadlineMs } = this.#options;
    const timeout = AbortSignal.timeout(renewDeadlineMs);
    try {
      const current = await client.find(leases, lease, { signal: timeout });
      const now = clock.now();
      if (current === undefined) {
        this.#observe(await client.create(leases, this.#fresh(now), { signal: timeout }), now);
        return true;
      }
      if (this.#observed?.metadata.resourceVersion !== current.metadata.resourceVersion) this.#observe(current, now, false);
      const holder = current.spec?.holderIdentity ?? '';
      const mine = holder === this.#options.identity;
      const duration = (current.spec?.leaseDurationSeconds ?? leaseDurationMs / 1_000) * 1_000;
      if (!mine && holder !== '' && now < this.#observedAt + duration) return false;
      this.#observe(await client.replace(leases, this.#renewed(current, mine, now), { signal: timeout }), now);
      return true;
    } catch (error) {
      const { code } = KubeError.from(error);
      if (code !== 'Conflict' && code !== 'AlreadyExists') log.warn('the lease could not be read or written', { lease: lease.name, error });
      return false;
    }
  }

  #observe(lease: Lease, now: number, mine = true): void {
    this.#observed = lease;
    this.#observedAt = now;
    if (mine) this.#renewedAt = now;
  }

  #fresh(now: number): Lease {
    const { lease, identity, leaseDurationMs } = this.#options;
    const time = microTime(now);
    return {
      metadata: { name: lease.name, namespace: lease.namespace, ...(lease.labels === undefined ? {} : { labels: { ...lease.labels } }) },
      spec: { holderIdentity: identity, leaseDurationSeconds: Math.ceil(leaseDurationMs / 1_000), acquireTime: time, renewTime: time, leaseTransitions: 0 },
    };
  }

  #renewed(current: Lease, mine: boolean, now: number): Lease {
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
    const { client, clock, renewDeadlineMs } = this.#options;
    const current = this.#observed;
    if (current === undefined) return;
    const time = microTime(clock.now());
    const released: Lease = { ...current, spec: { ...current.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: time, acquireTime: time } };
    await client.replace(leases, released, { signal: AbortSignal.timeout(renewDeadlineMs) });
  }
}
