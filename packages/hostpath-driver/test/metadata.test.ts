// Changed block tracking, against a comparison byte by byte of what the snapshots really hold.
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { GetMetadataAllocatedResponse } from '@snapshot-stack/csi';
import {
  BLOCK,
  CALL,
  MiB,
  canMount,
  cleanUp,
  has,
  hasLoops,
  makeFileSystemIn,
  makeSnapshot,
  makeVolume,
  sh,
  startTestDriver,
  type TestDriver,
} from './harness.ts';

const BLOCK_BYTES = 4_096;
const SEED = 20_261_123;
const ROUNDS = 12;
const skip = !canMount ? 'mounting needs root' : !hasLoops ? 'loop devices are missing' : undefined;

interface Tuple {
  start: number;
  end: number;
}

/** All tuples of a stream, in order; checks what every stream owes its reader. */
async function collect(stream: AsyncIterable<GetMetadataAllocatedResponse>, capacity: bigint, maxResults: number): Promise<Tuple[]> {
  const tuples: Tuple[] = [];
  for await (const message of stream) {
    expect(message.volumeCapacityBytes).toBe(capacity);
    if (maxResults > 0) expect(message.blockMetadata.length).toBeLessThanOrEqual(maxResults);
    for (const { byteOffset, sizeBytes } of message.blockMetadata) {
      const start = Number(byteOffset);
      expect(start).toBeGreaterThanOrEqual(tuples.at(-1)?.end ?? 0);
      if (message.blockMetadataType === 1) expect(Number(sizeBytes)).toBe(capacity % BigInt(BLOCK_BYTES) === 0n ? BLOCK_BYTES : 512);
      tuples.push({ start, end: start + Number(sizeBytes) });
    }
  }
  return tuples;
}

/** Numbers of the blocks that differ, found by looking at every byte. */
function differingBlocks(a: Buffer, b: Buffer, block: number): number[] {
  const found: number[] = [];
  for (let at = 0; at < b.length; at += block) if (!a.subarray(at, at + block).equals(b.subarray(at, at + block))) found.push(at / block);
  return found;
}

function blocksOf(tuples: readonly Tuple[], block: number): number[] {
  return tuples.flatMap(({ start, end }) => Array.from({ length: (end - start) / block }, (_, i) => start / block + i));
}

const SYSTEMS = [
  { type: 'xfs', method: 'reflink', blockType: 'FIXED_LENGTH' },
  { type: 'btrfs', method: 'reflink', blockType: 'VARIABLE_LENGTH' },
  { type: 'ext4', method: 'copy', blockType: 'FIXED_LENGTH' },
] as const;

