// The time as the API server has it. It is the API server that checks our certificates against its clock, so that is the
// clock that counts: a node whose own clock is wrong or jumps neither renews too early nor too late. Between two
// readings, time goes on by elapsed(), which never jumps.
import type { Client, Clock } from '@snapshot-stack/runtime';

const FRESH_MS = 300_000;
const TIMEOUT_MS = 5_000;

export class ServerTime {
  readonly #client: Pick<Client, 'raw'>;
  readonly #clock: Pick<Clock, 'now' | 'elapsed'>;
  #reading: { readonly aheadMs: number; readonly atMs: number } | undefined;

  constructor(client: Pick<Client, 'raw'>, clock: Pick<Clock, 'now' | 'elapsed'>) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Milliseconds since the Unix epoch; our own clock's as long as no API server has told. */
  now(): number {
    return this.#reading === undefined ? this.#clock.now() : this.#clock.elapsed() + this.#reading.aheadMs;
  }

  /** Asks again when the last answer is older than some minutes; without an answer, time goes on from the one before. */
  async refresh(signal: AbortSignal): Promise<void> {
    const before = this.#clock.elapsed();
    if (this.#reading !== undefined && before - this.#reading.atMs < FRESH_MS) return;
    try {
      const { headers } = await this.#client.raw('GET', '/version', { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) });
      const told = Date.parse(String(headers['date'] ?? ''));
      const atMs = this.#clock.elapsed();
      if (Number.isFinite(told)) this.#reading = { aheadMs: told - atMs, atMs };
    } catch {
      signal.throwIfAborted();
    }
  }
}
