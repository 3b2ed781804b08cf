// What happens to a claim next: it is given a class, bound to a volume, handed to a provisioner, or declared lost.
// Binding takes three passes, volume first, so that a crash between them leaves a volume reserved for the claim and
// never two claims on one volume:
//
//   volume.claimRef names the claim  →  claim.volumeName names the volume  →  claim.status says Bound
import { Annotation, annotationOf, isBeingDeleted, type PersistentVolume, type PersistentVolumeClaim, type StorageClass } from '@snapshot-stack/api-types';
import { act, settled, type Plan } from '../plan.ts';
import { bestVolume, isFor, mismatch, volumeModeOf } from './match.ts';

export interface ClaimSeen {
  readonly claim: PersistentVolumeClaim | undefined;
  /** The volume that spec.volumeName names. */
  readonly volume: PersistentVolume | undefined;
  readonly volumes: readonly PersistentVolume[];
  /** The class that the claim names. */
  readonly storageClass: StorageClass | undefined;
  /** The newest class marked as the default of the cluster. */
  readonly defaultClass: StorageClass | undefined;
  /** Name of a pod that uses the claim and has no node yet. */
  readonly waitingPod: string | undefined;
  /** Labels of the node that the claim was promised to (its selected-node annotation). */
  readonly nodeLabels: Readonly<Record<string, string>> | undefined;
}

export type ClaimAction =
  | { readonly kind: 'setClass'; readonly claim: PersistentVolumeClaim; readonly className: string }
  | { readonly kind: 'reserveVolume'; readonly claim: PersistentVolumeClaim; readonly volume: PersistentVolume }
  | { readonly kind: 'bindClaim'; readonly claim: PersistentVolumeClaim; readonly volume: PersistentVolume }
  | { readonly kind: 'setBound'; readonly claim: PersistentVolumeClaim; readonly volume: PersistentVolume }
  | { readonly kind: 'setLost'; readonly claim: PersistentVolumeClaim }
  | { readonly kind: 'askProvisioner'; readonly claim: PersistentVolumeClaim; readonly provisioner: string }
  | Report;

interface Report {
  readonly kind: 'report';
  readonly claim: PersistentVolumeClaim;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly message: string;
}

export function decideClaim(seen: ClaimSeen): Plan<ClaimAction> {
  const { claim } = seen;
  if (claim === undefined) return settled('the claim is gone');
  if (annotationOf(claim, Annotation.bindCompleted) !== undefined) return keepBound(claim, seen.volume);
  if (isBeingDeleted(claim)) return settled('the claim is being deleted and gets no volume any more');
  if (claim.spec.volumeName !== undefined && claim.spec.volumeName !== '') return bindToNamed(claim, seen.volume);
  if (claim.spec.storageClassName === undefined && seen.defaultClass !== undefined) {
    return act('the cluster has a default class', { kind: 'setClass', claim, className: seen.defaultClass.metadata.name ?? '' });
  }
  return findVolume(claim, seen);
}

function keepBound(claim: PersistentVolumeClaim, volume: PersistentVolume | undefined): Plan<ClaimAction> {
  if (volume === undefined) {
    const message = claim.spec.volumeName
      ? 'Bound claim has lost its PersistentVolume. Data on the volume is lost!'
      : 'Bound claim has lost reference to PersistentVolume. Data on the volume is lost!';
    return lose(claim, 'ClaimLost', message);
  }
  if (volume.spec.claimRef === undefined) return act('the volume forgot its claim', { kind: 'reserveVolume', claim, volume });
  if (!isFor(volume, claim)) {
    return lose(claim, 'ClaimMisbound', 'Two claims are bound to the same volume, this one is bound incorrectly');
  }
  if (claim.status?.phase !== 'Bound') return act('the claim is bound', { kind: 'setBound', claim, volume });
  return settled('the claim is bound');
}

