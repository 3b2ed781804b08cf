// What a dynamic snapshot is to be taken of and by which class: either all that a content needs, or the first
// obstacle in the words its user sees. Each check answers one question.
import {
  isBeingDeleted,
  hasFinalizer,
  Finalizer,
  type CsiVolumeSource,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type VolumeSnapshot,
  type VolumeSnapshotClass,
  type EventReason,
} from '@snapshot-stack/api-types';
import type { NodeChoice } from './managing-node.ts';
import type { Obstacle } from './plan.ts';
import { claimNameOf } from './questions.ts';

/** Everything about the source that the caches hold. */
export interface SourceSeen {
  /** The class that the snapshot names, if it exists. */
  namedClass: VolumeSnapshotClass | undefined;
  /** All default classes of the volume's driver. */
  defaultClasses: readonly VolumeSnapshotClass[];
  claim: PersistentVolumeClaim | undefined;
  /** The volume that the claim names. */
  volume: PersistentVolume | undefined;
  /** Only in distributed mode. */
  node: NodeChoice | undefined;
}

export interface Source {
  snapshotClass: VolumeSnapshotClass;
  claim: PersistentVolumeClaim;
  volume: PersistentVolume & { spec: { csi: CsiVolumeSource } };
  /** Value of the managed-by label, in distributed mode. */
  managedBy: string | undefined;
}

export type Found<T> = { kind: 'found'; value: T } | { kind: 'obstacle'; obstacle: Obstacle };

function found<T>(value: T): Found<T> {
  return { kind: 'found', value };
}

function obstacle(reason: EventReason, message: string): { kind: 'obstacle'; obstacle: Obstacle } {
  return { kind: 'obstacle', obstacle: { reason, message } };
}

/** The class, claim and volume to make the content from; else the first obstacle. */
export function findSource(snapshot: VolumeSnapshot, seen: SourceSeen): Found<Source> {
  const volume = findVolume(snapshot, seen);
  const chosen = findClass(snapshot, seen, volume);
  if (chosen.kind === 'obstacle') return chosen;
  const fail = (problem: string): Found<Source> => obstacle('SnapshotContentCreationFailed', `Failed to create snapshot content with error ${problem}`);
  if ('problem' in volume) return fail(volume.problem);
  const { claim } = volume;
  const driver = volume.volume.spec.csi.driver;
  if (chosen.value.driver !== driver) {
    return fail(
      `VolumeSnapshotClass "${chosen.value.metadata.name}" is for driver ${chosen.value.driver}, but volume "${volume.volume.metadata.name}" of claim "${claim.metadata.name}" belongs to driver ${driver}; name a class of that driver`,
    );
  }
  if (isBeingDeleted(claim) && !hasFinalizer(claim, Finalizer.claimAsSource)) {
    return fail(`cannot add finalizer on claim "${claim.metadata.name}" because it is being deleted`);
  }
  if (seen.node?.kind === 'none') return fail(seen.node.problem);
  return found({ snapshotClass: chosen.value, claim, volume: volume.volume, managedBy: seen.node?.kind === 'node' ? seen.node.name : undefined });
}

type Volume = Pick<Source, 'claim' | 'volume'> | { problem: string };

function findClass(snapshot: VolumeSnapshot, seen: SourceSeen, volume: Volume): Found<VolumeSnapshotClass> {
  const name = snapshot.spec.volumeSnapshotClassName;
  if (name !== undefined) {
    if (seen.namedClass !== undefined) return found(seen.namedClass);
    return obstacle(
      'GetSnapshotClassFailed',
      `Failed to get snapshot class with error VolumeSnapshotClass "${name}" does not exist; create it, and the snapshot goes on by itself`,
    );
  }
  const fail = (problem: string): Found<VolumeSnapshotClass> =>
    obstacle('SetDefaultSnapshotClassFailed', `Failed to set default snapshot class with error ${problem}`);
  if ('problem' in volume) return fail(volume.problem);
  const { driver } = volume.volume.spec.csi;
  const [first, ...others] = seen.defaultClasses;
  if (first === undefined) return fail(`cannot find default snapshot class for driver ${driver}; create one, or name a class in the VolumeSnapshot`);
  if (others.length === 0) return found(first);
  const names = seen.defaultClasses.map((each) => each.metadata.name ?? '').sort();
  return fail(`${names.length} default snapshot classes were found for driver ${driver}: ${names.join(', ')}; leave the annotation at one of them`);
}

/** The claim and its CSI volume, checked in both directions. */
function findVolume(snapshot: VolumeSnapshot, { claim, volume }: SourceSeen): Volume {
  const name = claimNameOf(snapshot);
  if (claim === undefined)
    return { problem: `cannot get claim from snapshot: PersistentVolumeClaim "${name}" does not exist in namespace "${snapshot.metadata.namespace}"` };
  const { volumeName } = claim.spec;
  const phase = claim.status?.phase;
  if (phase === 'Lost') return { problem: `claim "${name}" has lost its volume "${volumeName}"` };
  if (phase !== 'Bound' || volumeName === undefined || volumeName === '')
    return { problem: `claim "${name}" is not bound to a volume yet (phase ${phase ?? 'unknown'})` };
  if (volume === undefined) return { problem: `volume "${volumeName}" of claim "${name}" does not exist` };
  const ref = volume.spec.claimRef;
  const isMutual =
    ref?.name === claim.metadata.name &&
    ref?.namespace === claim.metadata.namespace &&
    (ref?.uid === undefined || ref.uid === '' || ref.uid === claim.metadata.uid);
  if (!isMutual) return { problem: `volume "${volumeName}" is not bound to claim "${name}" but to "${ref?.namespace ?? ''}/${ref?.name ?? ''}"` };
  if (volume.spec.csi === undefined) return { problem: `volume "${volumeName}" is not a CSI volume, so that it cannot be snapshotted` };
  return { claim, volume: volume as Source['volume'] };
}
