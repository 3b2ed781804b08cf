// Bounds the memory of bodies that are read at the same time: small ones come in as they like, large ones take turns.
// Who waits is not read from, so that its bytes wait at the sender.

/** Bodies up to here are not counted: as many as there may be connections are no burden. */
export const SMALL_BYTES: number = 64 * 1024;

interface Waiting {
  readonly bytes: number;
  readonly go: () => void;
}

export class ByteBudget {
  readonly #limit: number;
  #taken = 0;
  readonly #waiting: Waiting[] = [];

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Resolves when the bytes may be read, in the order of the calls. Give them back by the function that comes first:
   * it may be called at any time, and then ends the waiting too.
   */
  take(bytes: number): { readonly giveBack: () => void; readonly granted: Promise<void> } {
    // A body larger than the whole budget is read alone.
    const counted = Math.min(bytes, this.#limit);
    const { promise, resolve } = Promise.withResolvers<void>();
    let state: 'waiting' | 'taken' | 'over' = 'waiting';
    const waiting: Waiting = {
      bytes: counted,
      go: () => {
        state = 'taken';
        resolve();
      },
    };
    this.#waiting.push(waiting);
    this.#next();
    const giveBack = (): void => {
      if (state === 'taken') this.#taken -= counted;
      else if (state === 'waiting') this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      state = 'over';
      resolve();
      this.#next();
    };
    return { giveBack, granted: promise };
  }

  #next(): void {
    for (let first = this.#waiting[0]; first !== undefined && this.#taken + first.bytes <= this.#limit; first = this.#waiting[0]) {
      this.#waiting.shift();
      this.#taken += first.bytes;
      first.go();
    }
  }
}
