// Copies a folder's contents with everything that belongs to it (modes, owners, times, links, holes), in a
// child process, and reports progress by the names that cp prints.
import { spawn } from 'node:child_process';
import { DemoError } from './demo-error.ts';

const ERROR_BYTES_MAX = 4_096;

/**
 * Copies what is in `from` into the existing folder `to`.
 * @param onFile called with the number of entries copied so far
 * @throws DemoError with cp's own words (a full disk, an unreadable file); the signal's reason when aborted
 */
export async function copyFolder(from: string, to: string, signal: AbortSignal, onFile: (copied: number) => void = () => {}): Promise<void> {
  signal.throwIfAborted();
  const child = spawn('cp', ['-a', '-v', '--reflink=auto', '--sparse=auto', '--', `${from}/.`, to], { stdio: ['ignore', 'pipe', 'pipe'] });
  const abort = (): void => void child.kill('SIGTERM');
  signal.addEventListener('abort', abort, { once: true });
  let copied = 0;
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 10) copied++;
    onFile(copied);
  });
  child.stderr.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString('utf8')).slice(0, ERROR_BYTES_MAX)));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  signal.removeEventListener('abort', abort);
  signal.throwIfAborted();
  if (code === 0) return;
  const lines = errors.trim().split('\n');
  throw new DemoError(`copying ${from} to ${to} failed: ${lines.slice(0, 3).join('; ')}${lines.length > 3 ? ` (and ${lines.length - 3} more)` : ''}`);
}
