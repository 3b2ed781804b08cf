// One operation at a time per object. A call that repeats a running one joins it and gets its outcome, so that a
// copy outlives the caller that gave up waiting; one that asks for something else meanwhile is told ABORTED.
import { CsiError } from '@snapshot-stack/csi';

interface Running {
  what: string;
  outcome: Promise<unknown>;
}

export class Operations {
  readonly #running = new Map<string, Running>();

  /**
   * @param objects names of all that the operation changes or relies on, `volume:<id>` for example
   * @param what identifies the operation: equal texts are the same one
   */
  async run<T>(objects: readonly string[], what: string, start: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (const object of objects) {
      const running = this.#running.get(object);
      if (running === undefined) continue;
      if (running.what === what) return orGivenUp(running.outcome as Promise<T>, signal);
      throw new CsiError('ABORTED', `an operation on ${object} is under way (${running.what.split(' ')[0] ?? ''}); the call may be repeated later`);
    }
    const outcome = (async () => start())().finally(() => {
      for (const object of objects) this.#running.delete(object);
    });
    for (const object of objects) this.#running.set(object, { what, outcome });
    return orGivenUp(outcome, signal);
  }

  /** Resolves when nothing runs any more. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled([...this.#running.values()].map(({ outcome }) => outcome));
  }
}

/** The outcome, or an error as soon as the caller has gone; the work itself goes on. */
async function orGivenUp<T>(outcome: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return outcome;
  const gone = new Promise<never>((_resolve, reject) => {
    const abort = (): void => reject(CsiError.from(signal.reason));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    void outcome.then(
      () => signal.removeEventListener('abort', abort),
      () => signal.removeEventListener('abort', abort),
    );
  });
  return Promise.race([outcome, gone]);
}
