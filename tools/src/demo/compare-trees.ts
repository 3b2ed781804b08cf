// Says whether two folders hold the same, byte for byte: names (as bytes, for not all are text), kinds,
// permissions, symlink targets and contents. Reads in bounded pieces and yields to the event loop, so that
// Ctrl-C and progress work however large the folders are.
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

const CHUNK_BYTES = 1 << 20;
const YIELD_EVERY_FILES = 200;
const DIFFERENCES_MAX = 10;

export interface Comparison {
  files: number;
  bytes: number;
  /** At most ten, as sentences; empty when the folders are identical. */
  differences: string[];
}

const SLASH = Buffer.from('/');

function child(parent: Buffer, name: Buffer): Buffer {
  return Buffer.concat([parent, SLASH, name]);
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'folder';
  if (stats.isSymbolicLink()) return 'symbolic link';
  if (stats.isFile()) return 'file';
  return 'special file';
}

function namesIn(dir: Buffer): Map<string, Buffer> {
  const names = readdirSync(dir, { encoding: 'buffer' });
  return new Map(names.map((name) => [name.toString('latin1'), name]));
}

const left = Buffer.allocUnsafe(CHUNK_BYTES);
const right = Buffer.allocUnsafe(CHUNK_BYTES);

/** The offset of the first byte that differs, or undefined. Both files have the same size. */
async function firstDifference(a: Buffer, b: Buffer, size: number): Promise<number | undefined> {
  if (size === 0) return undefined;
  const one = openSync(a, 'r');
  const two = openSync(b, 'r');
  try {
    for (let offset = 0; offset < size; offset += CHUNK_BYTES) {
      const read = readSync(one, left, 0, CHUNK_BYTES, offset);
      if (readSync(two, right, 0, CHUNK_BYTES, offset) !== read) return offset;
      if (left.compare(right, 0, read, 0, read) !== 0) return offset;
      if (offset > 0) await nextTurn();
    }
    return undefined;
  } finally {
    closeSync(one);
    closeSync(two);
  }
}

async function describeDifference(a: Buffer, b: Buffer, one: Stats, two: Stats): Promise<string | undefined> {
  if (kindOf(one) !== kindOf(two)) return `is a ${kindOf(one)} in the one and a ${kindOf(two)} in the other`;
  if (one.isSymbolicLink()) return readlinkSync(a, 'latin1') === readlinkSync(b, 'latin1') ? undefined : 'points elsewhere';
  if ((one.mode & 0o7777) !== (two.mode & 0o7777)) return `has mode ${(one.mode & 0o7777).toString(8)} and ${(two.mode & 0o7777).toString(8)}`;
  if (!one.isFile()) return undefined;
  if (one.size !== two.size) return `has ${one.size} bytes and ${two.size} bytes`;
  const offset = await firstDifference(a, b, one.size);
  return offset === undefined ? undefined : `differs within the MiB at byte ${offset}`;
}

/**
 * Compares two folders. `ignored` names entries at the top that do not count (`lost+found` of a fresh file system).
 * @param signal ends the comparison early, with its reason thrown
 */
export async function compareTrees(a: string, b: string, signal: AbortSignal, ignored: readonly string[] = []): Promise<Comparison> {
  const result: Comparison = { files: 0, bytes: 0, differences: [] };
  const pending: [Buffer, Buffer][] = [[Buffer.from(a), Buffer.from(b)]];
  const differs = (path: Buffer, how: string): number => result.differences.push(`${path.toString('utf8')} ${how}`);
  let seen = 0;
  while (pending.length > 0 && result.differences.length < DIFFERENCES_MAX) {
    const [dirA, dirB] = pending.pop() as [Buffer, Buffer];
    const [namesA, namesB] = [namesIn(dirA), namesIn(dirB)];
    if (seen === 0) for (const name of ignored) [namesA, namesB].forEach((names) => names.delete(name));
    for (const [key, name] of namesB) if (!namesA.has(key)) differs(child(dirB, name), 'is there and should not be');
    for (const [key, name] of namesA) {
      if (++seen % YIELD_EVERY_FILES === 0) await nextTurn();
      signal.throwIfAborted();
      const [pathA, pathB] = [child(dirA, name), child(dirB, name)];
      if (!namesB.has(key)) {
        differs(pathB, 'is missing');
        continue;
      }
      const [one, two] = [lstatSync(pathA), lstatSync(pathB)];
      const difference = await describeDifference(pathA, pathB, one, two);
      if (difference !== undefined) differs(pathB, difference);
      else if (one.isDirectory()) pending.push([pathA, pathB]);
      if (!one.isDirectory()) result.files++;
      if (one.isFile()) result.bytes += one.size;
    }
  }
  return { ...result, differences: result.differences.slice(0, DIFFERENCES_MAX) };
}
