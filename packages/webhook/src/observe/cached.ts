// One informer and how far its cache can be trusted: never filled, up to date, or left behind since a moment.
import type { KubeObject } from '@snapshot-stack/api-types';
import { Informer, type Cache, type Clock, type InformerOptions } from '@snapshot-stack/runtime';

export type Freshness =
  | { readonly kind: 'fresh' }
  /** Never filled: nothing is known. */
  | { readonly kind: 'empty'; readonly why: string }
  /** Filled once, and without word from the API server for so long. */
  | { readonly kind: 'stale'; readonly forMs: number; readonly why: string };

export class Cached<T extends KubeObject> {
  readonly plural: string;
  readonly #informer: Informer<T>;
  readonly #clock: Clock;
  #troubledSinceMs: number | undefined;

  constructor(options: InformerOptions<T> & { clock: Clock }) {
    this.plural = options.resource.plural;
    this.#clock = options.clock;
    this.#informer = new Informer(options);
  }

  /** The objects, or undefined while nothing is known of them. */
  get objects(): Cache<T> | undefined {
    return this.#informer.hasSynced ? this.#informer.cache : undefined;
  }

  freshness(): Freshness {
    const { hasSynced, lastError } = this.#informer;
    if (!hasSynced) return { kind: 'empty', why: lastError?.message ?? 'the first list has not arrived' };
    if (lastError === undefined) {
      this.#troubledSinceMs = undefined;
      return { kind: 'fresh' };
    }
    const now = this.#clock.elapsed();
    this.#troubledSinceMs ??= now;
    return { kind: 'stale', forMs: now - this.#troubledSinceMs, why: lastError.message };
  }

  /** Called after each change of the cache. */
  onChange(run: () => void): void {
    this.#informer.on({ added: run, updated: run, deleted: run });
  }

  run(signal: AbortSignal): Promise<void> {
    return this.#informer.run(signal);
  }

  synced(signal: AbortSignal): Promise<void> {
    return this.#informer.synced(signal);
  }
}