describe.each(SYSTEMS)('changed blocks on $type by $method, $blockType', ({ type, method, blockType }) => {
  const missing = skip ?? [`mkfs.${type}`, 'filefrag'].find((tool) => !has(tool));
  const suffix = missing === undefined ? '' : ` (skipped: ${missing})`;
  let base = '';
  let driver: TestDriver;
  beforeAll(async () => {
    if (missing !== undefined) return;
    base = mkdtempSync(join(tmpdir(), 'hostpath-cbt-'));
    const root = makeFileSystemIn(base, type, '1G');
    driver = await startTestDriver([`--snapshot-method=${method}`, '--enable-snapshot-metadata', `--snapshot-metadata-block-type=${blockType}`], root);
  });
  afterAll(async () => {
    if (base === '') return;
    await driver.dispose();
    cleanUp(base);
  });
  const image = (id: string, folder = 'snapshots'): string => join(driver.stateDir, folder, `${id}.img`);
  let names = 0;

  test.skipIf(missing !== undefined)(
    `are exact for random writes, holes, sizes and offsets (${ROUNDS} cases, seed ${SEED})${suffix}`,
    { timeout: 120_000 },
    async () => {
      const writes = fc.array(
        fc.record({ at: fc.nat(4 * 2 ** 20 - 1), length: fc.integer({ min: 1, max: 40_000 }), kind: fc.constantFrom('data', 'zeros', 'hole') }),
        { maxLength: 8 },
      );
      const cases = fc.record({ first: writes, second: writes, sectors: fc.nat(7), offset: fc.nat(4 * 2 ** 20), maxResults: fc.nat(20) });
      await fc.assert(
        fc.asyncProperty(cases, async ({ first, second, sectors, offset, maxResults }) => {
          const name = `case-${names++}`;
          const capacity = 4n * MiB + BigInt(sectors * 512);
          const id = await makeVolume(driver, name, { capability: BLOCK, bytes: capacity, limit: capacity });
          const write = (all: typeof first): void => {
            for (const { at, length, kind } of all) {
              if (kind === 'hole') sh(`fallocate -p -o ${at} -l ${length} ${image(id, 'volumes')}`);
              else
                sh(
                  `head -c ${length} /dev/${kind === 'data' ? 'urandom' : 'zero'} | dd of=${image(id, 'volumes')} bs=64k oflag=seek_bytes seek=${at} conv=notrunc status=none`,
                );
            }
            sh(`truncate -s ${capacity} ${image(id, 'volumes')}`); // writes past the end would make it longer
          };
          write(first);
          const one = await makeSnapshot(driver, `${name}-1`, id);
          write(second);
          const two = await makeSnapshot(driver, `${name}-2`, id);
          const [a, b] = [readFileSync(image(one)), readFileSync(image(two))];
          const block = capacity % BigInt(BLOCK_BYTES) === 0n ? BLOCK_BYTES : 512;
          const after = (blocks: number[]): number[] => blocks.filter((number) => (number + 1) * block > offset);
          const options = { startingOffset: BigInt(offset), maxResults };

          const delta = await collect(
            driver.csi.snapshotMetadata.getMetadataDelta({ baseSnapshotId: one, targetSnapshotId: two, ...options }, CALL),
            capacity,
            maxResults,
          );
          expect(blocksOf(delta, block)).toEqual(after(differingBlocks(a, b, block)));
          const allocated = await collect(driver.csi.snapshotMetadata.getMetadataAllocated({ snapshotId: two, ...options }, CALL), capacity, maxResults);
          const told = new Set(blocksOf(allocated, block));
          const withData = after(differingBlocks(Buffer.alloc(b.length), b, block));
          expect(withData.filter((number) => !told.has(number))).toEqual([]);
          for (const snapshotId of [one, two]) await driver.csi.controller.deleteSnapshot({ snapshotId }, CALL);
          await driver.csi.controller.deleteVolume({ volumeId: id }, CALL);
        }),
        { seed: SEED, numRuns: ROUNDS },
      );
    },
  );

  test.skipIf(missing !== undefined)(`leave holes out, outlive the volume and grow with it${suffix}`, async () => {
    const id = await makeVolume(driver, 'sparse', { capability: BLOCK, bytes: 64n * MiB });
    sh(`dd if=/dev/urandom of=${image(id, 'volumes')} bs=4096 count=2 seek=1000 conv=notrunc status=none`);
    const one = await makeSnapshot(driver, 'sparse-1', id);
    await driver.csi.controller.controllerExpandVolume({ volumeId: id, capacityRange: { requiredBytes: 128n * MiB, limitBytes: 0n } }, CALL);
    sh(`dd if=/dev/urandom of=${image(id, 'volumes')} bs=4096 count=1 seek=30000 conv=notrunc status=none`);
    const two = await makeSnapshot(driver, 'sparse-2', id);
    await driver.csi.controller.deleteVolume({ volumeId: id }, CALL);
    const allocated = await collect(
      driver.csi.snapshotMetadata.getMetadataAllocated({ snapshotId: one, startingOffset: 0n, maxResults: 0 }, CALL),
      64n * MiB,
      0,
    );
    const count = blocksOf(allocated, BLOCK_BYTES).length;
    expect(count).toBeGreaterThanOrEqual(2);
    expect(count).toBeLessThanOrEqual(64); // xfs places some blocks around what is written
    const request = { baseSnapshotId: one, targetSnapshotId: two, startingOffset: 0n, maxResults: 0 };
    expect(blocksOf(await collect(driver.csi.snapshotMetadata.getMetadataDelta(request, CALL), 128n * MiB, 0), BLOCK_BYTES)).toEqual([30_000]);
  });
});

describe('changed block tracking', () => {
  let driver: TestDriver | undefined;
  afterEach(async () => driver?.dispose());

  test('refuses what it cannot answer, and survives a reader who leaves', async () => {
    driver = await startTestDriver(['--enable-snapshot-metadata']);
    const { csi } = driver;
    const [folder, device] = [await makeVolume(driver, 'folder'), await makeVolume(driver, 'device', { capability: BLOCK })];
    const other = await makeVolume(driver, 'other', { capability: BLOCK });
    const [ofFolder, ofDevice, ofOther] = [
      await makeSnapshot(driver, 'f', folder),
      await makeSnapshot(driver, 'd', device),
      await makeSnapshot(driver, 'o', other),
    ];
    const allocated = async (snapshotId: string, startingOffset = 0n, maxResults = 0): Promise<Tuple[]> =>
      collect(csi.snapshotMetadata.getMetadataAllocated({ snapshotId, startingOffset, maxResults }, CALL), 4n * MiB, maxResults);
    await expect(allocated('')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(allocated('nothing')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(allocated(ofFolder)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(allocated(ofDevice, -1n)).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
    await expect(allocated(ofDevice, 4n * MiB + 1n)).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
    await expect(allocated(ofDevice, 0n, -5)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await allocated(ofDevice, 4n * MiB)).toEqual([]);
    const delta = csi.snapshotMetadata.getMetadataDelta({ baseSnapshotId: ofDevice, targetSnapshotId: ofOther, startingOffset: 0n, maxResults: 0 }, CALL);
    await expect(collect(delta, 4n * MiB, 0)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });

    const full = await makeVolume(driver, 'full', { capability: BLOCK, bytes: 64n * MiB });
    sh(`dd if=/dev/urandom of=${driver.stateDir}/volumes/${full}.img bs=1M count=64 conv=notrunc status=none`);
    const ofFull = await makeSnapshot(driver, 'full-1', full);
    const gone = new AbortController();
    const reading = (async () => {
      for await (const _ of csi.snapshotMetadata.getMetadataAllocated(
        { snapshotId: ofFull, startingOffset: 0n, maxResults: 1 },
        { ...CALL, signal: gone.signal },
      ))
        gone.abort();
    })();
    await expect(reading).rejects.toMatchObject({ code: 'CANCELLED' });
    expect((await csi.identity.probe({}, CALL)).ready).toBe(true);
  });
});
