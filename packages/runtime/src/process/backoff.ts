import type { Random } from './random.ts';

export interface BackoffOptions {
  startMs: number;
  maxMs: number;
  /** What each delay is multiplied with to get the next; 2 by default. */
  factor?: number;
  /** The share of a delay that is left to chance, 0 (the default) to 1. */
  jitter?: number;
  random?: Random;
}

/** The delay before try number `failures` (0 for the first retry): start·factor^failures, capped. */
export function backoffDelay(options: BackoffOptions, failures: number): number {
  const { startMs, maxMs, factor = 2, jitter = 0, random = Math.random } = options;
  const full = Math.min(maxMs, startMs * factor ** Math.min(failures, 64));
  return full * (1 - jitter * random());
}

/** Growing delays for something that keeps failing. */
export class Backoff {
  readonly #options: BackoffOptions;
  #failures = 0;

  constructor(options: BackoffOptions) {
    this.#options = options;
  }

  /** Milliseconds to wait before the next try. */
  next(): number {
    return backoffDelay(this.#options, this.#failures++);
  }

  reset(): void {
    this.#failures = 0;
  }
}
