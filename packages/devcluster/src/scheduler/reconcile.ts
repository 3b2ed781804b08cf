// Observes a pod without a node, and gives it this one.
import { Annotation, persistentVolumeClaims, pods } from '@snapshot-stack/api-types';
import { claimKeysOf, patchSeen, refOf, type Context } from '../context.ts';
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

export async function performScheduling(action: SchedulerAction, context: Context, signal: AbortSignal): Promise<void> {
  switch (action.kind) {
    case 'selectNode': {
      const body = { metadata: { annotations: { [Annotation.selectedNode]: action.node } } };
      return await patchSeen(context, persistentVolumeClaims, context.caches.claims, action.claim, body, { signal });
    }
    case 'bindPod': {
      const { namespace, name, uid } = action.pod.metadata;
      const target = { apiVersion: 'v1', kind: 'Node', name: action.node };
      const body = { apiVersion: 'v1', kind: 'Binding', metadata: { namespace, name, uid }, target };
      await context.client.raw('POST', `/api/v1/namespaces/${namespace}/pods/${name}/binding`, { body, signal });
      return;
    }
    case 'report':
      return context.report.scheduler(pods, action.pod, 'Warning', 'FailedScheduling', action.message);
  }
}
