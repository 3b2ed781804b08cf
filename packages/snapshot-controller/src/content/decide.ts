// What the controller owes a content apart from its snapshot's needs: the finalizer that makes its deletion wait
// for the sidecar, and the mark without which a deleted content whose snapshot has gone would wait forever. A
// content is never deleted for want of a snapshot: its data may be all that is left.
import {
  Annotation,
  Finalizer,
  contentPointsAt,
  hasFinalizer,
  isBeingDeleted,
  keyOf,
  type EventReason,
  type VolumeSnapshot,
  type VolumeSnapshotContent,
} from '@snapshot-stack/api-types';

export interface ContentSeen {
  content: VolumeSnapshotContent | undefined;
  /** The snapshot under the content's reference, whichever it is. Undefined only when it is surely not there. */
  snapshot: VolumeSnapshot | undefined;
}

export type ContentPlan =
  | { kind: 'nothing'; why: string }
  | { kind: 'protect'; content: VolumeSnapshotContent }
  | { kind: 'mark'; content: VolumeSnapshotContent }
  | { kind: 'complain'; content: VolumeSnapshotContent; reason: EventReason; message: string };

export function decideContent({ content, snapshot }: ContentSeen): ContentPlan {
  if (content === undefined) return { kind: 'nothing', why: 'the content is gone' };
  const { snapshotHandle, volumeHandle } = content.spec.source;
  if ((snapshotHandle === undefined) === (volumeHandle === undefined)) {
    return { kind: 'complain', content, reason: 'ContentValidationError', message: 'exactly one of volumeHandle and snapshotHandle must be set' };
  }
  const { uid = '' } = content.spec.volumeSnapshotRef;
  if (uid === '') return { kind: 'nothing', why: 'no snapshot is bound to it' };
  if (!isBeingDeleted(content)) {
    return hasFinalizer(content, Finalizer.content) ? { kind: 'nothing', why: 'it is protected' } : { kind: 'protect', content };
  }
  if (snapshot !== undefined && contentPointsAt(content, snapshot)) return waitFor(content, snapshot);
  const isMarked = content.metadata.annotations?.[Annotation.beingDeleted] === 'yes';
  return isMarked ? { kind: 'nothing', why: 'waits for the sidecar to let it go' } : { kind: 'mark', content };
}

/** An administrator has deleted the content of a snapshot that lives. */
function waitFor(content: VolumeSnapshotContent, snapshot: VolumeSnapshot): ContentPlan {
  if (isBeingDeleted(snapshot)) return { kind: 'nothing', why: 'it goes with its snapshot' };
  const message = `deletion waits for VolumeSnapshot ${keyOf(snapshot)}, which it belongs to; delete that, and it goes`;
  return { kind: 'complain', content, reason: 'SnapshotContentDeletePending', message };
}
