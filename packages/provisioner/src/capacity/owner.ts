// Who the CSIStorageCapacity objects belong to, so that they go with the deployment of the driver.
import { pods, type KubeObject, type OwnerReference, type Resource } from '@snapshot-stack/api-types';
import type { Client } from '@snapshot-stack/runtime';

const replicaSets: Resource = { group: 'apps', version: 'v1', plural: 'replicasets', kind: 'ReplicaSet', namespaced: true };

/**
 * @param level -1 for nobody, 0 for the pod, 1 for who made the pod (a StatefulSet, DaemonSet or ReplicaSet), 2 for
 *   who made that (a Deployment)
 * @throws Error when there is no such owner; KubeError
 */
export async function ownersAt(level: number, pod: { name: string; namespace: string }, client: Client, signal: AbortSignal): Promise<OwnerReference[]> {
  if (level < 0) return [];
  const { apiVersion = 'v1', kind = 'Pod', metadata } = await client.get(pods, pod, { signal });
  if (level === 0) return [{ apiVersion, kind, name: pod.name, uid: metadata.uid ?? '' }];
  const first = controllerOf({ metadata }, `pod ${pod.namespace}/${pod.name}`, level);
  if (level === 1) return [first];
  if (first.kind !== 'ReplicaSet')
    throw new Error(`--capacity-ownerref-level=${level} asks for the owner of ${first.kind} ${first.name}, which has none; use 1`);
  const set = await client.get(replicaSets, { name: first.name, namespace: pod.namespace }, { signal });
  return [controllerOf(set, `ReplicaSet ${pod.namespace}/${first.name}`, level)];
}

function controllerOf({ metadata }: KubeObject, what: string, level: number): OwnerReference {
  const found = metadata.ownerReferences?.find(({ controller }) => controller === true);
  if (found === undefined) throw new Error(`--capacity-ownerref-level=${level} asks for more owners than ${what} has; lower it`);
  const { apiVersion, kind, name, uid } = found;
  return { apiVersion, kind, name, uid };
}
