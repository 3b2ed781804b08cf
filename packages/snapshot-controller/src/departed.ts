const REMEMBERED_MAX = 10_000;

/**
 * Names of contents whose deletion this process has seen. A content's name is derived from its snapshot's uid and
 * only the pass of that snapshot creates it, so one that was seen to go is surely gone: the API server need not
 * be asked. Names that fell out (the oldest beyond 10,000) are asked for.
 */
export class Departed {
  readonly #names = new Set<string>();

  add(name: string): void {
    this.#names.delete(name);
    this.#names.add(name);
    const oldest = this.#names.values().next();
    if (this.#names.size > REMEMBERED_MAX && oldest.done !== true) this.#names.delete(oldest.value);
  }

  delete(name: string): void {
    this.#names.delete(name);
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }
}
