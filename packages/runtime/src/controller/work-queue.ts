// A de-duplicating queue of keys: a key is worked on by one worker at a time, and however often it is added
// meanwhile, it is worked on once more afterwards. A failing key comes back after a growing delay of its own.
import { backoffDelay, type Clock, type Metrics, type Random, type Timer } from '../process/index.ts';

export interface WorkQueueOptions {
  name: string;
  clock: Clock;
  random?: Random;
  /** Delay after the first failure of a key; doubles with each further one. 1 s by default. */
  startMs?: number;
  /** 5 min by default. */
  maxMs?: number;
  /** Share of the delay left to chance, so that many keys that failed together do not return together; 0.1 by default. */
  jitter?: number;
  metrics?: Metrics;
}

interface Delayed {
  at: number;
  timer: Timer;
}

interface QueueMetrics {
  added(): void;
  retried(): void;
  waited(seconds: number): void;
  worked(seconds: number): void;
}

/** What a queue tells of itself at each scrape. */
interface Census {
  depth(): number;
  /** Seconds that each key being worked on has taken so far. */
  activeSeconds(): number[];
}

/** Keys handed out are cut off from the front of the queue once there are so many. */
const COMPACT_AT = 1_024;

const BUCKETS = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10];

interface Families {
  /** By queue name; the gauges are collected from these. */
  census: Map<string, Census>;
  of(queue: string): QueueMetrics;
}

const families = new WeakMap<Metrics, Families>();

function metricsFor(metrics: Metrics | undefined, queue: string, census: Census): QueueMetrics | undefined {
  if (metrics === undefined) return undefined;
  const found = families.get(metrics) ?? defineFamilies(metrics);
  families.set(metrics, found);
  found.census.set(queue, census);
  return found.of(queue);
}

/**
 * The names, labels and buckets of client-go's workqueue metrics, once per registry.
 * Source: https://pkg.go.dev/k8s.io/component-base/metrics/prometheus/workqueue
 */
function defineFamilies(metrics: Metrics): Families {
  const labels = ['name'] as const;
  const census = new Map<string, Census>();
  const collected = (name: string, help: string, value: (queue: Census) => number): void =>
    void metrics.gauge({ name, help, labels, collect: () => [...census].map(([queue, of]) => ({ labels: { name: queue }, value: value(of) })) });
  collected('workqueue_depth', 'Current depth of workqueue', (queue) => queue.depth());
  collected('workqueue_unfinished_work_seconds', 'How many seconds of work is in progress and not yet observed by work_duration', (queue) =>
    queue.activeSeconds().reduce((sum, seconds) => sum + seconds, 0),
  );
  collected('workqueue_longest_running_processor_seconds', 'How many seconds the longest running processor has been running', (queue) =>
    Math.max(0, ...queue.activeSeconds()),
  );
  const adds = metrics.counter({ name: 'workqueue_adds_total', help: 'Total number of adds handled by workqueue', labels });
  const retries = metrics.counter({ name: 'workqueue_retries_total', help: 'Total number of retries handled by workqueue', labels });
  const wait = metrics.histogram({
    name: 'workqueue_queue_duration_seconds',
    help: 'How long in seconds an item stays in workqueue before being requested',
    labels,
    buckets: BUCKETS,
  });
  const work = metrics.histogram({
    name: 'workqueue_work_duration_seconds',
    help: 'How long in seconds processing an item from workqueue takes',
    labels,
    buckets: BUCKETS,
  });
  return {
    census,
    of: (name) => ({
      added: () => adds.inc({ name }),
      retried: () => retries.inc({ name }),
      waited: (seconds) => wait.observe({ name }, seconds),
      worked: (seconds) => work.observe({ name }, seconds),
    }),
  };
}

export class WorkQueue {
  readonly name: string;
  readonly #clock: Clock;
  readonly #backoff: { startMs: number; maxMs: number; jitter: number; random: Random };
  readonly #metrics: QueueMetrics | undefined;
  /** Keys that wait for a worker, with the time since when. */
  readonly #ready = new Map<string, number>();
  /** The same keys in their order, from `#head` on: the first of a Map with many deletions is slow to find. */
  #order: string[] = [];
  #head = 0;
  /** Keys being worked on, with the time since when. */
  readonly #active = new Map<string, number>();
  /** Added while active, with the time since when: to be worked on once more. */
  readonly #again = new Map<string, number>();
  readonly #delayed = new Map<string, Delayed>();
  readonly #failures = new Map<string, number>();
  readonly #waiting: (() => void)[] = [];

