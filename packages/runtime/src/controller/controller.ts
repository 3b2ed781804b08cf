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

// After a conflict the informer needs a moment to bring what the other one wrote. A key that keeps meeting
// conflicts (a cache that hangs behind) ends up with the growing delay of any other failure.
const CONFLICT_RETRY_MS = 50;
const QUIET_CONFLICTS_MAX = 5;

export class Controller {
  readonly #options: ControllerOptions;
  readonly #log: Log;
  /** Conflicts in a row, by key. */
  readonly #conflicts = new Map<string, number>();

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
    try {
      const result = await this.#options.reconcile(key, signal);
      this.#conflicts.delete(key);
      this.#settle(key, result);
    } catch (error) {
      if (signal.aborted || (error instanceof KubeError && error.code === 'Conflict' && this.#quietly(key, error))) return;
      this.#settle(key, { kind: 'retry', why: error instanceof Error ? error.message : String(error), error });
    }
  }

  /** Requeues after a conflict, without noise; false when it has happened too often. */
  #quietly(key: string, error: KubeError): boolean {
    const conflicts = (this.#conflicts.get(key) ?? 0) + 1;
    this.#conflicts.set(key, conflicts);
    if (conflicts > QUIET_CONFLICTS_MAX) return false;
    this.#log.debug('decided on an old version; looking again', { key, error });
    this.#options.queue.addAfter(key, CONFLICT_RETRY_MS * 2 ** (conflicts - 1));
    return true;
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
        const { error } = result;
        const delay = queue.addRateLimited(key, error instanceof KubeError ? error.retryAfterMs : 0);
        this.#log.warn('not done; trying again', { key, why: result.why, nextMs: Math.round(delay) });
        // A KubeError says all in its message; anything else may be a bug of ours, whose place is worth knowing.
        if (error instanceof Error && !(error instanceof KubeError)) this.#log.debug('where it failed', { key, stack: error.stack });
      }
    }
  }
}
