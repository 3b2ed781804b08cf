// A content's status from what the driver answered, and how a driver's error is put for its user.
import type { SnapshotError, VolumeSnapshotContent, VolumeSnapshotContentStatus } from '@snapshot-stack/api-types';
import { CsiError } from '@snapshot-stack/csi';
import type { DriverSnapshot } from '../driver.ts';

/** The members to write; null takes a member away. */
export type StatusChange = { [K in keyof VolumeSnapshotContentStatus]?: VolumeSnapshotContentStatus[K] | null };

/** What the answer adds to the recorded status; undefined when it is all there. Handle and creation time never change. */
export function statusChange(content: VolumeSnapshotContent, answer: DriverSnapshot, now: number): StatusChange | undefined {
  const is = content.status ?? {};
  const change: StatusChange = {};
  if (is.snapshotHandle === undefined) change.snapshotHandle = answer.handle;
  // The specification requires a creation time; 1970 (upstream) would be a lie where it is missing.
  if (is.creationTime === undefined) change.creationTime = answer.creationTime ?? BigInt(Math.floor(now)) * 1_000_000n;
  if (is.restoreSize === undefined && answer.sizeBytes !== undefined) change.restoreSize = answer.sizeBytes;
  if (is.readyToUse !== answer.ready) change.readyToUse = answer.ready;
  if (is.error !== undefined) change.error = null;
  if (is.volumeGroupSnapshotHandle === undefined && answer.groupHandle !== undefined) change.volumeGroupSnapshotHandle = answer.groupHandle;
  return Object.keys(change).length === 0 ? undefined : change;
}

/** Undefined when the same is recorded already, so that a retry that fails alike writes nothing. */
export function errorChange(content: VolumeSnapshotContent, message: string, now: number): StatusChange | undefined {
  if (content.status?.error?.message === message) return undefined;
  const error: SnapshotError = { message, time: new Date(now).toISOString().replace(/\.\d+Z$/, 'Z') };
  return content.status?.readyToUse === undefined ? { error, readyToUse: false } : { error };
}

/** The driver's words with its code in front: `INTERNAL: no space left`. */
export function describe(error: unknown): string {
  return error instanceof CsiError ? `${error.code}: ${error.message}` : error instanceof Error ? error.message : String(error);
}
