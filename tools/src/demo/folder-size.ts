// Looks through a folder before anything is started: what it holds, and whether all of it can be read.
import { accessSync, constants, lstatSync, readdirSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DemoError } from './demo-error.ts';

export interface FolderSize {
  /** Everything but folders. */
  files: number;
  /** As ls shows them; holes count. */
  bytes: number;
  /** Blocks on disk: what a copy that keeps holes needs. */
  diskBytes: number;
}

const YIELD_EVERY = 500;

function explain(path: string, error: unknown): DemoError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return new DemoError(`the folder ${path} does not exist`, { cause: error });
  if (code === 'ENOTDIR') return new DemoError(`${path} is a file; --from takes a folder`, { cause: error });
  if (code === 'EACCES' || code === 'EPERM')
    return new DemoError(`${path} cannot be read by this user; change its permissions or leave it out`, { cause: error });
  return new DemoError(`${path} cannot be read: ${message}`, { cause: error });
}

/** @throws DemoError naming the first entry that cannot be read */
export async function measureFolder(root: string, signal: AbortSignal): Promise<FolderSize> {
  const size: FolderSize = { files: 0, bytes: 0, diskBytes: 0 };
  const pending: Buffer[] = [Buffer.from(root)];
  let seen = 0;
  for (let dir = pending.pop(); dir !== undefined; dir = pending.pop()) {
    let path = dir;
    try {
      for (const name of readdirSync(dir, { encoding: 'buffer' })) {
        if (++seen % YIELD_EVERY === 0) await nextTurn();
        signal.throwIfAborted();
        path = Buffer.concat([dir, Buffer.from('/'), name]);
        const stats = lstatSync(path);
        if (stats.isDirectory()) {
          pending.push(path);
          continue;
        }
        if (stats.isFile()) accessSync(path, constants.R_OK);
        size.files++;
        size.bytes += stats.isFile() ? stats.size : 0;
        size.diskBytes += stats.blocks * 512;
      }
    } catch (error) {
      signal.throwIfAborted();
      throw explain(path.toString('utf8'), error);
    }
  }
  return size;
}
