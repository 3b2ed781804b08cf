// Brings the state of one resource from the API server and keeps following it. Opens with a streaming list,
// falls back to pages, follows with a watch, and starts over where the server has forgotten. It never gives up:
// every failure leads to another try, after a bounded, growing, jittered delay.
//
//   nothing known ── streaming list ──▶ following ──(watch ends)──▶ watch from the last version seen
//        ▲    └───── or list in pages ──▶ ┘  │
//        └────────── 410, or the server was restored, or it keeps failing ◀┘
// Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
import { keyOf, type KubeObject, type Resource } from '@snapshot-stack/api-types';
import type { Client } from '../client/client.ts';
import { KubeError } from '../client/kube-error.ts';
import type { WatchEvent } from '../client/watch.ts';
import { Backoff, type Clock, type Log, type Random } from '../process/index.ts';

const PAGE_SIZE = 500;
const RETRY_START_MS = 200;
const RETRY_MAX_MS = 30_000;
/** An attempt that lasted this long was no failure of the kind that further attempts must wait for. */
const HEALTHY_MS = 1_000;
/** The server ends each watch after a random time in this range, which spreads the reconnects of many clients. */
const WATCH_MIN_SECONDS = 300;
const WATCH_SPREAD_SECONDS = 300;
/** Bookmarks come about once a minute; three missed ones mean that nobody is there. */
const WATCH_SILENCE_MS = 200_000;
/** A server that is silent for so long before its list is complete does not know streaming lists. */
const LIST_SILENCE_MS = 30_000;
/** After so many watches in a row that failed at once, the state is listed anew. */
const WATCH_FAILURES_MAX = 5;
const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

