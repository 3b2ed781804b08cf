// Reads two files side by side where they may differ, and tells the blocks that really do.
import { open, type FileHandle } from 'node:fs/promises';
import type { Range } from './extents.ts';

const CHUNK_BYTES = 2 ** 20;

/** Bytes of the file; beyond its end there are zeros. */
async function readFull(file: FileHandle | undefined, buffer: Buffer, start: number): Promise<void> {
  let filled = 0;
  if (file !== undefined) {
    for (let read = 1; read > 0 && filled < buffer.length; filled += read) {
      read = (await file.read(buffer, filled, buffer.length - filled, start + filled)).bytesRead;
    }
  }
  buffer.fill(0, filled);
}

/** The blocks within a piece that differ, as ranges from `offset` on. */
function* differing(a: Buffer, b: Buffer, offset: number, block: number): Generator<Range> {
  if (a.equals(b)) return;
  let start: number | undefined;
  for (let at = 0; at < a.length; at += block) {
    const end = Math.min(at + block, a.length);
    const same = a.compare(b, at, end, at, end) === 0;
    if (!same) start ??= at;
    else if (start !== undefined) {
      yield { start: offset + start, end: offset + at };
      start = undefined;
    }
  }
  if (start !== undefined) yield { start: offset + start, end: offset + a.length };
}

/**
 * Where `target` differs from `base` within the given ranges, which start and end on whole blocks (but the last).
 * @param basePath undefined compares with zeros
 */
export async function* changedRanges(
  basePath: string | undefined,
  targetPath: string,
  within: AsyncIterable<Range>,
  block: number,
  signal: AbortSignal,
): AsyncGenerator<Range> {
  const base = basePath === undefined ? undefined : await open(basePath, 'r');
  const target = await open(targetPath, 'r').catch(async (error: unknown) => {
    await base?.close();
    throw error;
  });
  const [left, right] = [Buffer.alloc(CHUNK_BYTES), Buffer.alloc(CHUNK_BYTES)];
  try {
    for await (const range of within) {
      for (let at = range.start; at < range.end; at += CHUNK_BYTES) {
        signal.throwIfAborted();
        const length = Math.min(CHUNK_BYTES, range.end - at);
        const [a, b] = [left.subarray(0, length), right.subarray(0, length)];
        await Promise.all([readFull(base, a, at), readFull(target, b, at)]);
        yield* differing(a, b, at, block);
      }
    }
  } finally {
    await base?.close();
    await target.close();
  }
}
