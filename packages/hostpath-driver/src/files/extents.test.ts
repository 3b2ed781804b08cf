import { describe, expect, test } from 'vitest';
import { parseExtent, suspects, toBlocks, type Extent, type Range } from './extents.ts';

async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const at = (start: number, end: number, physical?: number): Extent => ({ start, end, physical });
const suspectsOf = (base: Extent[], target: Extent[]): Promise<Range[]> => all(suspects(each(base), each(target)));

describe('a line of filefrag', () => {
  test.each([
    ['   0:    20480..   32767: 13559025664..13559037951:  12288:      20480: last', at(20_480, 32_768, 13_559_025_664)],
    ['   1:        0..    4095:       4096..      8191:   4096:             shared', at(0, 4_096, 4_096)],
    ['   2:        0..     999:          0..       999:   1000:             last,not_aligned,inline,eof', at(0, 1_000)],
    ['   3:        0..  131071:   13631488..  13762559: 131072:             encoded,shared', at(0, 131_072)],
    ['   4:        0..    4095:       4096..      8191:   4096:             unwritten', undefined],
    [' ext:     logical_offset:        physical_offset: length:   expected: flags:', undefined],
    ['/a/file: 1 extent found', undefined],
  ])('%j', (line, extent) => {
    expect(parseExtent(line)).toEqual(extent);
  });
});

describe('two files may differ', () => {
  test('nowhere when they share all, however their extents are cut', async () => {
    expect(await suspectsOf([at(0, 100, 1_000)], [at(0, 40, 1_000), at(40, 100, 1_040)])).toEqual([]);
  });

  test('where only one has data', async () => {
    expect(await suspectsOf([at(0, 100, 1_000)], [])).toEqual([{ start: 0, end: 100 }]);
    expect(await suspectsOf([], [at(0, 10, 0), at(50, 60, 0)])).toEqual([
      { start: 0, end: 10 },
      { start: 50, end: 60 },
    ]);
  });

  test('where the middle of a shared extent was written anew', async () => {
    expect(await suspectsOf([at(0, 100, 1_000)], [at(0, 30, 1_000), at(30, 50, 7_000), at(50, 100, 1_050)])).toEqual([{ start: 30, end: 50 }]);
  });

  test('where a place on the disk says nothing', async () => {
    expect(await suspectsOf([at(0, 10)], [at(0, 10)])).toEqual([{ start: 0, end: 10 }]);
  });
});

describe('ranges as blocks', () => {
  test('are stretched to whole blocks, joined where they touch, and end with the file', async () => {
    const ranges = [
      { start: 1, end: 3 },
      { start: 10, end: 11 },
      { start: 12, end: 20 },
      { start: 95, end: 200 },
    ];
    expect(await all(toBlocks(each(ranges), 8, 99))).toEqual([
      { start: 0, end: 24 },
      { start: 88, end: 99 },
    ]);
  });
});
