// What phase a volume is in: Available, Bound, or Released once its claim is gone. Deleting a released volume is the
// provisioner's business.
import { Annotation, annotationOf, type PersistentVolume, type PersistentVolumeClaim } from '@snapshot-stack/api-types';
import { act, settled, type Plan } from '../plan.ts';

export interface VolumeSeen {
  readonly volume: PersistentVolume | undefined;
  /** The claim that claimRef names, by name; read from the API server itself, since Released is for good. */
  readonly claim: PersistentVolumeClaim | undefined;
}

type Phase = NonNullable<NonNullable<PersistentVolume['status']>['phase']>;

export type VolumeAction =
  | { readonly kind: 'setPhase'; readonly volume: PersistentVolume; readonly phase: Phase }
  /** Takes back what the binder itself wrote: the claim was bound to another volume meanwhile. */
  | { readonly kind: 'unreserve'; readonly volume: PersistentVolume };

export function decideVolume({ volume, claim }: VolumeSeen): Plan<VolumeAction> {
  if (volume === undefined) return settled('the volume is gone');
  const ref = volume.spec.claimRef;
  if (ref?.uid === undefined || ref.uid === '') return setPhase(volume, 'Available', ref ? 'it is kept for a claim' : 'it is free');
  if (claim === undefined || claim.metadata.uid !== ref.uid) return released(volume);
  if (!claim.spec.volumeName) return settled('the claim is about to be bound to it');
  if (claim.spec.volumeName === volume.metadata.name) return setPhase(volume, 'Bound', 'its claim names it');
  return claimWentElsewhere(volume);
}

function released(volume: PersistentVolume): Plan<VolumeAction> {
  if (volume.status?.phase === 'Failed') return settled('its deletion failed; the provisioner tries again');
  return setPhase(volume, 'Released', 'its claim is gone');
}

function claimWentElsewhere(volume: PersistentVolume): Plan<VolumeAction> {
  const provisioned = annotationOf(volume, Annotation.provisionedBy) !== undefined;
  if (provisioned && volume.spec.persistentVolumeReclaimPolicy === 'Delete') {
    return setPhase(volume, 'Released', 'it was provisioned for a claim that is bound to another volume');
  }
  if (annotationOf(volume, Annotation.boundByController) !== undefined) {
    return act('its claim is bound to another volume', { kind: 'unreserve', volume });
  }
  return setPhase(volume, 'Available', 'its claim is bound to another volume');
}

function setPhase(volume: PersistentVolume, phase: Phase, why: string): Plan<VolumeAction> {
  return volume.status?.phase === phase ? settled(why) : act(why, { kind: 'setPhase', volume, phase });
}
