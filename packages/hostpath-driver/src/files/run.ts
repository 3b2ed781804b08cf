// Child processes: bounded in output and in number, and their failures in words.
import { execFile } from 'node:child_process';
import { setPriority } from 'node:os';

const OUTPUT_BYTES_MAX = 8 * 2 ** 20;

export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number | undefined;
  readonly stderr: string;

  constructor(command: string, exitCode: number | undefined, stderr: string, cause: unknown) {
    super(`${command} failed: ${stderr.trim().split('\n').slice(0, 3).join('; ') || (cause as Error).message}`, { cause });
    this.exitCode = exitCode;
    this.stderr = stderr;
  }

  get isDiskFull(): boolean {
    return /No space left|Disk quota exceeded/.test(this.stderr);
  }

  /** Refused for want of root, or of a capability. */
  get isForbidden(): boolean {
    return /must be superuser|only root|Permission denied|Operation not permitted|not allowed/i.test(this.stderr);
  }

  get isMissing(): boolean {
    return (this.cause as NodeJS.ErrnoException).code === 'ENOENT';
  }
}

/** Behind everything else that wants the processor: a copy must not keep the driver from answering. */
const BACKGROUND = 15;

/**
 * Like `run`, for commands that take long: it dies with this process, however that ends, so that nothing goes on
 * writing into the data folder while the next process cleans up there. It yields to everything else.
 */
export async function runBound(command: string, args: readonly string[]): Promise<string> {
  try {
    return await run('setpriv', ['--pdeathsig', 'KILL', command, ...args], BACKGROUND);
  } catch (error) {
    if (error instanceof CommandError && error.isMissing) return run(command, args, BACKGROUND); // no util-linux here: without that safety
    throw error;
  }
}

function yieldTo(pid: number | undefined, niceness: number): void {
  if (pid === undefined || niceness === 0) return;
  try {
    setPriority(pid, niceness);
  } catch {
    // It has ended already.
  }
}

/**
 * Standard output of the command.
 * @param niceness how far it stands back for others, 0 to 19
 * @throws CommandError
 */
export function run(command: string, args: readonly string[], niceness = 0): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      command,
      [...args],
      { maxBuffer: OUTPUT_BYTES_MAX, encoding: 'utf8', env: { ...process.env, LC_ALL: 'C', PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` } },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new CommandError(command, typeof error.code === 'number' ? error.code : undefined, stderr, error));
      },
    );
    yieldTo(child.pid, niceness);
  });
}

/** Lets only so many tasks run at once; the others wait in order. */
export class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(size: number) {
    this.#free = Math.max(1, size);
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
