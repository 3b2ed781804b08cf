// The objects an informer knows, by key and by index. Indexes are kept up to date with each change, so that
// looking up "all snapshots of this claim" costs what it returns, however many objects there are.
import { keyOf, type KubeObject } from '@snapshot-stack/api-types';

/** For each index, the values under which an object is found. */
export type Indexers<T> = Readonly<Record<string, (object: T) => readonly string[]>>;

export interface Cache<T extends KubeObject> {
  /** By `namespace/name`, or `name` for cluster-scoped kinds. */
  get(key: string): T | undefined;
  list(): readonly T[];
  /** @throws RangeError for an index that was not declared */
  byIndex(index: string, value: string): readonly T[];
  readonly size: number;
  /**
   * Puts in the answer of our own write, so that the next pass reads what we wrote. It is kept only when it is
   * newer than everything the watch has delivered: otherwise the object may have changed or gone since.
   */
  remember(object: T): void;
}

/** Kubernetes promises since 1.35 that resourceVersions of one resource compare as integers; they always did. */
export function versionOf(object: KubeObject): bigint {
  const text = object.metadata.resourceVersion ?? '0';
  return /^\d+$/.test(text) ? BigInt(text) : 0n;
}

type Change<T> = (object: T | undefined, old: T | undefined) => void;

export class ObjectCache<T extends KubeObject> implements Cache<T> {
  readonly #objects = new Map<string, T>();
  readonly #indexers: Indexers<T>;
  readonly #indexes: Map<string, Map<string, Map<string, T>>>;
  readonly #onRemembered: Change<T>;
  /** Everything up to this version has been delivered. */
  #seenVersion = 0n;

  /** @param onRemembered told of objects that came in by {@link remember}, as if the watch had brought them */
  constructor(indexers: Indexers<T> = {}, onRemembered: Change<T> = () => {}) {
    this.#indexers = indexers;
    this.#indexes = new Map(Object.keys(indexers).map((name) => [name, new Map()]));
    this.#onRemembered = onRemembered;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  list(): readonly T[] {
    return [...this.#objects.values()];
  }

  keys(): IterableIterator<string> {
    return this.#objects.keys();
  }

  get size(): number {
    return this.#objects.size;
  }

  byIndex(index: string, value: string): readonly T[] {
    const values = this.#indexes.get(index);
    if (values === undefined) throw new RangeError(`there is no index "${index}"; declared are ${[...this.#indexes.keys()].join(', ') || 'none'}`);
    return [...(values.get(value)?.values() ?? [])];
  }

  remember(object: T): void {
    if (versionOf(object) <= this.#seenVersion) return;
    const old = this.get(keyOf(object));
    if (old !== undefined && versionOf(old) >= versionOf(object)) return;
    // A write that took off the last finalizer of a deleted object is answered with the object that is no more.
    const gone = object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers?.length ?? 0) === 0;
    if (gone) return;
    this.put(object);
    this.#onRemembered(object, old);
  }

  /** The watch has delivered everything up to this version. */
  advanceTo(version: bigint): void {
    if (version > this.#seenVersion) this.#seenVersion = version;
  }

  /** After a relist from a server that forgot (a restore from backup), versions start over. */
  resetVersion(version: bigint): void {
    this.#seenVersion = version;
  }

  get seenVersion(): bigint {
    return this.#seenVersion;
  }

  put(object: T): void {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    if (old !== undefined) this.#unindex(key, old);
    this.#objects.set(key, object);
    for (const [name, values] of this.#valuesOf(object)) {
      for (const value of values) {
        const index = this.#indexes.get(name);
        const entries = index?.get(value) ?? new Map<string, T>();
        entries.set(key, object);
        index?.set(value, entries);
      }
    }
  }

  remove(key: string): T | undefined {
    const old = this.#objects.get(key);
    if (old === undefined) return undefined;
    this.#unindex(key, old);
    this.#objects.delete(key);
    return old;
  }

  #unindex(key: string, old: T): void {
    for (const [name, values] of this.#valuesOf(old)) {
      for (const value of values) {
        const index = this.#indexes.get(name);
        const entries = index?.get(value);
        entries?.delete(key);
        if (entries?.size === 0) index?.delete(value);
      }
    }
  }

  #valuesOf(object: T): [string, readonly string[]][] {
    return Object.entries(this.#indexers).map(([name, index]) => [name, index(object)]);
  }
}
