// Which parts of a file hold data, and where on the disk that is, as the file system tells it through filefrag
// (e2fsprogs; FIEMAP underneath, for which Node has no call). Two files that show the same place on the disk at the
// same offset share that data, so that it need not be read to know that it is equal.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** Bytes from `start` up to, and not with, `end`. */
export interface Range {
  start: number;
  end: number;
}

export interface Extent extends Range {
  /** Where on the disk, in bytes; undefined when that says nothing about the data (compressed, packed, not yet placed). */
  physical: number | undefined;
}

const TOOL = 'filefrag';

// "   3:    20480..   24575:  137900032.. 137904127:   4096:  137895936: last,shared,eof", units as -b1 asks for.
const LINE = /^\s*\d+:\s*(\d+)\.\.\s*(\d+):\s*(\d+)\.\.\s*(\d+):\s*(\d+):(?:\s*\d+:)?\s*(\S*)\s*$/;
const NO_PLACE = /inline|encoded|unknown_loc|delalloc|tail|not_aligned/;

/** An extent as a line of `filefrag -v -b1` tells it; undefined for other lines, and for space that is only set aside. */
export function parseExtent(line: string): Extent | undefined {
  const [, first, last, physical, , , flags = ''] = LINE.exec(line) ?? [];
  if (first === undefined || /unwritten/.test(flags)) return undefined;
  return { start: Number(first), end: Number(last) + 1, physical: NO_PLACE.test(flags) ? undefined : Number(physical) };
}

/**
 * The extents of a file in ascending order; what lies between them reads as zeros. The file must not change meanwhile.
 * @throws Error when there is no filefrag, or the file system cannot tell
 */
export async function* extentsOf(path: string, signal?: AbortSignal): AsyncGenerator<Extent> {
  const child = spawn(TOOL, ['-s', '-v', '-b1', path], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, LC_ALL: 'C' },
  });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (complaint = `${complaint}${text}`.slice(-500)));
  const ended = once(child, 'close') as Promise<[number | null]>;
  ended.catch(() => {}); // a failed start is told below
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      signal?.throwIfAborted();
      const extent = parseExtent(line);
      if (extent !== undefined) yield extent;
    }
    const [code] = await ended;
    if (code !== 0) throw new Error(`filefrag ${path} failed: ${complaint.trim() || `exit code ${code}`}`);
  } finally {
    child.kill('SIGKILL');
  }
}

/** Joins what touches or overlaps, and stretches ranges to whole blocks within the size. */
export async function* toBlocks(ranges: AsyncIterable<Range>, block: number, size: number): AsyncGenerator<Range> {
  let open: Range | undefined;
  for await (const range of ranges) {
    const start = Math.floor(range.start / block) * block;
    const end = Math.min(Math.ceil(range.end / block) * block, size);
    if (start >= end) continue;
    if (open !== undefined && start <= open.end) open.end = Math.max(open.end, end);
    else {
      if (open !== undefined) yield open;
      open = { start, end };
    }
  }
  if (open !== undefined) yield open;
}

/** The ranges in which two files may differ: where at least one has data, and not both show the same place on the disk. */
export async function* suspects(base: AsyncIterable<Extent>, target: AsyncIterable<Extent>): AsyncGenerator<Range> {
  const [left, right] = [base[Symbol.asyncIterator](), target[Symbol.asyncIterator]()];
  try {
    let [a, b] = [await next(left), await next(right)];
    while (a !== undefined || b !== undefined) {
      const start = Math.min(a?.start ?? Infinity, b?.start ?? Infinity);
      // The stretch from `start` in which neither file changes from extent to hole or back.
      const ends = [a, b].flatMap((extent) => (extent === undefined ? [] : extent.start > start ? [extent.start] : [extent.end]));
      const end = Math.min(...ends);
      const [inA, inB] = [within(a, start), within(b, start)];
      if (inA === undefined || inB === undefined || inA.physical === undefined || inA.physical !== inB.physical) yield { start, end };
      a = rest(a, end) ?? (await next(left));
      b = rest(b, end) ?? (await next(right));
    }
  } finally {
    await left.return?.();
    await right.return?.();
  }
}

async function next(iterator: AsyncIterator<Extent>): Promise<Extent | undefined> {
  const { done, value } = await iterator.next();
  return done === true ? undefined : value;
}

function within(extent: Extent | undefined, offset: number): Extent | undefined {
  return extent !== undefined && extent.start <= offset ? extent : undefined;
}

/** What is left of an extent from an offset on. */
function rest(extent: Extent | undefined, offset: number): Extent | undefined {
  if (extent === undefined || extent.end <= offset) return undefined;
  if (extent.start >= offset) return extent;
  return { start: offset, end: extent.end, physical: extent.physical === undefined ? undefined : extent.physical + offset - extent.start };
}
