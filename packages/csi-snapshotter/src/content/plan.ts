// What a decision about one content comes to. Each plan is carried out whole in one pass; the process may die
// after any of its writes or calls, and the next pass decides again from what is then recorded.
import type { VolumeSnapshotContent } from '@snapshot-stack/api-types';

export type ContentPlan =
  | { kind: 'nothing'; why: string }
  /**
   * Call CreateSnapshot and record the answer. The guard (being-created) and the finalizer are written before
   * where they are not there yet. `keepGuard`: the driver is asked again by the same call until it is ready, so
   * the guard stays until then.
   */
  | { kind: 'create'; content: VolumeSnapshotContent; keepGuard: boolean; why: string }
  /** Ask for the state of a snapshot whose handle is known. */
  | { kind: 'check'; content: VolumeSnapshotContent; handle: string; by: 'GetSnapshot' | 'ListSnapshots' | 'trust'; thenCreate: boolean }
  /** The driver has answered, so nothing is running any more. */
  | { kind: 'dropGuard'; content: VolumeSnapshotContent }
  /** Delete the snapshot at the driver (where there is one to delete) and let the content go. */
  | { kind: 'delete'; content: VolumeSnapshotContent; handle: string | undefined };

export function nothing(why: string): ContentPlan {
  return { kind: 'nothing', why };
}
