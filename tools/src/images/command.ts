// Programs of this machine, run to their end.
import { spawn } from 'node:child_process';

const STDERR_BYTES = 4_000;

export interface CommandOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
  /** Shows what the program prints, instead of keeping it for an error. */
  isShown?: boolean;
}

export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly isMissing: boolean;

  constructor(command: string, said: string, cause?: unknown) {
    super(`${command} ${said}`, { cause });
    this.isMissing = (cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
  }
}

/**
 * Standard output of a program, as bytes.
 * @throws CommandError with the end of what it said on standard error
 */
export function output(command: string, args: readonly string[], options: CommandOptions = {}): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const shown = options.isShown === true ? 'inherit' : 'pipe';
    const child = spawn(command, args, { stdio: ['ignore', shown, shown], cwd: options.cwd, env: options.env ?? process.env });
    const parts: Buffer[] = [];
    let complaint = '';
    child.stdout?.on('data', (part: Buffer) => parts.push(part));
    child.stderr?.on('data', (part: Buffer) => (complaint = `${complaint}${String(part)}`.slice(-STDERR_BYTES)));
    child.on('error', (error) => reject(new CommandError(command, `could not be started: ${error.message}`, error)));
    child.on('close', (code, signal) => {
      if (code === 0) resolve(Buffer.concat(parts));
      else reject(new CommandError(`${command} ${args.join(' ')}`, `failed (${signal ?? `exit code ${code}`}): ${complaint.trim()}`));
    });
  });
}