  constructor(options: WorkQueueOptions) {
    this.name = options.name;
    this.#clock = options.clock;
    this.#backoff = {
      startMs: options.startMs ?? 1_000,
      maxMs: options.maxMs ?? 300_000,
      jitter: options.jitter ?? 0.1,
      random: options.random ?? Math.random,
    };
    this.#metrics = metricsFor(options.metrics, options.name, {
      depth: () => this.#ready.size,
      activeSeconds: () => [...this.#active.values()].map((since) => (this.#clock.elapsed() - since) / 1_000),
    });
  }

  /** Keys waiting for a worker; neither active nor delayed ones count. */
  get length(): number {
    return this.#ready.size;
  }

  /** True when nothing waits, is delayed, or is worked on. */
  get idle(): boolean {
    return this.#ready.size === 0 && this.#active.size === 0 && this.#delayed.size === 0;
  }

  add(key: string): void {
    if (this.#ready.has(key) || this.#again.has(key)) return;
    this.#metrics?.added();
    if (this.#active.has(key)) this.#again.set(key, this.#clock.elapsed());
    else this.#enqueue(key, this.#clock.elapsed());
  }

  #enqueue(key: string, since: number): void {
    this.#ready.set(key, since);
    this.#order.push(key);
    this.#waiting.shift()?.();
  }

  /** Adds the key after `ms`; of several delays the earliest counts. */
  addAfter(key: string, ms: number): void {
    if (ms <= 0) {
      this.add(key);
      return;
    }
    this.#metrics?.retried();
    const at = this.#clock.elapsed() + ms;
    const pending = this.#delayed.get(key);
    if (pending !== undefined) {
      if (pending.at <= at) return;
      pending.timer.cancel();
    }
    const timer = this.#clock.setTimer(ms, () => {
      this.#delayed.delete(key);
      this.add(key);
    });
    this.#delayed.set(key, { at, timer });
  }

  /** Adds the key after its own growing delay, or after `atLeastMs` if that is longer. Returns the delay in milliseconds. */
  addRateLimited(key: string, atLeastMs = 0): number {
    const failures = this.failures(key);
    this.#failures.set(key, failures + 1);
    const delay = Math.max(atLeastMs, backoffDelay(this.#backoff, failures));
    this.addAfter(key, delay);
    return delay;
  }

  /** How often the key has failed since it was last forgotten. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** The key succeeded: its next failure starts from the shortest delay. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** Waits for a key to work on; {@link done} must follow. Rejects with the signal's reason when it aborts. */
  async get(signal: AbortSignal): Promise<string> {
    for (;;) {
      if (signal.aborted) {
        if (this.#ready.size > 0) this.#waiting.shift()?.(); // it may have been us who were woken for it
        throw signal.reason as Error;
      }
      const key = this.#next();
      if (key !== undefined) return key;
      await this.#wait(signal);
    }
  }

  #next(): string | undefined {
    const key = this.#order[this.#head];
    if (key === undefined) return undefined;
    this.#head++;
    if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#order.length) {
      this.#order = this.#order.slice(this.#head);
      this.#head = 0;
    }
    const now = this.#clock.elapsed();
    this.#metrics?.waited((now - (this.#ready.get(key) ?? now)) / 1_000);
    this.#ready.delete(key);
    this.#active.set(key, now);
    return key;
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', abort);
        resolve();
      };
      const abort = (): void => {
        const at = this.#waiting.indexOf(wake);
        if (at >= 0) this.#waiting.splice(at, 1);
        resolve();
      };
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.push(wake);
    });
  }

  /** The work on a key has ended, well or not. */
  done(key: string): void {
    const since = this.#active.get(key);
    if (since === undefined) return;
    this.#active.delete(key);
    this.#metrics?.worked((this.#clock.elapsed() - since) / 1_000);
    const again = this.#again.get(key);
    if (again === undefined) return;
    this.#again.delete(key);
    this.#enqueue(key, again);
  }

  /** Drops all delayed keys; for the end of the process. */
  close(): void {
    for (const { timer } of this.#delayed.values()) timer.cancel();
    this.#delayed.clear();
  }
}
