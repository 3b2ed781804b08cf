// What to do about one PersistentVolume of ours: hold it while its data must not be forgotten, delete its data
// when its claim has gone and its policy says so. Pure.
import { Annotation, Finalizer, hasFinalizer, isBeingDeleted, type PersistentVolume, type VolumeAttachment, isReachableFrom } from '@snapshot-stack/api-types';

export type VolumePlan =
  | { kind: 'settled'; why: string }
  | { kind: 'waiting'; why: string }
  /** The driver's volume must not be forgotten when somebody deletes this object. */
  | { kind: 'protect'; volume: PersistentVolume }
  | { kind: 'unprotect'; volume: PersistentVolume }
  /** DeleteVolume, then the object, then its finalizer. */
  | { kind: 'delete'; volume: PersistentVolume };

export interface SeenVolume {
  volume: PersistentVolume | undefined;
  driver: string;
  attachments: readonly VolumeAttachment[];
  /** In node-local mode: the labels of the place that this driver's volumes are at. */
  place: Readonly<Record<string, string>> | undefined;
}

/** Made by this driver's provisioner; or by nobody who says so, as volumes made by hand, and of this driver. */
export function isOurVolume(volume: PersistentVolume, driver: string): boolean {
  const by = volume.metadata.annotations?.[Annotation.provisionedBy];
  return volume.spec.csi?.driver === driver && (by ?? driver) === driver;
}

export function decideVolume({ volume, driver, attachments, place }: SeenVolume): VolumePlan {
  if (volume === undefined) return { kind: 'settled', why: 'the volume is gone' };
  if (!isOurVolume(volume, driver)) return { kind: 'settled', why: `the volume was not made by ${driver}` };
  if (place !== undefined && !isReachableFrom(volume, { labels: place }))
    return { kind: 'settled', why: 'the volume is at another node, whose provisioner sees to it' };
  const held = hasFinalizer(volume, Finalizer.provisionedVolume);
  const phase = volume.status?.phase ?? 'Pending';
  if (volume.spec.persistentVolumeReclaimPolicy !== 'Delete')
    return held ? { kind: 'unprotect', volume } : { kind: 'settled', why: 'its policy keeps the data whatever happens' };
  if (isBeingDeleted(volume) && !held) return { kind: 'settled', why: 'the object is going; its data was seen to' };
  if (phase === 'Released') {
    const [attachment] = attachments;
    if (attachment !== undefined)
      return { kind: 'waiting', why: `the volume is still attached to node ${attachment.spec.nodeName} (VolumeAttachment ${attachment.metadata.name ?? ''})` };
    return { kind: 'delete', volume };
  }
  if (phase === 'Bound' && !held && !isBeingDeleted(volume)) return { kind: 'protect', volume };
  return { kind: 'settled', why: `the volume is ${phase}` };
}
