// What to do about one snapshot, from what is seen of it: pure, no I/O, the time comes in with the rest.
//
//   not held ──hold──▶ held ──claim held──▶ content made ──▶ bound ──driver──▶ ready
//                        │                      │                              │
//                        └──────── deleted ─────┴────▶ content marked, deleted ┴──▶ released
//
// The hold (our finalizer on the snapshot) is the first write for a snapshot and its release the last: whatever
// else exists because of it, exists while it is held.
import { Finalizer, hasFinalizer, isBeingDeleted, type VolumeSnapshot, type VolumeSnapshotContent } from '@snapshot-stack/api-types';
import { decideDeletion } from './decide-deletion.ts';
import { newContent } from './new-content.ts';
import { blocked, settled, type Action, type Obstacle, type Plan } from './plan.ts';
import { claimNameOf, isGroupMember, isHeld, isMarkedDeleted, ownContent } from './questions.ts';
import { reflect } from './reflect.ts';
import { SecretReferenceError } from './secret-reference.ts';
import { findSource, type Source, type SourceSeen } from './source.ts';

export interface Seen {
  /** Undefined when it is gone. */
  snapshot: VolumeSnapshot | undefined;
  /** The content under the snapshot's content name, whoever's it is. Undefined only when it is surely not there. */
  content: VolumeSnapshotContent | undefined;
  /** For dynamic snapshots. */
  source: SourceSeen | undefined;
  /** Names of claims that are being filled from the snapshot; for snapshots being deleted. */
  restoring: readonly string[];
  /** Whether contents record the source's volume mode. */
  recordVolumeMode: boolean;
  /** Milliseconds since 1970. */
  now: number;
}

export function decide(seen: Seen): Plan {
  const { snapshot } = seen;
  if (snapshot === undefined) return settled('the snapshot is gone');
  if (isBeingDeleted(snapshot)) return decideDeletion(snapshot, seen);
  const { persistentVolumeClaimName, volumeSnapshotContentName } = snapshot.spec.source;
  if ((persistentVolumeClaimName === undefined) === (volumeSnapshotContentName === undefined)) {
    const message = 'exactly one of volumeSnapshotContentName and persistentVolumeClaimName must be set';
    return blocked(snapshot, { reason: 'SnapshotValidationError', message }, seen.now, false);
  }
  if (volumeSnapshotContentName !== undefined) return decideStatic(snapshot, seen);
  return isGroupMember(snapshot) ? decideMember(snapshot, seen) : decideDynamic(snapshot, seen);
}

function decideDynamic(snapshot: VolumeSnapshot, seen: Seen): Plan {
  const { content, now } = seen;
  if (content === undefined) return wasCut(snapshot) ? contentMissing(snapshot, now) : create(snapshot, seen);
  if (content.spec.source.volumeHandle === undefined) return mismatch(snapshot, content, now);
  if (ownContent(snapshot, content) === undefined) return misbound(snapshot, content, now);
  return continueWith(snapshot, content, [...hold(snapshot, content.spec.deletionPolicy, undefined)], now);
}

/** The driver has made the snapshot once: making the content anew would pass off a later state as the earlier one. */
function wasCut({ status }: VolumeSnapshot): boolean {
  return status?.readyToUse === true || status?.creationTime !== undefined;
}

function create(snapshot: VolumeSnapshot, seen: Seen): Plan {
  const source: SourceSeen = seen.source ?? { namedClass: undefined, defaultClasses: [], claim: undefined, volume: undefined, node: undefined };
  const result = findSource(snapshot, source);
  if (result.kind === 'obstacle') return letGoIfHopeless(snapshot, source, blocked(snapshot, result.obstacle, seen.now));
  let content: VolumeSnapshotContent;
  try {
    content = newContent(snapshot, result.value, seen.recordVolumeMode);
  } catch (error) {
    if (!(error instanceof SecretReferenceError)) throw error;
    return blocked(snapshot, { reason: 'SnapshotContentCreationFailed', message: `Failed to create snapshot content with error ${error.message}` }, seen.now);
  }
  return {
    why: 'no content yet',
    actions: [...creation(snapshot, result.value, content)],
    next: { kind: 'settled' },
  };
}

function creation(snapshot: VolumeSnapshot, { snapshotClass, claim }: Source, content: VolumeSnapshotContent): Action[] {
  const name = `${snapshot.metadata.namespace}/${snapshot.metadata.name}`;
  const className = snapshot.spec.volumeSnapshotClassName === undefined ? snapshotClass.metadata.name : undefined;
  return [
    ...hold(snapshot, snapshotClass.deletionPolicy, className),
    { kind: 'holdClaim', claim },
    { kind: 'createContent', snapshot, content },
    { kind: 'say', snapshot, type: 'Normal', reason: 'CreatingSnapshot', message: `Waiting for a snapshot ${name} to be created by the CSI driver.` },
  ];
}