function lose(claim: PersistentVolumeClaim, reason: string, message: string): Plan<ClaimAction> {
  if (claim.status?.phase === 'Lost') return settled('the claim is lost');
  return act(message, { kind: 'setLost', claim }, { kind: 'report', claim, type: 'Warning', reason, message });
}

/** The user, or a bind pass cut short, has named the volume. */
function bindToNamed(claim: PersistentVolumeClaim, volume: PersistentVolume | undefined): Plan<ClaimAction> {
  if (volume === undefined) return settled('the volume that the claim names does not exist yet');
  if (volume.spec.claimRef !== undefined && !isFor(volume, claim)) return settled('the volume that the claim names belongs to another claim');
  const fault = mismatch(volume, claim);
  if (fault !== undefined) return refuse(claim, volume, fault);
  return bind(claim, volume);
}

function refuse(claim: PersistentVolumeClaim, volume: PersistentVolume, fault: string): Plan<ClaimAction> {
  const message = `Cannot bind to requested volume "${volume.metadata.name}": ${fault}`;
  return act(message, { kind: 'report', claim, type: 'Warning', reason: 'VolumeMismatch', message });
}

function bind(claim: PersistentVolumeClaim, volume: PersistentVolume): Plan<ClaimAction> {
  const reserved = volume.spec.claimRef?.uid !== undefined && volume.spec.claimRef.uid !== '';
  if (!reserved) return act('the volume suits the claim', { kind: 'reserveVolume', claim, volume });
  return act('the volume is reserved for the claim', { kind: 'bindClaim', claim, volume });
}

function findVolume(claim: PersistentVolumeClaim, seen: ClaimSeen): Plan<ClaimAction> {
  const delayed = seen.storageClass?.volumeBindingMode === 'WaitForFirstConsumer' && annotationOf(claim, Annotation.selectedNode) === undefined;
  const candidates = delayed ? seen.volumes.filter((volume) => isFor(volume, claim)) : seen.volumes;
  const volume = bestVolume(candidates, claim, seen.nodeLabels);
  if (volume !== undefined) return bind(claim, volume);
  const misfit = seen.volumes.find((candidate) => isFor(candidate, claim) && volumeModeOf(candidate) !== volumeModeOf(claim));
  if (misfit !== undefined) return refuse(claim, misfit, 'incompatible volumeMode');
  if (delayed) return waitForConsumer(claim, seen.waitingPod);
  return askProvisioner(claim, seen.storageClass);
}

function waitForConsumer(claim: PersistentVolumeClaim, waitingPod: string | undefined): Plan<ClaimAction> {
  const [reason, message] =
    waitingPod === undefined
      ? ['WaitForFirstConsumer', 'waiting for first consumer to be created before binding']
      : ['WaitForPodScheduled', `waiting for pod ${waitingPod} to be scheduled`];
  return act(message, { kind: 'report', claim, type: 'Normal', reason, message });
}

function askProvisioner(claim: PersistentVolumeClaim, storageClass: StorageClass | undefined): Plan<ClaimAction> {
  const className = claim.spec.storageClassName ?? '';
  if (className === '') {
    const message = 'no persistent volumes available for this claim and no storage class is set';
    return act(message, { kind: 'report', claim, type: 'Normal', reason: 'FailedBinding', message });
  }
  if (storageClass === undefined) {
    const message = `storageclass.storage.k8s.io "${className}" not found`;
    return act(message, { kind: 'report', claim, type: 'Warning', reason: 'ProvisioningFailed', message });
  }
  const { provisioner } = storageClass;
  if (provisioner === 'kubernetes.io/no-provisioner') return settled('no free volume suits the claim, and its class provisions none');
  const report: Report = {
    kind: 'report',
    claim,
    type: 'Normal',
    reason: 'ExternalProvisioning',
    message: `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`,
  };
  if (annotationOf(claim, Annotation.storageProvisioner) === provisioner) return act('the provisioner was asked for a volume', report);
  return act<ClaimAction>('no free volume suits the claim', { kind: 'askProvisioner', claim, provisioner }, report);
}
