// What can be decided about a claim.
import type { VolumeAttributesClass } from '../kinds.ts';
import type { PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeSnapshot } from '@snapshot-stack/api-types';

/** Where a new volume's data comes from, at the driver. */
export type Origin = { kind: 'snapshot'; handle: string; snapshot: VolumeSnapshot } | { kind: 'volume'; handle: string; source: PersistentVolumeClaim };

export type ClaimPlan =
  /** Nothing to do, now or later by itself. */
  | { kind: 'settled'; why: string }
  /** Something else must happen first; whoever sees it happen looks again. Users see the sentence as an event. */
  | { kind: 'waiting'; why: string }
  /** Impossible until somebody changes something; the sentence says who and what. */
  | { kind: 'blocked'; why: string }
  /** Node-local: nobody has taken the claim yet, and this node may. */
  | { kind: 'own'; claim: PersistentVolumeClaim; storageClass: StorageClass; node: string }
  /** Before the driver is asked: the claim must not go unnoticed while a volume may exist for it. */
  | { kind: 'mark'; claim: PersistentVolumeClaim }
  /** The source must not go while data is taken from it. */
  | { kind: 'hold'; origin: Origin }
  | {
      kind: 'provision';
      claim: PersistentVolumeClaim;
      storageClass: StorageClass;
      origin: Origin | undefined;
      attributesClass: VolumeAttributesClass | undefined;
    }
  /** The volume is there and saved: let the claim go its ways. */
  | { kind: 'unmark'; claim: PersistentVolumeClaim }
  /** The claim goes before its volume was saved: what the driver may have made is removed. */
  | {
      kind: 'abandon';
      claim: PersistentVolumeClaim;
      storageClass: StorageClass | undefined;
      origin: Origin | undefined;
      attributesClass: VolumeAttributesClass | undefined;
      saved: PersistentVolume | undefined;
    };