/** A claim that goes must not be kept by a snapshot that can no longer be taken of it. */
function letGoIfHopeless(snapshot: VolumeSnapshot, { claim }: SourceSeen, plan: Plan): Plan {
  if (!isHeld(snapshot) || claim === undefined || !isBeingDeleted(claim)) return plan;
  return { ...plan, actions: [{ kind: 'releaseSnapshot', snapshot }, ...plan.actions] };
}

/** Nothing, or the one write that keeps the snapshot and records the class chosen for it. */
function hold(snapshot: VolumeSnapshot, policy: 'Delete' | 'Retain', className: string | undefined): Action[] {
  if (isHeld(snapshot) && className === undefined) return [];
  const wanted = policy === 'Delete' ? [Finalizer.snapshotAsSource, Finalizer.snapshotBound] : [Finalizer.snapshotAsSource];
  const finalizers = wanted.filter((finalizer) => !hasFinalizer(snapshot, finalizer));
  return [{ kind: 'holdSnapshot', snapshot, finalizers, ...(className === undefined ? {} : { className }) }];
}

function decideStatic(snapshot: VolumeSnapshot, { content, now }: Seen): Plan {
  if (content === undefined) return contentMissing(snapshot, now);
  if (content.spec.source.snapshotHandle === undefined) return mismatch(snapshot, content, now);
  const ref = content.spec.volumeSnapshotRef;
  const isMeant = ref.name === snapshot.metadata.name && ref.namespace === snapshot.metadata.namespace;
  const isFree = ref.uid === undefined || ref.uid === '';
  if (!isMeant || !(isFree || ref.uid === snapshot.metadata.uid)) return misbound(snapshot, content, now);
  if (isFree && isBeingDeleted(content)) {
    const message = `VolumeSnapshotContent [${content.metadata.name}] is being deleted; create another one and a VolumeSnapshot that names it`;
    return blocked(snapshot, { reason: 'SnapshotContentMissing', message }, now, false);
  }
  const before = hold(snapshot, content.spec.deletionPolicy, undefined);
  if (isBindingComplete(snapshot, content)) return continueWith(snapshot, content, before, now);
  return continueWith(snapshot, content, [...before, { kind: 'bindContent', snapshot, content }], now);
}

function isBindingComplete(snapshot: VolumeSnapshot, content: VolumeSnapshotContent): boolean {
  if (isBeingDeleted(content)) return true;
  const needsClass = snapshot.spec.volumeSnapshotClassName !== undefined && content.spec.volumeSnapshotClassName === undefined;
  return ownContent(snapshot, content) !== undefined && hasFinalizer(content, Finalizer.content) && !needsClass && !isMarkedDeleted(content);
}

function decideMember(snapshot: VolumeSnapshot, { content, now }: Seen): Plan {
  if (content === undefined) return wasCut(snapshot) ? contentMissing(snapshot, now) : settled('its group controller has not bound it yet');
  return ownContent(snapshot, content) === undefined ? misbound(snapshot, content, now) : reflect(snapshot, content, now);
}

function continueWith(snapshot: VolumeSnapshot, content: VolumeSnapshotContent, before: readonly Action[], now: number): Plan {
  const plan = reflect(snapshot, content, now);
  if (before.length === 0) return plan;
  return { why: 'hold and bind before anything is told', actions: [...before, ...plan.actions], next: plan.next };
}

function contentMissing(snapshot: VolumeSnapshot, now: number): Plan {
  return blocked(snapshot, { reason: 'SnapshotContentMissing', message: 'VolumeSnapshotContent is missing' }, now, false);
}

function mismatch(snapshot: VolumeSnapshot, content: VolumeSnapshotContent, now: number): Plan {
  const wanted = claimNameOf(snapshot) === undefined ? 'snapshotHandle' : 'volumeHandle';
  const message = `VolumeSnapshotContent [${content.metadata.name}] has no source.${wanted}, which this VolumeSnapshot needs`;
  return blocked(snapshot, { reason: 'SnapshotContentMismatch', message }, now, false);
}

function misbound(snapshot: VolumeSnapshot, content: VolumeSnapshotContent, now: number): Plan {
  const message = `VolumeSnapshotContent [${content.metadata.name}] is bound to a different snapshot`;
  const wasBound = snapshot.status?.boundVolumeSnapshotContentName !== undefined;
  const obstacle: Obstacle = { reason: wasBound ? 'SnapshotMisbound' : 'SnapshotContentMisbound', message };
  return blocked(snapshot, obstacle, now, false);
}
