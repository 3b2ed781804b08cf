// Time as a parameter: production code takes a Clock, tests and simulations hand in one they move themselves.

export interface Timer {
  cancel(): void;
}

export interface Clock {
  /** Milliseconds since the Unix epoch. May jump when the machine's time is set: for timestamps, not for durations. */
  now(): number;
  /** Milliseconds since some fixed moment; never jumps. For durations, leases and budgets. */
  elapsed(): number;
  /** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `run` once after `ms`, unless cancelled before. Never keeps the process alive. */
  setTimer(ms: number, run: () => void): Timer;
}

// setTimeout overflows beyond this and would fire at once.
const TIMEOUT_MAX_MS = 2 ** 31 - 1;

function sleepBy(clock: Pick<Clock, 'setTimer'>, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const abort = (): void => {
      timer.cancel();
      reject(signal?.reason as Error);
    };
    const timer = clock.setTimer(ms, () => {
      signal?.removeEventListener('abort', abort);
      resolve();
    });
    signal?.addEventListener('abort', abort, { once: true });
  });
}

export const systemClock: Clock = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  // A sleeper is waited for, so unlike a bare timer it does keep the process alive.
  sleep: (ms, signal) => sleepBy({ setTimer: (delay, run) => cancelable(setTimeout(run, Math.min(delay, TIMEOUT_MAX_MS))) }, ms, signal),
  setTimer: (ms, run) => cancelable(setTimeout(run, Math.min(ms, TIMEOUT_MAX_MS)).unref()),
};

function cancelable(timeout: NodeJS.Timeout): Timer {
  return { cancel: () => clearTimeout(timeout) };
}

interface PendingTimer {
  at: number;
  order: number;
  run: () => void;
}

/** A clock that stands still until {@link ManualClock.advance} moves it. For tests and simulations. */
export class ManualClock implements Clock {
  #now: number;
  #order = 0;
  /** What the wall clock is ahead of the time that has passed. */
  #ahead = 0;
  readonly #pending = new Set<PendingTimer>();

  constructor(startMs = 1_700_000_000_000) {
    this.#now = startMs;
  }

  now(): number {
    return this.#now + this.#ahead;
  }

  elapsed(): number {
    return this.#now;
  }

  /** Sets the wall clock forward or back, as an administrator or NTP does; no time passes. */
  jump(ms: number): void {
    this.#ahead += ms;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return sleepBy(this, ms, signal);
  }

  setTimer(ms: number, run: () => void): Timer {
    const timer = { at: this.#now + Math.max(0, ms), order: this.#order++, run };
    this.#pending.add(timer);
    return { cancel: () => void this.#pending.delete(timer) };
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Moves time on by `ms`, running each timer at its time, and lets promises settle in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await settle();
    for (let next = this.#nextBefore(end); next !== undefined; next = this.#nextBefore(end)) {
      this.#pending.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.run();
      await settle();
    }
    this.#now = end;
    await settle();
  }

  #nextBefore(end: number): PendingTimer | undefined {
    let first: PendingTimer | undefined;
    for (const timer of this.#pending) {
      if (timer.at > end) continue;
      if (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) first = timer;
    }
    return first;
  }
}

/** Calls `run` each `ms` until the signal aborts; never for 0 or less. Resolves at the end. */
export async function every(ms: number, clock: Clock, signal: AbortSignal, run: () => void): Promise<void> {
  if (ms <= 0) return;
  while (!signal.aborted) {
    await clock.sleep(ms, signal).catch(() => {});
    if (!signal.aborted) run();
  }
}

/** One turn of the event loop: every promise that can settle without I/O has settled after it. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
