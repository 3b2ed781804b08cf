// Finalizers that keep a claim while a pod uses it, and a volume while it is bound.
import { Finalizer, hasFinalizer, isBeingDeleted, type KubeObject, type PersistentVolume, type PersistentVolumeClaim } from '@snapshot-stack/api-types';
import { act, settled, type Plan } from '../plan.ts';

export interface ProtectionAction {
  readonly kind: 'hold' | 'release';
  readonly object: KubeObject;
  readonly finalizer: string;
}

/** `isUsed`: a pod that has a node names the claim. A pod without one will not start once the claim is being deleted. */
export function protectClaim(claim: PersistentVolumeClaim | undefined, isUsed: boolean): Plan<ProtectionAction> {
  return protect(claim, Finalizer.claimInUse, isUsed, 'a pod uses the claim');
}

export function protectVolume(volume: PersistentVolume | undefined): Plan<ProtectionAction> {
  return protect(volume, Finalizer.volumeInUse, volume?.status?.phase === 'Bound', 'the volume is bound');
}

function protect(object: KubeObject | undefined, finalizer: string, isUsed: boolean, use: string): Plan<ProtectionAction> {
  if (object === undefined) return settled('it is gone');
  const held = hasFinalizer(object, finalizer);
  if (!isBeingDeleted(object)) {
    return held ? settled('it is protected') : act('it may come to be used', { kind: 'hold', object, finalizer });
  }
  if (!held) return settled('it is being deleted, and not held here');
  return isUsed ? settled(use) : act('nothing uses it any more', { kind: 'release', object, finalizer });
}
