// The SnapshotMetadata service: which blocks of a snapshot hold data, and which differ from an earlier one of the
// same volume. Sources: CSI spec, "Snapshot Metadata Service RPCs". Where the file system shares blocks between
// snapshots, only what it does not share is read; the answer is exact to the block either way.
import {
  BlockMetadataType,
  CsiError,
  type BlockMetadata,
  type GetMetadataAllocatedResponse,
  type ServiceHandlers,
  type SnapshotMetadataService,
} from '@snapshot-stack/csi';
import type { Driver } from '../driver.ts';
import { changedRanges } from '../files/compare.ts';
import { extentsOf, suspects, toBlocks, type Range } from '../files/extents.ts';
import { invalidArgument, required, shown, snapshotOf } from '../requests.ts';
import type { SnapshotRow } from '../state/state.ts';

const BLOCK_BYTES = 4_096;
const SECTOR_BYTES = 512;
const RESULTS_DEFAULT = 1_024;
const RESULTS_MAX = 16_384;

interface Query {
  startingOffset: bigint;
  maxResults: number;
}

function blockSnapshot(driver: Driver, id: string, field: string): SnapshotRow {
  required(id, field);
  const row = snapshotOf(driver.state, id);
  if (row.access !== 'block') throw invalidArgument(`snapshot ${shown(id)} is of a Filesystem volume; changed blocks are told of Block volumes only`);
  return row;
}

function checkQuery(row: SnapshotRow, { startingOffset, maxResults }: Query): void {
  if (maxResults < 0) throw invalidArgument(`max_results is ${maxResults}; it may not be negative`);
  if (startingOffset < 0n || startingOffset > row.sizeBytes)
    throw new CsiError('OUT_OF_RANGE', `starting_offset is ${startingOffset}; snapshot ${row.id} has ${row.sizeBytes} bytes`);
}

function blockSizeOf(row: SnapshotRow): number {
  return row.sizeBytes % BigInt(BLOCK_BYTES) === 0n ? BLOCK_BYTES : SECTOR_BYTES;
}

/** What of the ranges ends after the offset, beginning with the block that holds it. */
async function* from(ranges: AsyncIterable<Range>, offset: number, block: number): AsyncGenerator<Range> {
  const first = Math.floor(offset / block) * block;
  for await (const { start, end } of ranges) if (end > offset) yield { start: Math.max(start, first), end };
}

function* tuples(range: Range, step: number): Generator<BlockMetadata> {
  for (let at = range.start; at < range.end; at += step) {
    yield { byteOffset: BigInt(at), sizeBytes: BigInt(Math.min(step, range.end - at)) };
  }
}

/** Puts ranges into messages of at most the wanted number of tuples. Without any, there is one empty message. */
async function* messages(row: SnapshotRow, ranges: AsyncIterable<Range>, fixed: boolean, maxResults: number): AsyncGenerator<GetMetadataAllocatedResponse> {
  const most = maxResults === 0 ? RESULTS_DEFAULT : Math.min(maxResults, RESULTS_MAX);
  const message = (blockMetadata: BlockMetadata[]): GetMetadataAllocatedResponse => ({
    blockMetadataType: fixed ? BlockMetadataType.FIXED_LENGTH : BlockMetadataType.VARIABLE_LENGTH,
    volumeCapacityBytes: row.sizeBytes,
    blockMetadata,
  });
  let sent = false;
  let batch: BlockMetadata[] = [];
  for await (const range of ranges) {
    for (const tuple of tuples(range, fixed ? blockSizeOf(row) : range.end - range.start)) {
      if (batch.push(tuple) < most) continue;
      yield message(batch);
      [batch, sent] = [[], true];
    }
  }
  if (batch.length > 0 || !sent) yield message(batch);
}

/** The extents of a file, or one that says nothing and spans all of it where the file system cannot tell. */
async function* extentsOrAll(driver: Driver, path: string, size: number, signal: AbortSignal): AsyncGenerator<Range & { physical: number | undefined }> {
  let told = false;
  try {
    for await (const extent of extentsOf(path, signal)) {
      told = true;
      yield extent;
    }
  } catch (error) {
    if (told || signal.aborted) throw error;
    driver.log.info('extents are unknown, so all the data is read', { error: (error as Error).message });
    if (size > 0) yield { start: 0, end: size, physical: undefined };
  }
}

export function snapshotMetadataHandlers(driver: Driver): ServiceHandlers<typeof SnapshotMetadataService> {
  const { layout, options } = driver;
  const fixed = options['snapshot-metadata-block-type'] !== 'VARIABLE_LENGTH';
  const extents = (row: SnapshotRow, signal: AbortSignal): AsyncGenerator<Range & { physical: number | undefined }> =>
    extentsOrAll(driver, layout.snapshot(row.id, row.backend), Number(row.sizeBytes), signal);
  return {
    getMetadataAllocated: async function* (request, { signal }) {
      const row = blockSnapshot(driver, request.snapshotId, 'snapshot_id');
      checkQuery(row, request);
      const block = blockSizeOf(row);
      const ranges = toBlocks(extents(row, signal), block, Number(row.sizeBytes));
      yield* messages(row, from(ranges, Number(request.startingOffset), block), fixed, request.maxResults);
    },
    getMetadataDelta: async function* (request, { signal }) {
      const base = blockSnapshot(driver, request.baseSnapshotId, 'base_snapshot_id');
      const target = blockSnapshot(driver, request.targetSnapshotId, 'target_snapshot_id');
      if (base.volumeId !== target.volumeId)
        throw invalidArgument(`snapshots ${base.id} and ${target.id} are of different volumes (${base.volumeId} and ${target.volumeId})`);
      checkQuery(target, request);
      const block = blockSizeOf(target);
      const offset = Number(request.startingOffset);
      const size = Number(target.sizeBytes);
      const read = from(toBlocks(suspects(extents(base, signal), extents(target, signal)), block, size), offset, block);
      const changed = changedRanges(layout.snapshot(base.id, base.backend), layout.snapshot(target.id, target.backend), read, block, signal);
      yield* messages(target, toBlocks(changed, block, size), fixed, request.maxResults);
    },
  };
}
