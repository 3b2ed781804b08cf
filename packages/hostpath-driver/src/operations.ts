// Who may work on what at once. An operation changes some objects (nobody else may touch them) and relies on
// others (several may, but nobody may change them). A call that repeats a running one joins it and gets its
// outcome, so that a copy outlives the caller that gave up waiting; one that would disturb another is told ABORTED.
import { CsiError } from '@snapshot-stack/csi';

interface Running {
  what: string;
  outcome: Promise<unknown>;
}

interface Holders {
  changing: Running | undefined;
  relying: Set<Running>;
}

export interface OperationOptions {
  /** Names of what the operation changes, `volume 7f…` for example. */
  changes: readonly string[];
  /** Names of what must stay as it is meanwhile. */
  relies?: readonly string[];
  /** The call and all that matters of its request: equal texts on equal objects are the same operation. */
  what: string;
  /** Of the caller: when it aborts, the caller is let go, and the work goes on. */
  signal?: AbortSignal;
}

export class Operations {
  readonly #holders = new Map<string, Holders>();
  readonly #running = new Set<Running>();

  /** @throws CsiError ABORTED when another operation is in the way; whatever `start` throws */
  run<T>(options: OperationOptions, start: () => Promise<T>): Promise<T> {
    const { changes, relies = [], what, signal } = options;
    const same = this.#inTheWay(changes, relies, what);
    if (same !== undefined) return orGivenUp(same.outcome as Promise<T>, signal);
    const running: Running = { what, outcome: Promise.resolve() };
    this.#hold(running, changes, relies);
    const outcome = (async () => start())().finally(() => this.#release(running, changes, relies));
    running.outcome = outcome;
    return orGivenUp(outcome, signal);
  }

  /** The running operation that equals the wanted one, if any. */
  #inTheWay(changes: readonly string[], relies: readonly string[], what: string): Running | undefined {
    for (const object of [...changes, ...relies]) {
      const holders = this.#holders.get(object);
      const others = holders === undefined ? [] : [...(holders.changing === undefined ? [] : [holders.changing]), ...holders.relying];
      for (const other of others) {
        const changing = other === holders?.changing;
        if (changing && other.what === what && changes.includes(object)) return other;
        if (changing || changes.includes(object)) throw busy(object, other);
      }
    }
    return undefined;
  }

  #hold(running: Running, changes: readonly string[], relies: readonly string[]): void {
    this.#running.add(running);
    for (const object of changes) this.#holders.set(object, { changing: running, relying: new Set() });
    for (const object of relies) {
      const holders = this.#holders.get(object) ?? { changing: undefined, relying: new Set() };
      holders.relying.add(running);
      this.#holders.set(object, holders);
    }
  }

  #release(running: Running, changes: readonly string[], relies: readonly string[]): void {
    this.#running.delete(running);
    for (const object of changes) this.#holders.delete(object);
    for (const object of relies) {
      const holders = this.#holders.get(object);
      holders?.relying.delete(running);
      if (holders?.relying.size === 0) this.#holders.delete(object);
    }
  }

  /** How many operations run now. */
  get size(): number {
    return this.#running.size;
  }

  /** Resolves when nothing runs any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled([...this.#running].map(({ outcome }) => outcome));
  }
}

function busy(object: string, other: Running): CsiError {
  const call = other.what.split(' ')[0] ?? 'an operation';
  return new CsiError('ABORTED', `${call} is under way on ${object.slice(0, 120)}; the call may be repeated later`);
}

/** The outcome, or an error as soon as the caller has gone; the work itself goes on. */
async function orGivenUp<T>(outcome: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return outcome;
  let abort = (): void => {};
  const gone = new Promise<never>((_resolve, reject) => {
    abort = () => reject(CsiError.from(signal.reason));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
  });
  try {
    return await Promise.race([outcome, gone]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
