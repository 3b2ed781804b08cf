// Which volumes suit a claim. Pure. Rules: the PersistentVolume binder of Kubernetes (csi-behaviour: binding).
import {
  compareQuantities,
  isBeingDeleted,
  isReachableFrom,
  matchesLabels,
  type PersistentVolume,
  type PersistentVolumeClaim,
} from '@snapshot-stack/api-types';

export function volumeModeOf(object: PersistentVolume | PersistentVolumeClaim): 'Filesystem' | 'Block' {
  return object.spec.volumeMode ?? 'Filesystem';
}

/** True when the volume's claimRef names this claim; a reference without uid was written by an administrator and fits any. */
export function isFor(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  const ref = volume.spec.claimRef;
  if (ref === undefined || ref.name !== claim.metadata.name || ref.namespace !== claim.metadata.namespace) return false;
  return ref.uid === undefined || ref.uid === '' || ref.uid === claim.metadata.uid;
}

/** Why the volume does not suit the claim, in the words of upstream's events; undefined when it does. */
export function mismatch(volume: PersistentVolume, claim: PersistentVolumeClaim): string | undefined {
  if (compareQuantities(storageOf(volume.spec.capacity), requestOf(claim)) < 0) return 'requested PV is too small';
  if ((volume.spec.storageClassName ?? '') !== (claim.spec.storageClassName ?? '')) return 'storageClassName does not match';
  if (volumeModeOf(volume) !== volumeModeOf(claim)) return 'incompatible volumeMode';
  const offered = volume.spec.accessModes ?? [];
  if (!(claim.spec.accessModes ?? []).every((mode) => offered.includes(mode))) return 'incompatible accessMode';
  return undefined;
}

/** The volume to bind: one reserved for this claim, else the smallest free one that suits. */
export function bestVolume(
  volumes: readonly PersistentVolume[],
  claim: PersistentVolumeClaim,
  nodeLabels: Readonly<Record<string, string>> | undefined,
): PersistentVolume | undefined {
  const suiting = volumes.filter((volume) => !isBeingDeleted(volume) && mismatch(volume, claim) === undefined);
  const reserved = suiting.find((volume) => isFor(volume, claim));
  if (reserved !== undefined) return reserved;
  return suiting
    .filter((volume) => volume.spec.claimRef === undefined && matchesLabels(claim.spec.selector ?? {}, volume.metadata.labels ?? {}))
    .filter((volume) => nodeLabels === undefined || isReachableFrom(volume, { labels: nodeLabels }))
    .toSorted((a, b) => compareQuantities(storageOf(a.spec.capacity), storageOf(b.spec.capacity)))[0];
}

export function requestOf(claim: PersistentVolumeClaim): string {
  return storageOf(claim.spec.resources?.requests);
}

export function storageOf(sizes: Readonly<Record<string, string>> | undefined): string {
  return sizes?.['storage'] ?? '0';
}
