// Keeps a cache equal to what the API server holds of one resource, and tells handlers what has changed. What
// comes from the server goes into the cache only when it is newer than what is there.
import { keyOf, type KubeObject, type Resource } from '@snapshot-stack/api-types';
import type { Client } from '../client/client.ts';
import { KubeError } from '../client/kube-error.ts';
import type { WatchEvent } from '../client/watch.ts';
import { silentLog, systemClock, type Clock, type Log, type Random } from '../process/index.ts';
import { ObjectCache, versionOf, type Cache, type Indexers } from './object-cache.ts';
import { Reflector, type Scope } from './reflector.ts';

/** So often in a row a list may be older than what was seen (a lagging server) before it is believed (a restored one). */
const STALE_LISTS_MAX = 3;

export interface InformerOptions<T extends KubeObject> {
  client: Client;
  resource: Resource<T>;
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  indexers?: Indexers<T>;
  /** Applied to each object before it is kept, for example to drop what nobody reads. */
  transform?: (object: T) => T;
  clock?: Clock;
  random?: Random;
  log?: Log;
}

export interface InformerHandler<T> {
  added?(object: T): void;
  updated?(object: T, old: T): void;
  deleted?(object: T): void;
}

export class Informer<T extends KubeObject> {
  readonly #cache: ObjectCache<T>;
  readonly #reflector: Reflector<T>;
  readonly #handlers: InformerHandler<T>[] = [];
  readonly #log: Log;
  readonly #synced = Promise.withResolvers<void>();
  #hasSynced = false;
  #staleLists = 0;

  constructor(options: InformerOptions<T>) {
    const { client, resource, clock = systemClock, random = Math.random, transform = (object: T) => object } = options;
    this.#log = (options.log ?? silentLog).with({ resource: resource.plural });
    const safely = this.#safe('the transform failed; the object is kept as it is', transform, (object) => object);
    const indexers = Object.entries(options.indexers ?? {}).map(([name, index]): [string, (object: T) => readonly string[]] => [
      name,
      this.#safe(`the index ${name} failed; the object is not found under it`, index, () => []),
    ]);
    this.#cache = new ObjectCache<T>({ indexers: Object.fromEntries(indexers), transform: safely, onRemembered: (object, old) => this.#notify(object, old) });
    this.#reflector = new Reflector({ client, resource, scope: scopeOf(options), replica: this.#replica(), transform: safely, clock, random, log: this.#log });
  }

  get cache(): Cache<T> {
    return this.#cache;
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Why the last try failed; undefined while all is well. For readiness reports. */
  get lastError(): KubeError | undefined {
    return this.#reflector.lastError;
  }

  /** Handlers are called after the cache has changed, in the order of the changes. Add them before `run`. */
  on(handler: InformerHandler<T>): void {
    this.#handlers.push(handler);
  }

  /** Resolves when the cache first equals the server's state; rejects when the signal aborts before. */
  async synced(signal?: AbortSignal): Promise<void> {
    if (this.#hasSynced || signal === undefined) return this.#synced.promise;
    await new Promise<void>((resolve, reject) => {
      const abort = (): void => reject(signal.reason as Error);
      if (signal.aborted) abort();
      signal.addEventListener('abort', abort, { once: true });
      void this.#synced.promise.then(() => {
        signal.removeEventListener('abort', abort);
        resolve();
      });
    });
  }

  /** Runs until the signal aborts; resolves then. Every failure is retried. */
  run(signal: AbortSignal): Promise<void> {
    return this.#reflector.run(signal);
  }

  #replica(): ConstructorParameters<typeof Reflector<T>>[0]['replica'] {
    const cache = this.#cache;
    return {
      get seenVersion() {
        return cache.seenVersion;
      },
      replaceAll: (found, version) => this.#replaceAll(found, version),
      apply: (event) => this.#apply(event),
    };
  }

  /** A function given from outside must not end the watch that it serves. */
  #safe<R>(complaint: string, run: (object: T) => R, otherwise: (object: T) => R): (object: T) => R {
    return (object) => {
      try {
        return run(object);
      } catch (error) {
        this.#log.error(complaint, { object: keyOf(object), error });
        return otherwise(object);
      }
    };
  }

  #apply(event: WatchEvent<T>): void {
    const version = versionOf(event.object);
    this.#cache.advanceTo(version);
    if (event.type === 'DELETED') this.#delete(event.object, version);
    else if (event.type !== 'BOOKMARK') this.#upsert(event.object);
  }

  /** Never goes back in time: a stale answer from a lagging server, or the echo of our own older write, is dropped. */
  #upsert(object: T): void {
    const old = this.#cache.get(keyOf(object));
    if (old !== undefined && versionOf(old) >= versionOf(object)) return;
    this.#put(object, old);
  }

  #put(object: T, old: T | undefined): void {
    const isAnother = old !== undefined && old.metadata.uid !== object.metadata.uid;
    if (isAnother) {
      this.#cache.remove(keyOf(old));
      this.#notify(undefined, old);
    }
    this.#cache.put(object);
    this.#notify(object, isAnother ? undefined : old);
  }

  #delete(object: T, version: bigint): void {
    const key = keyOf(object);
    const old = this.#cache.get(key);
    // One that was remembered after it had been made anew under the same name stays.
    if (old === undefined || (old.metadata.uid !== object.metadata.uid && versionOf(old) > version)) return;
    this.#cache.remove(key);
    this.#notify(undefined, object);
  }

  #replaceAll(found: ReadonlyMap<string, T>, version: bigint): void {
    const wentBack = version < this.#cache.seenVersion;
    if (wentBack) this.#believe(version);
    this.#staleLists = 0;
    this.#cache.resetVersion(version);
    for (const key of this.#cache.keys()) {
      const old = this.#cache.get(key);
      // What we wrote after the list was made is not in it, and yet there.
      if (found.has(key) || old === undefined || (versionOf(old) > version && !wentBack)) continue;
      this.#cache.remove(key);
      this.#notify(undefined, old);
    }
    for (const object of found.values()) {
      const old = this.#cache.get(keyOf(object));
      if (!wentBack) this.#upsert(object);
      else if (old?.metadata.resourceVersion !== object.metadata.resourceVersion || old?.metadata.uid !== object.metadata.uid) this.#put(object, old);
    }
    this.#hasSynced = true;
    this.#synced.resolve();
  }

  /** @throws KubeError while an older list is more likely a lagging server's than a restored one's */
  #believe(version: bigint): void {
    const seen = this.#cache.seenVersion.toString();
    if (++this.#staleLists < STALE_LISTS_MAX)
      throw new KubeError('Unavailable', `the list is of version ${version}, older than ${seen}, which was already seen; the server lags behind`);
    this.#log.warn('the server went back in time and stays there, as after a restore from a backup; taking over its state', {
      from: seen,
      to: version.toString(),
    });
  }

  #notify(object: T | undefined, old: T | undefined): void {
    for (const handler of this.#handlers) {
      try {
        if (object === undefined) {
          if (old !== undefined) handler.deleted?.(old);
        } else if (old === undefined) handler.added?.(object);
        else handler.updated?.(object, old);
      } catch (error) {
        this.#log.error('a handler failed; the others go on', { error });
      }
    }
  }
}

function scopeOf({ namespace, labelSelector, fieldSelector }: Scope): Scope {
  return {
    ...(namespace === undefined ? {} : { namespace }),
    ...(labelSelector === undefined ? {} : { labelSelector }),
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
}
