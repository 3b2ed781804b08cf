// Observes a pod without a node, and gives it this one.
import { Annotation, persistentVolumeClaims, pods } from '@snapshot-stack/api-types';
import { claimKeysOf, patchSeen, refOf, type Context } from '../context.ts';
import type { PodBinder } from './pod-binder.ts';
import type { SchedulerAction, SchedulerSeen } from './decide.ts';

export function observeScheduling(key: string, { caches, nodeName }: Context): SchedulerSeen {
  const pod = caches.pods.get(key);
  const claims = (pod ? claimKeysOf(pod) : []).map((claimKey) => {
    const claim = caches.claims.get(claimKey);
    return {
      name: refOf(claimKey).name,
      claim,
      volume: claim?.spec.volumeName ? caches.volumes.get(claim.spec.volumeName) : undefined,
      storageClass: claim?.spec.storageClassName ? caches.classes.get(claim.spec.storageClassName) : undefined,
    };
  });
  return { pod, claims, node: { name: nodeName, labels: caches.nodes.get(nodeName)?.metadata.labels ?? {} } };
}

export async function performScheduling(action: SchedulerAction, context: Context, binder: PodBinder, signal: AbortSignal): Promise<void> {
  switch (action.kind) {
    case 'selectNode': {
      const body = { metadata: { annotations: { [Annotation.selectedNode]: action.node } } };
      return await patchSeen(context, persistentVolumeClaims, context.caches.claims, action.claim, body, { signal });
    }
    case 'bindPod':
      return await binder.bind(action.pod, action.node, context, signal);
    case 'report':
      return context.report.scheduler(pods, action.pod, 'Warning', 'FailedScheduling', action.message);
  }
}
