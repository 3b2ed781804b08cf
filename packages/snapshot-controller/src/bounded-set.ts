const MOST = 10_000;

/** Strings remembered in the order they came; beyond 10,000 the oldest is forgotten. */
export class BoundedSet {
  readonly #values = new Set<string>();

  add(value: string): void {
    this.#values.delete(value);
    this.#values.add(value);
    const oldest = this.#values.values().next();
    if (this.#values.size > MOST && oldest.done !== true) this.#values.delete(oldest.value);
  }

  delete(value: string): void {
    this.#values.delete(value);
  }

  has(value: string): boolean {
    return this.#values.has(value);
  }
}
