// The snapshot's status as its content has it: what would be true, what of that is not written yet, and which
// news in it the user is told.
import {
  bytesOf,
  formatBytes,
  isBeingDeleted,
  nanosToTimestamp,
  type VolumeSnapshot,
  type VolumeSnapshotContent,
  type VolumeSnapshotStatus,
  type EventReason,
} from '@snapshot-stack/api-types';
import { act, settled, type Action, type Plan, type StatusChange } from './plan.ts';
import { isBeingCreated } from './questions.ts';

/**
 * How old a content without news may be before its name alone is written to the snapshot. A driver that answers
 * at once saves that write; creationTimestamp has whole seconds, so this is between one and two seconds.
 */
export const BOUND_NAME_AFTER_MS = 2_000;

/** What to do so that the snapshot's status tells what its own content tells. */
export function reflect(snapshot: VolumeSnapshot, content: VolumeSnapshotContent, now: number): Plan {
  const change = statusChange(snapshot, content);
  if (change === undefined) return settled('status tells the truth');
  const waitMs = waitForNews(snapshot, content, now);
  if (waitMs > 0) return { why: 'the driver may answer at once', actions: [], next: { kind: 'after', ms: waitMs } };
  return act('content moved on', { kind: 'setStatus', snapshot, status: change }, ...newsIn(snapshot, change));
}

function waitForNews(snapshot: VolumeSnapshot, content: VolumeSnapshotContent, now: number): number {
  const nothingToTell = content.status === undefined && snapshot.status?.error === undefined && !isBeingDeleted(content);
  if (!nothingToTell) return 0;
  const created = Date.parse(content.metadata.creationTimestamp ?? '');
  return Number.isNaN(created) ? 0 : Math.max(0, created + BOUND_NAME_AFTER_MS - now);
}

/** The members of the snapshot's status that are not yet as the content has them; undefined when there are none. */
export function statusChange(snapshot: VolumeSnapshot, content: VolumeSnapshotContent): StatusChange | undefined {
  const is = snapshot.status ?? {};
  const { creationTime, restoreSize, readyToUse = false } = content.status ?? {};
  const change: StatusChange = {};
  const name = content.metadata.name ?? '';
  if (is.boundVolumeSnapshotContentName !== name) change.boundVolumeSnapshotContentName = name;
  if (is.readyToUse !== readyToUse) change.readyToUse = readyToUse;
  if (creationTime !== undefined && is.creationTime !== nanosToTimestamp(creationTime)) change.creationTime = nanosToTimestamp(creationTime);
  if (restoreSize !== undefined && BigInt(restoreSize) > 0n && !isSize(is.restoreSize, BigInt(restoreSize)))
    change.restoreSize = formatBytes(BigInt(restoreSize));
  const error = readyToUse ? undefined : errorOf(content);
  if (error === undefined && is.error !== undefined) change.error = null;
  if (error !== undefined && is.error?.message !== error.message) change.error = error;
  return Object.keys(change).length === 0 ? undefined : change;
}

function isSize(written: VolumeSnapshotStatus['restoreSize'], bytes: bigint): boolean {
  return written !== undefined && bytesOf(written) === bytes;
}

function errorOf(content: VolumeSnapshotContent): VolumeSnapshotStatus['error'] {
  // An error without a message crashes upstream; here it is still an error.
  if (content.status?.error !== undefined) return { message: 'the driver gave no reason', ...content.status.error };
  const isAbandoned = isBeingDeleted(content) && content.status?.snapshotHandle === undefined && !isBeingCreated(content);
  if (!isAbandoned) return undefined;
  const message = `VolumeSnapshotContent [${content.metadata.name}] was deleted before the snapshot was taken; delete this VolumeSnapshot and create it anew`;
  return { message, time: content.metadata.deletionTimestamp ?? '' };
}

function newsIn(snapshot: VolumeSnapshot, change: StatusChange): Action[] {
  const name = `${snapshot.metadata.namespace}/${snapshot.metadata.name}`;
  const news: Action[] = [];
  const tell = (type: 'Normal' | 'Warning', reason: EventReason, message: string): void => void news.push({ kind: 'say', snapshot, type, reason, message });
  if (change.creationTime !== undefined && snapshot.status?.creationTime === undefined) {
    tell('Normal', 'SnapshotCreated', `Snapshot ${name} was successfully created by the CSI driver.`);
  }
  if (change.readyToUse === true) tell('Normal', 'SnapshotReady', `Snapshot ${name} is ready to use.`);
  if (change.error)
    tell('Warning', 'SnapshotCreationFailed', `${change.error.message}; it is tried again by itself, with pauses that grow to --retry-interval-max`);
  return news;
}
