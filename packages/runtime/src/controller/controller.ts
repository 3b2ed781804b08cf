// The loop that turns keys into reconciliations, and results into done, delay or retry.
import { KubeError } from '../client/kube-error.ts';
import type { Log } from '../process/index.ts';
import type { WorkQueue } from './work-queue.ts';

/** How a reconciliation ended. */
export type Result =
  /** Nothing to do until something changes. */
  | { kind: 'done' }
  /** Look again after `ms`, even if nothing changes. */
  | { kind: 'after'; ms: number; why: string }
  /** It did not work: try again after the key's growing delay. */
  | { kind: 'retry'; why: string; error?: unknown };

export const done: Result = { kind: 'done' };

export interface ControllerOptions {
  name: string;
  queue: WorkQueue;
  workers: number;
  /** The key is a name; what is true is read again. */
  reconcile(key: string, signal: AbortSignal): Promise<Result>;
  log: Log;
}

// After a conflict the informer needs a moment to bring what the other one wrote.
const CONFLICT_RETRY_MS = 50;

export class Controller {
  readonly #options: ControllerOptions;
  readonly #log: Log;

  constructor(options: ControllerOptions) {
    this.#options = options;
    this.#log = options.log.with({ controller: options.name });
  }

  get queue(): WorkQueue {
    return this.#options.queue;
  }

  /** Works until the signal aborts; resolves when all workers have ended their current key. */
  async run(signal: AbortSignal): Promise<void> {
    const workers = Array.from({ length: this.#options.workers }, () => this.#work(signal));
    await Promise.all(workers);
    this.#options.queue.close();
  }

  async #work(signal: AbortSignal): Promise<void> {
    const { queue } = this.#options;
    while (!signal.aborted) {
      const key = await queue.get(signal).catch(() => undefined);
      if (key === undefined) return;
      await this.#one(key, signal);
      queue.done(key);
    }
  }

  async #one(key: string, signal: AbortSignal): Promise<void> {
    const { queue, reconcile } = this.#options;
    try {
      this.#settle(key, await reconcile(key, signal));
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof KubeError && error.code === 'Conflict' && queue.failures(key) === 0) {
        this.#log.debug('decided on an old version; looking again', { key, error });
        queue.addAfter(key, CONFLICT_RETRY_MS);
        return;
      }
      this.#settle(key, { kind: 'retry', why: error instanceof Error ? error.message : String(error), error });
    }
  }

  #settle(key: string, result: Result): void {
    const { queue } = this.#options;
    switch (result.kind) {
      case 'done':
        queue.forget(key);
        return;
      case 'after':
        queue.forget(key);
        queue.addAfter(key, result.ms);
        this.#log.debug('waiting', { key, why: result.why, nextMs: result.ms });
        return;
      case 'retry': {
        const hint = result.error instanceof KubeError ? (result.error.retryAfterMs ?? 0) : 0;
        const delay = queue.addRateLimited(key);
        if (hint > delay) queue.addAfter(key, hint);
        this.#log.warn('not done; trying again', { key, why: result.why, nextMs: Math.round(delay) });
      }
    }
  }
}
