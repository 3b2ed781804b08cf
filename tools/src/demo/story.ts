// What a person sees: one line as each thing happens, progress in place on a terminal, a table at the end.
import Table from 'cli-table3';

export interface Timing {
  step: string;
  ms: number;
  note: string;
}

export function mebibytes(bytes: number): string {
  return `${(bytes / (1 << 20)).toFixed(bytes < 10 << 20 ? 1 : 0)} MiB`;
}

export function seconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

export class Story {
  readonly #startedAt = performance.now();
  readonly #timings: Timing[] = [];
  #progressShown = false;

  /** One line, with the time since the start. */
  say(line: string): void {
    this.#clearProgress();
    const at = ((performance.now() - this.#startedAt) / 1_000).toFixed(1).padStart(6);
    console.log(`${at}s  ${line}`);
  }

  /** Overwrites the last line on a terminal; says nothing into a pipe. */
  progress(line: string): void {
    if (!process.stdout.isTTY) return;
    process.stdout.write(`\r\u001B[K         ${line}`);
    this.#progressShown = true;
  }

  #clearProgress(): void {
    if (this.#progressShown) process.stdout.write('\r\u001B[K');
    this.#progressShown = false;
  }

  /** Runs one step, says how long it took, and keeps that for the table. `note` is made from the outcome. */
  async step<T>(name: string, run: () => Promise<T>, note: (outcome: T) => string = () => ''): Promise<T> {
    const start = performance.now();
    const outcome = await run();
    const timing: Timing = { step: name, ms: performance.now() - start, note: note(outcome) };
    this.#timings.push(timing);
    this.say(`✓ ${name} in ${seconds(timing.ms)}${timing.note === '' ? '' : ` (${timing.note})`}`);
    return outcome;
  }

  table(): void {
    this.#clearProgress();
    const table = new Table({ head: ['step', 'time', ''], colAligns: ['left', 'right', 'left'], style: { head: [], border: [] } });
    for (const { step, ms, note } of this.#timings) table.push([step, seconds(ms), note]);
    console.log(`\n${table.toString()}\n`);
  }
}
