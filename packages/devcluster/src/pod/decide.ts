// What the node does for a pod: its volumes are attached, staged and published, and then it runs; when it goes, all
// that is undone before the pod object is removed. The journal says what may be in place, the kernel what is mounted.
//
//   claims bound → attached → (in use) staged → published → Running
//   deleted → unpublished → last use: unstaged → detached → pod removed
import { isBeingDeleted, type PersistentVolume, type PersistentVolumeClaim, type Pod, type VolumeAttachment } from '@snapshot-stack/api-types';
import type { Use } from '../node/journal.ts';
import { act, settled, wait, type Plan } from '../plan.ts';

const LOOK_AGAIN_MS = 1000;

/** What the driver of a volume needs done. */
export interface DriverTraits {
  readonly stages: boolean;
  readonly attaches: boolean;
}

export interface VolumeOfPod {
  readonly claimName: string;
  readonly readOnly: boolean;
  readonly claim: PersistentVolumeClaim | undefined;
  readonly volume: PersistentVolume | undefined;
  readonly attachment: VolumeAttachment | undefined;
  /** undefined while the volume's driver has not registered on this node. */
  readonly driver: DriverTraits | undefined;
}

/** A use that the journal knows. */
export interface Held {
  readonly use: Use;
  /** Its target is mounted, or was published by this very process. */
  readonly inPlace: boolean;
}

export interface PodSeen {
  readonly podUid: string;
  /** undefined once the object is gone, or belongs to another node. */
  readonly pod: Pod | undefined;
  readonly volumes: readonly VolumeOfPod[];
  readonly held: readonly Held[];
}

export interface Mounting {
  readonly pod: Pod;
  readonly claim: PersistentVolumeClaim;
  readonly volume: PersistentVolume;
  readonly readOnly: boolean;
  readonly driver: DriverTraits;
  readonly attachment: VolumeAttachment | undefined;
}

export type PodAction =
  | { readonly kind: 'attach'; readonly volume: PersistentVolume }
  | { readonly kind: 'mount'; readonly mounting: Mounting }
  | { readonly kind: 'unmount'; readonly use: Use }
  | { readonly kind: 'run'; readonly pod: Pod }
  | { readonly kind: 'remove'; readonly pod: Pod };

export function decidePod(seen: PodSeen): Plan<PodAction> {
  const { pod } = seen;
  if (pod === undefined || isBeingDeleted(pod) || hasEnded(pod)) return leave(pod, seen.held);
  const unready = seen.volumes.map(obstacle).find((why) => why !== undefined);
  if (unready !== undefined) return wait(unready, LOOK_AGAIN_MS);
  const mountings = seen.volumes.flatMap((volume) => mountingOf(pod, volume));
  const unattached = mountings.filter(({ driver, attachment }) => driver.attaches && attachment === undefined);
  if (unattached.length > 0) return act('its volumes are to be attached', ...unattached.map(({ volume }): PodAction => ({ kind: 'attach', volume })));
  if (mountings.some(({ driver, attachment }) => driver.attaches && attachment?.status?.attached !== true)) return settled('a volume is being attached');
  const missing = mountings.filter(({ volume }) => !seen.held.some(({ use, inPlace }) => inPlace && use.specVolID === volume.metadata.name));
  if (missing.length > 0) return act('its volumes are to be mounted', ...missing.map((mounting): PodAction => ({ kind: 'mount', mounting })));
  if (pod.status?.phase !== 'Running') return act('all its volumes are there', { kind: 'run', pod });
  return settled('it runs');
}

function hasEnded(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

function leave(pod: Pod | undefined, held: readonly Held[]): Plan<PodAction> {
  if (held.length > 0) {
    return act('the pod needs its volumes no longer', ...held.map(({ use }): PodAction => ({ kind: 'unmount', use })));
  }
  if (pod !== undefined && isBeingDeleted(pod)) return act('its volumes are unmounted', { kind: 'remove', pod });
  return settled('nothing of it is left here');
}

/** Why a volume cannot be mounted yet. */
function obstacle({ claimName, claim, volume, driver }: VolumeOfPod): string | undefined {
  if (claim === undefined) return `claim ${claimName} does not exist`;
  if (claim.status?.phase !== 'Bound' || volume === undefined) return `claim ${claimName} is not bound`;
  if (volume.spec.claimRef?.uid !== claim.metadata.uid) return `volume ${volume.metadata.name} does not belong to claim ${claimName}`;
  if (volume.spec.csi === undefined) return `volume ${volume.metadata.name} is no CSI volume, which is all this node can mount`;
  if (driver === undefined) return `driver ${volume.spec.csi.driver} has not registered on this node`;
  return undefined;
}

function mountingOf(pod: Pod, { claim, volume, driver, attachment, readOnly }: VolumeOfPod): Mounting[] {
  return claim && volume && driver ? [{ pod, claim, volume, driver, attachment, readOnly }] : [];
}
