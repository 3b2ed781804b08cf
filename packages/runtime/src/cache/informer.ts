// Keeps a cache equal to what the API server holds of one resource. Opens with a streaming list, falls back
// to pages, follows with a watch, and starts over where the server has forgotten. It never gives up: every
// failure leads to another try, after a bounded, growing, jittered delay.
import { keyOf, type KubeObject, type Resource } from '@snapshot-stack/api-types';
import type { Client } from '../client/client.ts';
import { KubeError } from '../client/kube-error.ts';
import type { WatchEvent } from '../client/watch.ts';
import { Backoff, silentLog, systemClock, type Clock, type Log, type Random } from '../process/index.ts';
import { ObjectCache, versionOf, type Cache, type Indexers } from './object-cache.ts';

const PAGE_SIZE = 500;
const RETRY_START_MS = 200;
const RETRY_MAX_MS = 30_000;
// The server ends each watch after a random time in this range, which spreads the reconnects of many clients.
const WATCH_MIN_SECONDS = 300;
const WATCH_SPREAD_SECONDS = 300;
// Bookmarks come about once a minute; three missed ones mean that nobody is there.
const WATCH_SILENCE_MS = 200_000;
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

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
  readonly #options: InformerOptions<T>;
  readonly #cache: ObjectCache<T>;
  readonly #handlers: InformerHandler<T>[] = [];
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #backoff: Backoff;
  readonly #synced = Promise.withResolvers<void>();
  #hasSynced = false;
  #canStreamLists = true;
  #lastError: KubeError | undefined;

  constructor(options: InformerOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#log = (options.log ?? silentLog).with({ resource: options.resource.plural });
    this.#cache = new ObjectCache<T>(options.indexers, (object, old) => this.#notify(object, old));
    this.#backoff = new Backoff({ startMs: RETRY_START_MS, maxMs: RETRY_MAX_MS, jitter: 0.5, random: options.random ?? Math.random });
  }

  get cache(): Cache<T> {
    return this.#cache;
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Why the last try failed; undefined while all is well. For readiness reports. */
  get lastError(): KubeError | undefined {
    return this.#lastError;
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

  /** Runs until the signal aborts; resolves then. */
  async run(signal: AbortSignal): Promise<void> {
    let resume: string | undefined;
    while (!signal.aborted) {
      try {
        resume ??= await this.#list(signal);
        resume = await this.#watch(resume, signal);
        this.#backoff.reset();
      } catch (error) {
        if (signal.aborted) return;
        resume = await this.#recover(KubeError.from(error), signal);
      }
    }
  }

  /** Decides where to go on after a failure: from the last version seen, or from a new list. */
  async #recover(error: KubeError, signal: AbortSignal): Promise<string | undefined> {
    this.#lastError = error;
    if (error.code === 'Expired') {
      this.#log.debug('the server has forgotten our version; listing again');
      return undefined;
    }
    const delay = Math.max(this.#backoff.next(), error.retryAfterMs ?? 0);
    this.#log.warn('watching failed; trying again', { error, inMs: Math.round(delay) });
    await this.#clock.sleep(delay, signal).catch(() => {});
    const seen = this.#cache.seenVersion;
    return this.#hasSynced && error.retryable && seen > 0n ? seen.toString() : undefined;
  }

  async #list(signal: AbortSignal): Promise<string> {
    if (!this.#canStreamLists) return this.#listPages(signal);
    try {
      return await this.#listStreaming(signal);
    } catch (error) {
      const { code } = KubeError.from(error);
      if (code !== 'BadRequest' && code !== 'Invalid') throw error;
      this.#canStreamLists = false; // an API server before 1.32, or one with the feature switched off
      return this.#listPages(signal);
    }
  }

  async #listStreaming(signal: AbortSignal): Promise<string> {
    const { client, resource } = this.#options;
    const found = new Map<string, T>();
    const events = client.watch(resource, {
      ...this.#scope(),
      sendInitialEvents: true,
      timeoutSeconds: WATCH_MIN_SECONDS,
      idleTimeoutMs: WATCH_SILENCE_MS,
      signal,
    });
    for await (const event of events) {
      if (event.type === 'BOOKMARK') {
        if (event.object.metadata.annotations?.[INITIAL_EVENTS_END] !== 'true') continue;
        const version = event.object.metadata.resourceVersion ?? '0';
        this.#replaceAll(found, BigInt(version));
        return version;
      }
      // Between the initial events and the bookmark, changes may already come in.
      if (event.type === 'DELETED') found.delete(keyOf(event.object));
      else found.set(keyOf(event.object), event.object);
    }
    throw new KubeError('Connection', 'the streaming list ended before it was complete');
  }

  async #listPages(signal: AbortSignal): Promise<string> {
    const { client, resource } = this.#options;
    const found = new Map<string, T>();
    let next: string | undefined;
    let version: string | undefined;
    do {
      const page = await client.list(resource, { ...this.#scope(), limit: PAGE_SIZE, ...(next === undefined ? {} : { continue: next }), signal });
      for (const object of page.items) found.set(keyOf(object), object);
      version ??= page.metadata.resourceVersion;
      next = page.metadata.continue === '' ? undefined : page.metadata.continue;
    } while (next !== undefined);
    this.#replaceAll(found, BigInt(version ?? '0'));
    return version ?? '0';
  }

  /** Follows the changes from `version` on; resolves with the version to go on from when the server ends the watch. */
  async #watch(version: string, signal: AbortSignal): Promise<string> {
    const { client, resource, random = Math.random } = this.#options;
    const timeoutSeconds = WATCH_MIN_SECONDS + Math.floor(random() * WATCH_SPREAD_SECONDS);
    let heard = false;
    for await (const event of client.watch(resource, { ...this.#scope(), resourceVersion: version, timeoutSeconds, idleTimeoutMs: WATCH_SILENCE_MS, signal })) {
      if (!heard) this.#backoff.reset();
      heard = true;
      this.#lastError = undefined;
      this.#apply(event);
    }
    // A server that closes at once, again and again, must not be asked in a tight loop.
    if (!heard) await this.#clock.sleep(this.#backoff.next(), signal);
    return this.#cache.seenVersion > 0n ? this.#cache.seenVersion.toString() : version;
  }

  #apply(event: WatchEvent<T>): void {
    const version = versionOf(event.object);
    if (event.type === 'DELETED') {
      this.#cache.advanceTo(version);
      this.#delete(event.object, version);
    } else if (event.type === 'BOOKMARK') {
      this.#cache.advanceTo(version);
    } else {
      this.#cache.advanceTo(version);
      this.#upsert(event.object);
    }
  }

  /** Never goes back in time: a stale answer from a lagging server, or the echo of our own older write, is dropped. */
  #upsert(object: T): void {
    const kept = this.#options.transform?.(object) ?? object;
    const old = this.#cache.get(keyOf(kept));
    if (old !== undefined && versionOf(old) >= versionOf(kept) && old.metadata.uid === kept.metadata.uid) return;
    this.#cache.put(kept);
    this.#notify(kept, old);
  }

  #delete(object: T, version: bigint): void {
    const key = keyOf(object);
    const old = this.#cache.get(key);
    // One that was remembered after it had been made anew under the same name stays.
    if (old === undefined || (old.metadata.uid !== object.metadata.uid && versionOf(old) > version)) return;
    this.#cache.remove(key);
    this.#notify(undefined, this.#options.transform?.(object) ?? object);
  }

  #replaceAll(found: ReadonlyMap<string, T>, version: bigint): void {
    if (version < this.#cache.seenVersion) this.#log.warn('the server went back in time', { from: this.#cache.seenVersion.toString(), to: version.toString() });
    this.#cache.resetVersion(version);
    for (const key of this.#cache.keys()) {
      const old = this.#cache.get(key);
      if (found.has(key) || old === undefined || versionOf(old) > version) continue;
      this.#cache.remove(key);
      this.#notify(undefined, old);
    }
    for (const object of found.values()) this.#upsert(object);
    this.#lastError = undefined;
    this.#hasSynced = true;
    this.#synced.resolve();
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

  #scope(): { namespace?: string; labelSelector?: string; fieldSelector?: string } {
    const { namespace, labelSelector, fieldSelector } = this.#options;
    return {
      ...(namespace === undefined ? {} : { namespace }),
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
    };
  }
}
