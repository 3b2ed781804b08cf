// What the driver shall do about one content: pure. The controller decides whose a content is and whether it may
// go; here its wish is carried to the driver. The being-created guard says that CreateSnapshot may be running:
// while it is there the content cannot go, because a snapshot that nobody knows of would stay behind.
import { Annotation, Finalizer, annotationOf, hasFinalizer, isBeingDeleted, type VolumeSnapshotContent } from '@snapshot-stack/api-types';
import { nothing, type ContentPlan } from './plan.ts';

/** What a driver offers beyond CREATE_DELETE_SNAPSHOT. */
export interface DriverAbilities {
  getSnapshot: boolean;
  listSnapshots: boolean;
}

export interface ContentSeen {
  /** Undefined when it is gone. */
  content: VolumeSnapshotContent | undefined;
  driver: string;
  abilities: DriverAbilities;
  /**
   * True when the last CreateSnapshot for this content was sent by this process and has ended with an answer: then
   * nothing is running, whatever the guard says. False after a restart, when nobody knows.
   */
  createAnswered: boolean;
}

export function decideContent(seen: ContentSeen): ContentPlan {
  const { content, driver } = seen;
  if (content === undefined) return nothing('the content is gone');
  if (content.spec.driver !== driver) return nothing(`it is for driver ${content.spec.driver}`);
  const { volumeHandle, snapshotHandle } = content.spec.source;
  if ((volumeHandle === undefined) === (snapshotHandle === undefined)) return nothing('its source is not valid');
  return isBeingDeleted(content) ? decideDeletion(content, seen) : decideLife(content, seen);
}

/** True for a member of a group snapshot: the group's controller and sidecar create and delete it. */
export function isGroupMember(content: VolumeSnapshotContent): boolean {
  return annotationOf(content, Annotation.groupSnapshotHandle) !== undefined || content.status?.volumeGroupSnapshotHandle !== undefined;
}

export function isGuarded(content: VolumeSnapshotContent): boolean {
  return annotationOf(content, Annotation.beingCreated) !== undefined;
}

/** The handle that the driver knows the snapshot by, once there is one. */
export function handleOf(content: VolumeSnapshotContent): string | undefined {
  // A static content is deletable before its status was ever written; upstream loses the snapshot then.
  return content.status?.snapshotHandle ?? content.spec.source.snapshotHandle;
}

function decideLife(content: VolumeSnapshotContent, { abilities }: ContentSeen): ContentPlan {
  const isReady = content.status?.readyToUse === true;
  if (isReady) return isGuarded(content) ? { kind: 'dropGuard', content } : nothing('it is ready');
  const handle = handleOf(content);
  if (handle === undefined) {
    if (isGroupMember(content)) return nothing('its group sidecar has not told its handle yet');
    return { kind: 'create', content, keepGuard: keepsGuard(abilities), why: 'no snapshot was taken yet' };
  }
  const canCreate = content.spec.source.volumeHandle !== undefined && !isGroupMember(content);
  if (abilities.getSnapshot) return { kind: 'check', content, handle, by: 'GetSnapshot', thenCreate: false };
  if (abilities.listSnapshots) return { kind: 'check', content, handle, by: 'ListSnapshots', thenCreate: canCreate };
  if (canCreate) return { kind: 'create', content, keepGuard: true, why: 'the driver tells readiness only by CreateSnapshot' };
  return { kind: 'check', content, handle, by: 'trust', thenCreate: false };
}

/** Where the driver can be asked for a snapshot's state, CreateSnapshot is over with its first answer. */
function keepsGuard({ getSnapshot, listSnapshots }: DriverAbilities): boolean {
  return !getSnapshot && !listSnapshots;
}

function decideDeletion(content: VolumeSnapshotContent, seen: ContentSeen): ContentPlan {
  if (!hasFinalizer(content, Finalizer.content)) return nothing('nothing of ours holds it');
  const isFree = (content.spec.volumeSnapshotRef.uid ?? '') === '';
  const isMarked = annotationOf(content, Annotation.beingDeleted) === 'yes';
  const isStatic = content.spec.source.snapshotHandle !== undefined;
  if (isStatic && isFree) return deletion(content);
  if (mayBeCreating(content, seen)) {
    return { kind: 'create', content, keepGuard: true, why: 'CreateSnapshot may be running; only its answer tells what is to be deleted' };
  }
  if (isMarked) return deletion(content);
  // Its snapshot still lives: an administrator deleted the content first. It is served until the snapshot goes too.
  return handleOf(content) === undefined ? nothing('it is being deleted before anything was created') : decideLife(content, seen);
}

function mayBeCreating(content: VolumeSnapshotContent, { createAnswered, abilities }: ContentSeen): boolean {
  if (!isGuarded(content) || isGroupMember(content) || content.spec.source.volumeHandle === undefined || createAnswered) return false;
  // With the handle recorded the call has been answered; only a driver that is polled by the call itself may be in another.
  return content.status?.snapshotHandle === undefined || (keepsGuard(abilities) && content.status.readyToUse !== true);
}

function deletion(content: VolumeSnapshotContent): ContentPlan {
  const isToBeDeleted = content.spec.deletionPolicy === 'Delete' && !isGroupMember(content);
  return { kind: 'delete', content, handle: isToBeDeleted ? handleOf(content) : undefined };
}
