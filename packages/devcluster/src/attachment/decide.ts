// Carries a VolumeAttachment out through the driver's controller service: what the sidecar external-attacher does.
import { hasFinalizer, isBeingDeleted, type PersistentVolume, type VolumeAttachment } from '@snapshot-stack/api-types';
import { act, settled, wait, type Plan } from '../plan.ts';

export interface AttachmentSeen {
  readonly attachment: VolumeAttachment | undefined;
  readonly volume: PersistentVolume | undefined;
  /** The driver's own id of the node, from its CSINode entry; undefined while the driver has not registered. */
  readonly nodeId: string | undefined;
  /** A pod on the node uses the volume, or something of it is still mounted there. */
  readonly isNeeded: boolean;
}

export type AttachmentAction =
  | { readonly kind: 'hold'; readonly attachment: VolumeAttachment; readonly finalizer: string }
  | { readonly kind: 'publish'; readonly attachment: VolumeAttachment; readonly volume: PersistentVolume; readonly nodeId: string }
  | { readonly kind: 'unpublish'; readonly attachment: VolumeAttachment; readonly volume: PersistentVolume; readonly nodeId: string }
  | { readonly kind: 'giveUp'; readonly attachment: VolumeAttachment }
  | { readonly kind: 'release'; readonly attachment: VolumeAttachment; readonly finalizer: string };

/** The name external-attacher uses. */
export function attacherFinalizer(driver: string): string {
  return `external-attacher/${driver.replaceAll('.', '-')}`;
}

export function decideAttachment({ attachment, volume, nodeId, isNeeded }: AttachmentSeen): Plan<AttachmentAction> {
  if (attachment === undefined) return settled('the attachment is gone');
  const finalizer = attacherFinalizer(attachment.spec.attacher);
  const held = hasFinalizer(attachment, finalizer);
  if (isBeingDeleted(attachment) && !held) return settled('it is being deleted, and nothing is attached');
  if (isBeingDeleted(attachment) && volume === undefined) return act('its volume is gone', { kind: 'release', attachment, finalizer });
  if (!isBeingDeleted(attachment) && !isNeeded) return act('nothing on the node uses its volume', { kind: 'giveUp', attachment });
  if (volume === undefined) return settled('its volume does not exist');
  if (nodeId === undefined) return wait('the driver has not registered on the node', 1000);
  if (isBeingDeleted(attachment)) {
    if (attachment.status?.attached === true) return act('it is to be detached', { kind: 'unpublish', attachment, volume, nodeId });
    return act('it is detached', { kind: 'release', attachment, finalizer });
  }
  if (attachment.status?.attached === true) return settled('it is attached');
  if (!held) return act('hold it before the volume is attached', { kind: 'hold', attachment, finalizer });
  return act('it is to be attached', { kind: 'publish', attachment, volume, nodeId });
}
