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

export interface ObjectCacheOptions<T> {
  indexers?: Indexers<T>;
  /** Applied to objects that come in by {@link Cache.remember}. */
  transform?: (object: T) => T;
  /** Told of objects that came in by {@link Cache.remember}, as if the watch had brought them. */
  onRemembered?: (object: T, old: T | undefined) => void;
}

export class ObjectCache<T extends KubeObject> implements Cache<T> {
  readonly #options: ObjectCacheOptions<T>;
  readonly #objects = new Map<string, T>();
  readonly #indexes: ReadonlyMap<string, Index<T>>;
  /** Everything up to this version has been delivered. */
  #seenVersion = 0n;

  constructor(options: ObjectCacheOptions<T> = {}) {
    this.#options = options;
    this.#indexes = new Map(Object.entries(options.indexers ?? {}).map(([name, valuesOf]) => [name, new Index(valuesOf)]));
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
    const found = this.#indexes.get(index);
    if (found === undefined) throw new RangeError(`there is no index "${index}"; declared are ${[...this.#indexes.keys()].join(', ') || 'none'}`);
    return found.get(value);
  }

  remember(object: T): void {
    if (versionOf(object) <= this.#seenVersion) return;
    const old = this.get(keyOf(object));
    if (old !== undefined && versionOf(old) >= versionOf(object)) return;
    // A write that took off the last finalizer of a deleted object is answered with the object that is no more.
    const gone = object.metadata.deletionTimestamp !== undefined && (object.metadata.finalizers?.length ?? 0) === 0;
    if (gone) return;
    const kept = this.#options.transform?.(object) ?? object;
    this.put(kept);
    this.#options.onRemembered?.(kept, old);
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
    this.#objects.set(key, object);
    for (const index of this.#indexes.values()) index.put(key, object);
  }

  remove(key: string): T | undefined {
    const old = this.#objects.get(key);
    this.#objects.delete(key);
    for (const index of this.#indexes.values()) index.remove(key);
    return old;
  }
}

/** Value → the objects under it. The values are kept, so that it stays right even when a caller changes an object. */
class Index<T> {
  readonly #valuesOf: (object: T) => readonly string[];
  readonly #objects = new Map<string, Map<string, T>>();
  readonly #values = new Map<string, readonly string[]>();

  constructor(valuesOf: (object: T) => readonly string[]) {
    this.#valuesOf = valuesOf;
  }

  get(value: string): T[] {
    return [...(this.#objects.get(value)?.values() ?? [])];
  }

  put(key: string, object: T): void {
    this.remove(key);
    const values = this.#valuesOf(object);
    if (values.length === 0) return;
    this.#values.set(key, values);
    for (const value of values) {
      const entries = this.#objects.get(value) ?? new Map<string, T>();
      this.#objects.set(value, entries.set(key, object));
    }
  }

  remove(key: string): void {
    for (const value of this.#values.get(key) ?? []) {
      const entries = this.#objects.get(value);
      entries?.delete(key);
      if (entries?.size === 0) this.#objects.delete(value);
    }
    this.#values.delete(key);
  }
}
