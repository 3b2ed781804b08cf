// Gives a pod this node, once its claims can be used here. Claims that wait for their first consumer are promised to
// the node first (the selected-node annotation), and the pod follows when they are bound.
import {
  Annotation,
  annotationOf,
  isBeingDeleted,
  isReachableFrom,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Pod,
  type StorageClass,
} from '@snapshot-stack/api-types';
import { podFits } from '../node-labels.ts';
import { act, settled, type Plan } from '../plan.ts';

export interface ClaimOfPod {
  readonly name: string;
  readonly claim: PersistentVolumeClaim | undefined;
  readonly volume: PersistentVolume | undefined;
  readonly storageClass: StorageClass | undefined;
}

export interface SchedulerSeen {
  readonly pod: Pod | undefined;
  readonly claims: readonly ClaimOfPod[];
  readonly node: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
}

export type SchedulerAction =
  | { readonly kind: 'selectNode'; readonly claim: PersistentVolumeClaim; readonly node: string }
  | { readonly kind: 'bindPod'; readonly pod: Pod; readonly node: string }
  | { readonly kind: 'report'; readonly pod: Pod; readonly message: string };

type Verdict = { kind: 'usable' } | { kind: 'promise'; claim: PersistentVolumeClaim } | { kind: 'promised' } | { kind: 'fault'; message: string };

export function decideScheduling({ pod, claims, node }: SchedulerSeen): Plan<SchedulerAction> {
  if (pod === undefined || isBeingDeleted(pod)) return settled('the pod is gone');
  if (pod.spec.nodeName) return settled('the pod has a node');
  if (!podFits(pod, node.labels)) return settled('the pod wants another node');
  const verdicts = claims.map((claim) => judge(claim, node));
  const fault = verdicts.find((verdict) => verdict.kind === 'fault');
  if (fault !== undefined) return act(fault.message, { kind: 'report', pod, message: fault.message });
  const promises = verdicts.filter((verdict) => verdict.kind === 'promise');
  if (promises.length > 0) {
    return act('its claims wait for a node', ...promises.map(({ claim }): SchedulerAction => ({ kind: 'selectNode', claim, node: node.name })));
  }
  if (verdicts.some(({ kind }) => kind === 'promised')) return settled('its claims are about to be bound');
  return act('its claims can be used here', { kind: 'bindPod', pod, node: node.name });
}

function judge({ name, claim, volume, storageClass }: ClaimOfPod, node: SchedulerSeen['node']): Verdict {
  const fault = (message: string): Verdict => ({ kind: 'fault', message });
  if (claim === undefined) return fault(`persistentvolumeclaim "${name}" not found`);
  if (isBeingDeleted(claim)) return fault(`persistentvolumeclaim "${name}" is being deleted`);
  if (claim.status?.phase === 'Lost') return fault(`persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec.volumeName}"`);
  if (claim.status?.phase === 'Bound') {
    if (volume !== undefined && !isReachableFrom(volume, node)) return fault("node(s) didn't match PersistentVolume's node affinity");
    return { kind: 'usable' };
  }
  if (storageClass?.volumeBindingMode !== 'WaitForFirstConsumer') return fault('pod has unbound immediate PersistentVolumeClaims');
  const selected = annotationOf(claim, Annotation.selectedNode);
  if (selected === undefined) return { kind: 'promise', claim };
  return selected === node.name ? { kind: 'promised' } : fault(`persistentvolumeclaim "${name}" was promised to node "${selected}"`);
}
