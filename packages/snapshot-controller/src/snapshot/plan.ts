// What a decision about one snapshot comes to: actions in their order, why, and when to look again. The process
// may die after any prefix of the actions; the next pass goes on from what is then true.
import type { EventReason, PersistentVolumeClaim, VolumeSnapshot, VolumeSnapshotContent, VolumeSnapshotStatus } from '@snapshot-stack/api-types';

/** The members of a status to write; null takes a member away. */
export type StatusChange = { [K in keyof VolumeSnapshotStatus]?: VolumeSnapshotStatus[K] | null };

export type Action =
  /** Our finalizers onto the snapshot, and its class where it was chosen for the user. */
  | { kind: 'holdSnapshot'; snapshot: VolumeSnapshot; finalizers: readonly string[]; className?: string }
  | { kind: 'holdClaim'; claim: PersistentVolumeClaim }
  | { kind: 'createContent'; snapshot: VolumeSnapshot; content: VolumeSnapshotContent }
  | { kind: 'bindContent'; snapshot: VolumeSnapshot; content: VolumeSnapshotContent }
  /** Tells the sidecar that the content's snapshot is going. */
  | { kind: 'markContent'; content: VolumeSnapshotContent }
  | { kind: 'deleteContent'; content: VolumeSnapshotContent }
  /** Our finalizers off the snapshot. */
  | { kind: 'releaseSnapshot'; snapshot: VolumeSnapshot }
  | { kind: 'setStatus'; snapshot: VolumeSnapshot; status: StatusChange }
  | { kind: 'say'; snapshot: VolumeSnapshot; type: 'Normal' | 'Warning'; reason: EventReason; message: string };

export interface Plan {
  /** In words fit for a log line. */
  why: string;
  actions: readonly Action[];
  next:
    /** Whatever changes will bring the snapshot back. */
    | { kind: 'settled' }
    | { kind: 'after'; ms: number }
    /** Something else must change first: that brings it back at once, and a growing delay brings it back anyway. */
    | { kind: 'blocked' };
}

export function settled(why: string): Plan {
  return { why, actions: [], next: { kind: 'settled' } };
}

export function act(why: string, ...actions: Action[]): Plan {
  return { why, actions, next: { kind: 'settled' } };
}

/** Something that a snapshot cannot go on with, in the words and with the event reason that its user sees. */
export interface Obstacle {
  reason: EventReason;
  message: string;
}

/**
 * A plan that tells the user, once per message, what the snapshot waits for.
 * @param readyToUse what the status shall say of readiness; left as it is when not given
 */
export function blocked(snapshot: VolumeSnapshot, { reason, message }: Obstacle, now: number, readyToUse?: false): Plan {
  const next = { kind: 'blocked' } as const;
  const known = snapshot.status?.error?.message === message && (readyToUse === undefined || snapshot.status.readyToUse === readyToUse);
  if (known) return { why: message, actions: [], next };
  const error = { message, time: new Date(now).toISOString().replace(/\.\d+Z$/, 'Z') };
  const status: StatusChange = { error, ...(readyToUse === undefined ? {} : { readyToUse }) };
  const actions: Action[] = [
    { kind: 'setStatus', snapshot, status },
    { kind: 'say', snapshot, type: 'Warning', reason, message },
  ];
  return { why: message, actions, next };
}
