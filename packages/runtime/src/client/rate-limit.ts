import type { Clock } from '../process/index.ts';

/** A token bucket for those who want a client-side limit (`--kube-api-qps`); without one nothing waits. */
export class RateLimit {
  readonly #qps: number;
  readonly #burst: number;
  readonly #clock: Clock;
  #tokens: number;
  #at: number;

  /** @param qps requests per second; 0 for no limit */
  constructor(qps: number, burst: number, clock: Clock) {
    this.#qps = qps;
    this.#burst = Math.max(1, burst === 0 ? qps : burst);
    this.#clock = clock;
    this.#tokens = this.#burst;
    this.#at = clock.elapsed();
  }

  /** Waits for a turn; turns are given in the order of asking. */
  async take(signal?: AbortSignal): Promise<void> {
    if (this.#qps <= 0) return;
    const now = this.#clock.elapsed();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) / 1_000) * this.#qps);
    this.#at = now;
    this.#tokens -= 1;
    if (this.#tokens >= 0) return;
    try {
      await this.#clock.sleep((-this.#tokens / this.#qps) * 1_000, signal);
    } catch (error) {
      this.#tokens += 1; // nothing was sent, so that the turn goes to those behind
      throw error;
    }
  }
}