export interface Scope {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

/** Where the state goes. */
export interface Replica<T extends KubeObject> {
  /** Everything up to this version has been delivered; 0n before the first list. */
  readonly seenVersion: bigint;
  /** @throws KubeError when the list cannot be right, for example because it is older than what was seen */
  replaceAll(found: ReadonlyMap<string, T>, version: bigint): void;
  apply(event: WatchEvent<T>): void;
}

export interface ReflectorOptions<T extends KubeObject> {
  client: Client;
  resource: Resource<T>;
  scope: Scope;
  replica: Replica<T>;
  /** Applied to each object as soon as it arrives. */
  transform: (object: T) => T;
  clock: Clock;
  random: Random;
  log: Log;
}

export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #backoff: Backoff;
  /** False before the first list, and when it has to be repeated. */
  #listed = false;
  #canStreamLists = true;
  #pagesNext = false;
  #watchFailures = 0;
  #lastError: KubeError | undefined;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#backoff = new Backoff({ startMs: RETRY_START_MS, maxMs: RETRY_MAX_MS, jitter: 0.5, random: options.random });
  }

  /** Why the last try failed; undefined while all is well. */
  get lastError(): KubeError | undefined {
    return this.#lastError;
  }

  /** Runs until the signal aborts; resolves then. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options;
    while (!signal.aborted) {
      const start = clock.elapsed();
      let error: KubeError | undefined;
      try {
        if (this.#listed) await this.#watch(signal);
        else if ((await this.#list(signal)) === 'follow') continue;
      } catch (caught) {
        if (signal.aborted) return;
        error = this.#lastError = KubeError.from(caught);
        this.#judge(error);
      }
      const healthy = clock.elapsed() - start >= HEALTHY_MS;
      if (healthy) this.#backoff.reset();
      // A server that closes at once, again and again, must not be asked in a tight loop either.
      if (error === undefined && healthy) continue;
      const delay = Math.max(this.#backoff.next(), error?.retryAfterMs ?? 0);
      if (error !== undefined && error.code !== 'Expired') log.warn('watching failed; trying again', { error, inMs: Math.round(delay) });
      await clock.sleep(delay, signal).catch(() => {});
    }
  }

  /** Decides after a failure whether the next try may go on from the last version seen. */
  #judge(error: KubeError): void {
    if (!this.#listed) return;
    this.#watchFailures++;
    if (error.retryable && error.code !== 'Expired' && !error.isFromTheFuture && this.#watchFailures < WATCH_FAILURES_MAX) return;
    this.#options.log.debug('listing again', { error });
    this.#listed = false;
  }

  /** Resolves with `follow` when a watch has to come next, with `ended` when there was one already. */
  async #list(signal: AbortSignal): Promise<'follow' | 'ended'> {
    if (!this.#canStreamLists || this.#pagesNext) return this.#listInPages(signal);
    try {
      await this.#listAndFollow(signal);
      return 'ended';
    } catch (error) {
      if (this.#listed || signal.aborted) throw error;
      const { code } = KubeError.from(error);
      if (code !== 'BadRequest' && code !== 'Invalid') {
        this.#pagesNext = true; // progress by the other way is better than failing by this one
        throw error;
      }
      this.#canStreamLists = false; // an API server before 1.32, or one with the feature switched off
      return this.#listInPages(signal);
    }
  }

  /** The whole state as events, then the changes to it, over one connection. */
  async #listAndFollow(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const found = new Map<string, T>();
    const silence = new AbortController();
    const tooQuiet = (): void => silence.abort(new KubeError('Timeout', `the streaming list was silent for ${LIST_SILENCE_MS} ms`));
    let timer = clock.setTimer(LIST_SILENCE_MS, tooQuiet);
    try {
      for await (const event of this.#events({ sendInitialEvents: true }, AbortSignal.any([signal, silence.signal]))) {
        timer.cancel();
        if (this.#listed) this.#deliver(event);
        else {
          this.#collect(event, found);
          timer = clock.setTimer(LIST_SILENCE_MS, tooQuiet);
        }
        if (this.#listed) timer.cancel();
      }
    } finally {
      timer.cancel();
    }
    if (!this.#listed) throw new KubeError('Connection', 'the streaming list ended before it was complete');
  }

  #collect(event: WatchEvent<T>, found: Map<string, T>): void {
    // Changes may already come in between the initial events and the bookmark that ends them.
    if (event.type === 'DELETED') found.delete(keyOf(event.object));
    else if (event.type !== 'BOOKMARK') found.set(keyOf(event.object), event.object);
    else if (event.object.metadata.annotations?.[INITIAL_EVENTS_END] === 'true') this.#complete(found, event.object.metadata.resourceVersion);
  }

  async #listInPages(signal: AbortSignal): Promise<'follow'> {
    const { client, resource, scope, transform } = this.#options;
    const found = new Map<string, T>();
    let next: string | undefined;
    let version: string | undefined;
    let limit: { limit?: number } = { limit: PAGE_SIZE };
    do {
      try {
        const page = await client.list(resource, { ...scope, ...limit, ...(next === undefined ? {} : { continue: next }), signal });
        for (const object of page.items) found.set(keyOf(object), transform(object));
        version ??= page.metadata.resourceVersion;
        next = page.metadata.continue === '' ? undefined : page.metadata.continue;
      } catch (error) {
        // The server has forgotten the version that the first pages are of. All at once cannot meet that again.
        if (next === undefined || limit.limit === undefined || KubeError.from(error).code !== 'Expired') throw error;
        [next, version, limit] = ['', undefined, {}];
        found.clear();
      }
    } while (next !== undefined);
    this.#complete(found, version);
    this.#pagesNext = false;
    return 'follow';
  }

  #complete(found: ReadonlyMap<string, T>, version = '0'): void {
    this.#options.replica.replaceAll(found, BigInt(version));
    this.#listed = true;
    this.#lastError = undefined;
  }

  /** Follows the changes from the last version seen; resolves when the server ends the watch. */
  async #watch(signal: AbortSignal): Promise<void> {
    // The server agreed to go on from what we have: all is well, though there may be no news for a while.
    const onOpen = (): void => void (this.#lastError = undefined);
    for await (const event of this.#events({ resourceVersion: this.#options.replica.seenVersion.toString(), onOpen }, signal)) this.#deliver(event);
  }

  #deliver(event: WatchEvent<T>): void {
    this.#options.replica.apply(event);
    this.#lastError = undefined;
    this.#watchFailures = 0;
  }

  async *#events(from: { sendInitialEvents?: boolean; resourceVersion?: string; onOpen?: () => void }, signal: AbortSignal): AsyncIterable<WatchEvent<T>> {
    const { client, resource, scope, random, transform } = this.#options;
    const timeoutSeconds = WATCH_MIN_SECONDS + Math.floor(random() * WATCH_SPREAD_SECONDS);
    for await (const event of client.watch(resource, { ...scope, ...from, timeoutSeconds, idleTimeoutMs: WATCH_SILENCE_MS, signal }))
      yield event.type === 'BOOKMARK' ? event : { type: event.type, object: transform(event.object) };
  }
}
