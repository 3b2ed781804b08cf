// May this claim be filled from that source? One question after the other, each with its own answer for the user.
// Source: https://kubernetes.io/docs/concepts/storage/volume-snapshots/#convert-volume-mode
import {
  Annotation,
  Finalizer,
  contentPointsAt,
  hasFinalizer,
  isBeingDeleted,
  bytesOf,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type VolumeSnapshot,
  type VolumeSnapshotContent,
} from '@snapshot-stack/api-types';
import type { DataSource } from '../cluster.ts';
import type { Origin } from './plan.ts';

export type SourceVerdict = { kind: 'ok'; origin: Origin } | { kind: 'waiting' | 'blocked'; why: string };

const waiting = (why: string): SourceVerdict => ({ kind: 'waiting', why });
const blocked = (why: string): SourceVerdict => ({ kind: 'blocked', why });

function requestOf(claim: PersistentVolumeClaim): bigint {
  const text = claim.spec.resources?.requests?.['storage'];
  return text === undefined ? 0n : bytesOf(text);
}

// Go's strconv.ParseBool, for upstream reads the annotation with it.
const TRUE = /^(1|t|T|true|True|TRUE)$/;

/** undefined when the claim may have this mode, else why not and who can allow it. */
function modeProblem(claim: PersistentVolumeClaim, content: VolumeSnapshotContent): string | undefined {
  const source = content.spec.sourceVolumeMode;
  // Unknown where the content was made before the field was: nothing to compare with.
  if (source === undefined || source === null || source === '') return undefined;
  const wanted = claim.spec.volumeMode ?? 'Filesystem';
  if (wanted === source) return undefined;
  const allowed = content.metadata.annotations?.[Annotation.allowVolumeModeChange];
  if (allowed !== undefined && TRUE.test(allowed)) return undefined;
  const state = allowed === undefined ? 'does not carry it' : `has the value "${allowed}"`;
  return `the snapshot was taken of a volume in mode ${source}, and the claim asks for ${wanted}. Converting needs the annotation ${Annotation.allowVolumeModeChange}: "true" on VolumeSnapshotContent ${content.metadata.name ?? ''}, which ${state}; an administrator who may change VolumeSnapshotContents can set it (its users must not be able to harm the node with a crafted file system)`;
}

export interface SnapshotSource {
  claim: PersistentVolumeClaim;
  source: DataSource;
  snapshot: VolumeSnapshot | undefined;
  content: VolumeSnapshotContent | undefined;
  driver: string;
  preventModeConversion: boolean;
}

export function judgeSnapshot({ claim, source, snapshot, content, driver, preventModeConversion }: SnapshotSource): SourceVerdict {
  const what = `VolumeSnapshot ${source.namespace}/${source.name}`;
  if (snapshot === undefined) return waiting(`waiting for ${what}, which does not exist; create it, or delete this claim`);
  if (isBeingDeleted(snapshot) && !hasFinalizer(snapshot, Finalizer.snapshotBeingRestored))
    return blocked(`${what} is being deleted; nothing can be restored from it any more`);
  const error = snapshot.status?.error?.message;
  const because = error === undefined ? '' : ` (its own trouble: ${error})`;
  const contentName = snapshot.status?.boundVolumeSnapshotContentName;
  if (contentName === undefined || contentName === '') return waiting(`waiting for ${what} to be bound to a VolumeSnapshotContent${because}`);
  if (content === undefined) return waiting(`waiting for VolumeSnapshotContent ${contentName}, which ${what} is bound to`);
  if (!contentPointsAt(content, snapshot)) return blocked(`VolumeSnapshotContent ${contentName} belongs to another snapshot than ${what}`);
  if (content.spec.driver !== driver)
    return blocked(
      `${what} was taken by the driver ${content.spec.driver}; a claim of the driver ${driver} cannot be filled from it, use a StorageClass of ${content.spec.driver}`,
    );
  if (snapshot.status?.readyToUse !== true) return waiting(`waiting for ${what} to become ready to use${because}`);
  const handle = content.status?.snapshotHandle;
  if (handle === undefined || handle === '') return waiting(`waiting for VolumeSnapshotContent ${contentName} to get its snapshotHandle`);
  const restoreSize = snapshot.status.restoreSize;
  if (restoreSize !== undefined) {
    const needed = bytesOf(restoreSize);
    if (requestOf(claim) < needed)
      return blocked(
        `the claim asks for ${String(claim.spec.resources?.requests?.['storage'] ?? '0')}, but restoring ${what} needs at least ${String(restoreSize)}; make a claim that asks for so much`,
      );
  }
  const problem = preventModeConversion ? modeProblem(claim, content) : undefined;
  if (problem !== undefined) return blocked(problem);
  return { kind: 'ok', origin: { kind: 'snapshot', handle, snapshot } };
}

export interface CloneSource {
  claim: PersistentVolumeClaim;
  source: DataSource;
  from: PersistentVolumeClaim | undefined;
  volume: PersistentVolume | undefined;
  driver: string;
}

export function judgeClone({ claim, source, from, volume, driver }: CloneSource): SourceVerdict {
  const what = `PersistentVolumeClaim ${source.namespace}/${source.name}`;
  if (from === undefined) return waiting(`waiting for ${what}, which does not exist; create it, or delete this claim`);
  if (isBeingDeleted(from) && !hasFinalizer(from, Finalizer.claimBeingCloned)) return blocked(`${what} is being deleted; it cannot be cloned any more`);
  if (from.status?.phase !== 'Bound' || from.spec.volumeName === undefined) return waiting(`waiting for ${what} to be bound`);
  if (volume === undefined) return waiting(`waiting for PersistentVolume ${from.spec.volumeName}, which ${what} is bound to`);
  if (volume.spec.claimRef?.uid !== from.metadata.uid) return blocked(`PersistentVolume ${from.spec.volumeName} belongs to another claim than ${what}`);
  if (volume.spec.csi?.driver !== driver)
    return blocked(`${what} is a volume of ${volume.spec.csi?.driver ?? 'no CSI driver'}; a claim of the driver ${driver} cannot be cloned from it`);
  const [mode, sourceMode] = [claim.spec.volumeMode ?? 'Filesystem', from.spec.volumeMode ?? 'Filesystem'];
  if (mode !== sourceMode) return blocked(`${what} has volume mode ${sourceMode}, the claim asks for ${mode}; a clone keeps its mode`);
  const capacity = volume.spec.capacity?.['storage'] ?? from.spec.resources?.requests?.['storage'] ?? '0';
  if (requestOf(claim) < bytesOf(capacity))
    return blocked(`the claim asks for ${String(claim.spec.resources?.requests?.['storage'] ?? '0')}, but cloning ${what} needs at least ${capacity}`);
  return { kind: 'ok', origin: { kind: 'volume', handle: volume.spec.csi.volumeHandle, source: from } };
}
