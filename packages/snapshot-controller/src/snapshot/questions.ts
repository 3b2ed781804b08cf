// Questions about one snapshot or content that several decisions ask.
import {
  Annotation,
  Finalizer,
  contentNameFor,
  contentPointsAt,
  hasFinalizer,
  type VolumeSnapshot,
  type VolumeSnapshotContent,
} from '@snapshot-stack/api-types';

/** The finalizers that this controller puts on a snapshot and takes off again; others are none of its business. */
export const OUR_FINALIZERS: readonly string[] = [Finalizer.snapshotAsSource, Finalizer.snapshotBound];

/** True when we keep the snapshot from vanishing. The first write for any snapshot: all others come after it. */
export function isHeld(snapshot: VolumeSnapshot): boolean {
  return OUR_FINALIZERS.some((finalizer) => hasFinalizer(snapshot, finalizer));
}

export function claimNameOf(snapshot: VolumeSnapshot): string | undefined {
  return snapshot.spec.source.persistentVolumeClaimName;
}

/** `namespace/name` of the claim a dynamic snapshot is taken of. */
export function claimKeyOf(snapshot: VolumeSnapshot): string | undefined {
  const name = claimNameOf(snapshot);
  return name === undefined ? undefined : `${snapshot.metadata.namespace ?? ''}/${name}`;
}

/**
 * True for a member of a group snapshot, made by a group controller. Its binding and its content are that
 * controller's; matched by API group, whatever the version (upstream matches v1 literally and loses older ones).
 */
export function isGroupMember(snapshot: VolumeSnapshot): boolean {
  const owners = snapshot.metadata.ownerReferences ?? [];
  return (
    hasFinalizer(snapshot, Finalizer.snapshotInGroup) ||
    snapshot.status?.volumeGroupSnapshotName !== undefined ||
    owners.some(({ kind, apiVersion }) => kind === 'VolumeGroupSnapshot' && apiVersion.startsWith('groupsnapshot.storage.k8s.io/'))
  );
}

/** The name of the content that is, or would be, the snapshot's; undefined for a group member not bound yet. */
export function contentNameOf(snapshot: VolumeSnapshot): string | undefined {
  const bound = snapshot.status?.boundVolumeSnapshotContentName;
  if (snapshot.spec.source.volumeSnapshotContentName !== undefined) return snapshot.spec.source.volumeSnapshotContentName;
  if (bound !== undefined && bound !== '') return bound;
  return isGroupMember(snapshot) ? undefined : contentNameFor(snapshot);
}

/** The content if it is this very snapshot's; one that points elsewhere must not be touched. */
export function ownContent(snapshot: VolumeSnapshot, content: VolumeSnapshotContent | undefined): VolumeSnapshotContent | undefined {
  return content !== undefined && contentPointsAt(content, snapshot) ? content : undefined;
}

export function isMarkedDeleted(content: VolumeSnapshotContent): boolean {
  return content.metadata.annotations?.[Annotation.beingDeleted] === 'yes';
}

export function isBeingCreated(content: VolumeSnapshotContent): boolean {
  return content.metadata.annotations?.[Annotation.beingCreated] !== undefined;
}

/**
 * True while the claim must not go because of this snapshot: it is held, not ready, and its content is there or
 * will yet be made. A snapshot that was cut once and lost its content needs no claim any more.
 */
export function needsClaim(snapshot: VolumeSnapshot, contentExists: boolean): boolean {
  if (isGroupMember(snapshot) || claimNameOf(snapshot) === undefined) return false;
  if (!hasFinalizer(snapshot, Finalizer.snapshotAsSource) || snapshot.status?.readyToUse === true) return false;
  return contentExists || snapshot.status?.creationTime === undefined;
}
