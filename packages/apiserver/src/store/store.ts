// The versioned store: every object of every resource, one revision counter for all of them, and a bounded
// history per resource from which watches resume and past lists are rebuilt. Objects are never changed in
// place: a write puts a new one, so whoever holds an entry may keep it. This is etcd and the watch cache in one.
import { stringifyJson, type KubeObject } from '@snapshot-stack/api-types';

/** One object in one version. The JSON is made once and shared by all answers and watches. */
export class Entry {
  readonly key: string;
  readonly object: KubeObject;
  readonly revision: number;
  #json: string | undefined;

  constructor(key: string, object: KubeObject, revision: number) {
    this.key = key;
    this.object = object;
    this.revision = revision;
  }

  get json(): string {
    return (this.#json ??= stringifyJson(this.object));
  }
}

/** A change of one object. `previous` is undefined for a creation, `entry` is what was deleted for a deletion. */
export interface Change {
  kind: 'put' | 'delete';
  revision: number;
  entry: Entry;
  previous: Entry | undefined;
}

export type Listener = (change: Change) => void;

/** Writes what changed to disk; see the durable journal. Resolves when it is safe there. */
export interface Journal {
  write(resource: string, change: Change): Promise<void>;
  close(): void;
}

export interface StoreOptions {
  /** Changes kept per resource for watches that resume; older ones are answered with 410. */
  historySize?: number;
  journal?: Journal;
}

const HISTORY_DEFAULT = 10_000;

export class Store {
  readonly #collections = new Map<string, Collection>();
  readonly #historySize: number;
  #journal: Journal | undefined;
  #revision = 1;
  #published = 1;

  constructor({ historySize = HISTORY_DEFAULT, journal }: StoreOptions = {}) {
    this.#historySize = historySize;
    this.#journal = journal;
  }

  /** The revision of the latest write, whatever its resource. */
  get revision(): number {
    return this.#revision;
  }

