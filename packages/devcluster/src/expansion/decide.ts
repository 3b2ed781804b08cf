// Growing a volume when its claim asks for more: first in the storage system, then, where the driver says so, on the
// node that uses it. Shrinking does not exist.
import {
  annotationOf,
  compareQuantities,
  isBeingDeleted,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
} from '@snapshot-stack/api-types';
import { requestOf, storageOf } from '../claim/match.ts';
import { act, settled, wait, type Plan } from '../plan.ts';

/** On a volume whose storage has grown and whose node part is still to be done. */
export const NODE_EXPANSION_PENDING = 'devcluster.snapshot-stack.dev/node-expansion-pending';

export interface ExpansionSeen {
  readonly claim: PersistentVolumeClaim | undefined;
  readonly volume: PersistentVolume | undefined;
  readonly storageClass: StorageClass | undefined;
  readonly driver: { readonly expandsController: boolean; readonly expandsNode: boolean } | undefined;
  /** A path at which a pod has the volume, on this node. */
  readonly publishedAt: string | undefined;
}

export type ExpansionAction =
  | { readonly kind: 'expandController'; readonly claim: PersistentVolumeClaim; readonly volume: PersistentVolume; readonly size: string }
  | { readonly kind: 'skipController'; readonly claim: PersistentVolumeClaim; readonly volume: PersistentVolume; readonly size: string }
  | { readonly kind: 'expandNode'; readonly claim: PersistentVolumeClaim; readonly volume: PersistentVolume; readonly path: string }
  | { readonly kind: 'setCapacity'; readonly claim: PersistentVolumeClaim; readonly volume: PersistentVolume }
  | { readonly kind: 'setPending'; readonly claim: PersistentVolumeClaim }
  | { readonly kind: 'report'; readonly claim: PersistentVolumeClaim; readonly message: string };

export function decideExpansion(seen: ExpansionSeen): Plan<ExpansionAction> {
  const { claim, volume } = seen;
  if (claim === undefined || isBeingDeleted(claim)) return settled('the claim is gone');
  if (claim.status?.phase !== 'Bound' || volume?.spec.csi === undefined) return settled('the claim has no CSI volume');
  if (volume.spec.claimRef?.uid !== claim.metadata.uid) return settled('the volume belongs to another claim');
  const request = requestOf(claim);
  if (compareQuantities(request, storageOf(volume.spec.capacity)) > 0) return growStorage(claim, volume, request, seen);
  return finish(claim, volume, seen);
}

function growStorage(claim: PersistentVolumeClaim, volume: PersistentVolume, size: string, seen: ExpansionSeen): Plan<ExpansionAction> {
  if (seen.storageClass?.allowVolumeExpansion !== true) {
    const message = `storage class "${claim.spec.storageClassName ?? ''}" does not allow expansion`;
    return act(message, { kind: 'report', claim, message });
  }
  if (seen.driver === undefined) return wait('the driver has not registered on this node', 1000);
  if (seen.driver.expandsController) return act('the claim asks for more', { kind: 'expandController', claim, volume, size });
  if (seen.driver.expandsNode) return act('only the node can grow the volume', { kind: 'skipController', claim, volume, size });
  const message = `driver ${volume.spec.csi?.driver} cannot expand volumes`;
  return act(message, { kind: 'report', claim, message });
}

function finish(claim: PersistentVolumeClaim, volume: PersistentVolume, { publishedAt, driver }: ExpansionSeen): Plan<ExpansionAction> {
  const behind = compareQuantities(storageOf(claim.status?.capacity), storageOf(volume.spec.capacity)) < 0;
  if (!behind) return settled('the claim has the size it asks for');
  if (annotationOf(volume, NODE_EXPANSION_PENDING) === undefined || driver?.expandsNode !== true) {
    return act('the volume has grown', { kind: 'setCapacity', claim, volume });
  }
  if (publishedAt !== undefined) return act('the file system is to grow', { kind: 'expandNode', claim, volume, path: publishedAt });
  const waiting = claim.status?.conditions?.some(({ type, status }) => type === 'FileSystemResizePending' && status === 'True') ?? false;
  return waiting ? settled('the file system grows when a pod uses the volume') : act('no pod uses the volume', { kind: 'setPending', claim });
}
