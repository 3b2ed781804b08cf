// How a deleted snapshot goes: first its content is told and, with policy Delete, deleted; when nothing is left
// that exists because of the snapshot, it is released. Somebody who still reads it is waited for.
import { Annotation, Finalizer, annotationOf, hasFinalizer, isBeingDeleted, type VolumeSnapshot, type VolumeSnapshotContent } from '@snapshot-stack/api-types';
import { act, blocked, settled, type Action, type Plan } from './plan.ts';
import { isGroupMember, isHeld, isMarkedDeleted, ownContent } from './questions.ts';

export interface DeletionSeen {
  content: VolumeSnapshotContent | undefined;
  restoring: readonly string[];
  now: number;
}

/** A sidecar that was killed before it took its mark off must not keep a snapshot for good. */
const MARK_WAIT_MS = 30_000;

export function decideDeletion(snapshot: VolumeSnapshot, { content, restoring, now }: DeletionSeen): Plan {
  const own = ownContent(snapshot, content);
  if (own === undefined) return release(snapshot, 'nothing is left that needs it');
  const user = whoUses(snapshot, restoring);
  if (user !== undefined) {
    const message = `deletion waits: ${user}; it goes on as soon as that is over`;
    return blocked(snapshot, { reason: 'SnapshotDeletePending', message }, now);
  }
  if (isAboutToBeUnmarked(snapshot, own, now))
    return { why: 'the sidecar is about to say that the snapshot was created', actions: [], next: { kind: 'after', ms: MARK_WAIT_MS } };
  // A snapshot without our finalizers goes whatever we do: its content would be left behind unmarked, so this
  // is done for snapshots held by others alone as well.
  const actions: Action[] = isMarkedDeleted(own) ? [] : [{ kind: 'markContent', content: own }];
  if (own.spec.deletionPolicy === 'Retain') {
    const plan = release(snapshot, 'policy Retain keeps the content');
    return { ...plan, actions: [...actions, ...plan.actions] };
  }
  if (!isBeingDeleted(own)) actions.push({ kind: 'deleteContent', content: own });
  return actions.length === 0 ? waitForSidecar(snapshot, own, now) : act('the content goes before its snapshot', ...actions);
}

/**
 * The snapshot is ready, and the sidecar has yet to take its creation mark off. Upstream's sidecar does not look again
 * when it has done that: told of the deletion before, it would leave the content waiting until its next resync.
 */
function isAboutToBeUnmarked({ metadata }: VolumeSnapshot, content: VolumeSnapshotContent, now: number): boolean {
  if (isMarkedDeleted(content) || content.status?.readyToUse !== true || annotationOf(content, Annotation.beingCreated) === undefined) return false;
  return now < Date.parse(metadata.deletionTimestamp ?? '') + MARK_WAIT_MS;
}

/** Why the driver refuses, where it does, is told on the snapshot: its user may not read contents. */
function waitForSidecar(snapshot: VolumeSnapshot, content: VolumeSnapshotContent, now: number): Plan {
  const message = content.status?.error?.message;
  if (message === undefined) return settled('waits for the sidecar to delete the snapshot at the driver and let its content go');
  return { ...blocked(snapshot, { reason: 'SnapshotDeleteError', message }, now), next: { kind: 'settled' } };
}

function whoUses(snapshot: VolumeSnapshot, restoring: readonly string[]): string | undefined {
  if (isGroupMember(snapshot) && hasFinalizer(snapshot, Finalizer.snapshotInGroup)) {
    return 'the snapshot is a member of a group snapshot; delete that';
  }
  const [claim, ...others] = restoring;
  if (claim !== undefined) return `claim "${claim}"${others.length === 0 ? '' : ` and ${others.length} more`} is being restored from the snapshot`;
  if (hasFinalizer(snapshot, Finalizer.snapshotBeingRestored)) return 'a provisioner is restoring a claim from the snapshot';
  return undefined;
}

function release(snapshot: VolumeSnapshot, why: string): Plan {
  return isHeld(snapshot) ? act(why, { kind: 'releaseSnapshot', snapshot }) : settled('nothing holds it');
}
