// Spoils every file in a folder in place, as a bad day would: the snapshot must not care.
import { closeSync, ftruncateSync, lstatSync, openSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

const SPOIL = Buffer.alloc(65_536, 'overwritten! ');
const YIELD_EVERY = 200;

function spoilFile(path: Buffer, size: number): void {
  const file = openSync(path, 'r+');
  try {
    for (const offset of [0, Math.floor(size / 2), Math.max(0, size - SPOIL.length)])
      writeSync(file, SPOIL, 0, Math.min(SPOIL.length, Math.max(16, size - offset)), offset);
    if (size > 4 * SPOIL.length) ftruncateSync(file, size - SPOIL.length);
  } finally {
    closeSync(file);
  }
}

/** Overwrites parts of each file and removes each symbolic link below `root`; resolves with how many. */
export async function overwriteFolder(root: string, signal: AbortSignal): Promise<number> {
  let spoiled = 0;
  const pending: Buffer[] = [Buffer.from(root)];
  for (let dir = pending.pop(); dir !== undefined; dir = pending.pop()) {
    for (const name of readdirSync(dir, { encoding: 'buffer' })) {
      if (spoiled % YIELD_EVERY === 0) await nextTurn();
      signal.throwIfAborted();
      const path = Buffer.concat([dir, Buffer.from('/'), name]);
      const stats = lstatSync(path);
      if (stats.isDirectory()) {
        pending.push(path);
        continue;
      }
      if (stats.isFile()) spoilFile(path, stats.size);
      else rmSync(path);
      spoiled++;
    }
  }
  return spoiled;
}