  /** @param resource `group/plural`; versions of a resource share their objects */
  collection(resource: string): Collection {
    let found = this.#collections.get(resource);
    if (found === undefined) {
      found = new Collection(this, resource, this.#historySize, this.#revision);
      this.#collections.set(resource, found);
    }
    return found;
  }

  collections(): IterableIterator<[string, Collection]> {
    return this.#collections.entries();
  }

  next(): number {
    return ++this.#revision;
  }

  /** Every change up to this revision has been told to all listeners: what a bookmark may promise. */
  get published(): number {
    return this.#published;
  }

  /** Makes a change durable where there is a journal, then runs `tell`; changes are told in their order. */
  async commit(resource: string, change: Change, tell: () => void): Promise<void> {
    // Nobody is told of what a crash could still undo.
    if (this.#journal !== undefined) await this.#journal.write(resource, change);
    tell();
    this.#published = change.revision;
  }

  /** Puts back what a journal has kept; only before anything is served. */
  restore(revision: number, objects: Iterable<{ resource: string; key: string; object: KubeObject; revision: number }>, journal: Journal): void {
    this.#revision = Math.max(this.#revision, revision);
    for (const { resource, key, object, revision: own } of objects) this.collection(resource).load(new Entry(key, object, own));
    this.#published = this.#revision;
    for (const collection of this.#collections.values()) collection.forget();
    this.#journal = journal;
  }

  close(): void {
    this.#journal?.close();
  }
}

/** The objects of one resource, by `namespace/name` (or `name`), in the order of their keys. */
export class Collection {
  readonly resource: string;
  readonly #store: Store;
  readonly #entries = new Map<string, Entry>();
  readonly #historySize: number;
  /** Sorted; undefined after an insertion, until somebody lists. */
  #sorted: string[] | undefined = [];
  #history: Change[] = [];
  /** Changes up to and including this revision are forgotten. */
  #forgotten: number;
  readonly #listeners = new Set<Listener>();

  constructor(store: Store, resource: string, historySize: number, forgotten: number) {
    this.#store = store;
    this.resource = resource;
    this.#historySize = historySize;
    this.#forgotten = forgotten;
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The oldest revision that a watch can start from: everything after it is still known. */
  get oldest(): number {
    return this.#forgotten;
  }

  /**
   * Stores an object in a new revision, which becomes its resourceVersion.
   * @param make called with the new resourceVersion; nothing may run between reading the old entry and this
   */
  put(key: string, make: (resourceVersion: string) => KubeObject): { entry: Entry; durable: Promise<void> } {
    const revision = this.#store.next();
    const previous = this.#entries.get(key);
    const entry = new Entry(key, make(String(revision)), revision);
    this.#entries.set(key, entry);
    if (previous === undefined) this.#sorted = undefined;
    return { entry, durable: this.#publish({ kind: 'put', revision, entry, previous }) };
  }

  /** Removes an object; its last state carries the revision of the deletion, as watchers see it. */
  delete(key: string): { entry: Entry; durable: Promise<void> } | undefined {
    const previous = this.#entries.get(key);
    if (previous === undefined) return undefined;
    const revision = this.#store.next();
    const { metadata } = previous.object;
    const entry = new Entry(key, { ...previous.object, metadata: { ...metadata, resourceVersion: String(revision) } }, revision);
    this.#entries.delete(key);
    this.#sorted = undefined;
    return { entry, durable: this.#publish({ kind: 'delete', revision, entry, previous }) };
  }

  load(entry: Entry): void {
    this.#entries.set(entry.key, entry);
    this.#sorted = undefined;
  }

  #publish(change: Change): Promise<void> {
    this.#history.push(change);
    if (this.#history.length > this.#historySize * 1.25) this.#trim(this.#history.length - this.#historySize);
    return this.#store.commit(this.resource, change, () => {
      for (const listener of this.#listeners) listener(change);
    });
  }

  #trim(count: number): void {
    const last = this.#history[count - 1];
    if (last === undefined) return;
    this.#forgotten = last.revision;
    this.#history = this.#history.slice(count);
  }

  /** Drops the history, as a compaction does; watches from before get 410. */
  forget(): void {
    this.#forgotten = this.#store.revision;
    this.#history = [];
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The changes after `revision`, or undefined when some of them are forgotten. */
  since(revision: number): readonly Change[] | undefined {
    if (revision < this.#forgotten) return undefined;
    return this.#history.slice(firstAfter(this.#history, revision));
  }

  #keys(): readonly string[] {
    return (this.#sorted ??= [...this.#entries.keys()].sort(byCodePoint));
  }

  /** The entries whose keys start with `prefix`, in order. */
  list(prefix: string): Entry[] {
    const keys = this.#keys();
    const found: Entry[] = [];
    for (let i = prefix === '' ? 0 : lowerBound(keys, prefix); i < keys.length; i++) {
      const key = keys[i] as string;
      if (!key.startsWith(prefix)) break;
      found.push(this.#entries.get(key) as Entry);
    }
    return found;
  }

  /** As {@link list}, as things stood at a past revision; undefined when that is forgotten. */
  listAt(prefix: string, revision: number): Entry[] | undefined {
    const later = this.since(revision);
    if (later === undefined) return undefined;
    if (later.length === 0) return this.list(prefix);
    const entries = new Map(this.list(prefix).map((entry) => [entry.key, entry]));
    for (const { entry, previous } of later.toReversed()) {
      if (!entry.key.startsWith(prefix)) continue;
      if (previous === undefined) entries.delete(entry.key);
      else entries.set(entry.key, previous);
    }
    return [...entries.values()].sort((a, b) => byCodePoint(a.key, b.key));
  }
}

/** etcd orders keys by bytes; for the characters that names may have, code units give the same. */
function byCodePoint(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function lowerBound(keys: readonly string[], key: string): number {
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

function firstAfter(history: readonly Change[], revision: number): number {
  let [low, high] = [0, history.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((history[middle] as Change).revision <= revision) low = middle + 1;
    else high = middle;
  }
  return low;
}
