// Observes what is in a namespace that is being deleted, deletes it, and lets the namespace go.
import type { KubeList, KubeObject } from '@snapshot-stack/api-types';
import { isBeingDeleted, namespaces } from '@snapshot-stack/api-types';
import type { Client } from '@snapshot-stack/runtime';
import { discover, type ServedResource } from '../collector/discovery.ts';
import { patchSeen, type Context } from '../context.ts';
import { KUBERNETES, type NamespaceAction, type NamespaceSeen, type Remaining } from './decide.ts';

const PAGE = 500;

export async function observeNamespace(name: string, context: Context, signal: AbortSignal): Promise<NamespaceSeen> {
  const namespace = context.caches.namespaces.get(name);
  if (namespace === undefined || !isBeingDeleted(namespace)) return { namespace, remaining: [] };
  const resources = (await discover(context.client, signal)).filter(
    ({ namespaced, verbs }) => namespaced && verbs.includes('list') && verbs.includes('delete'),
  );
  const remaining: Remaining[] = [];
  for (const resource of resources) remaining.push({ resource, objects: await firstPage(context.client, resource, name, signal) });
  return { namespace, remaining };
}

// One page at a time: what is beyond it is met in the next pass.
async function firstPage(client: Client, resource: ServedResource, namespace: string, signal: AbortSignal): Promise<readonly KubeObject[]> {
  const list: KubeList<KubeObject> = await client.list(resource, { namespace, limit: PAGE, signal });
  return list.items;
}

export async function performOnNamespace(action: NamespaceAction, context: Context, signal: AbortSignal): Promise<void> {
  switch (action.kind) {
    case 'delete': {
      const { namespace, name = '', uid } = action.object.metadata;
      return await context.client.delete(action.resource, { name, ...(namespace !== undefined && { namespace }) }, { uid, propagation: 'Background', signal });
    }
    case 'report': {
      const { conditions = [] } = action.namespace.status ?? {};
      if (conditions.some(({ type, message }) => type === 'NamespaceContentRemaining' && message === action.message)) return;
      const others = conditions.filter(({ type }) => type !== 'NamespaceContentRemaining');
      const condition = { type: 'NamespaceContentRemaining', status: 'True', reason: 'SomeResourcesRemain', message: action.message };
      const body = { status: { phase: 'Terminating', conditions: [...others, condition] } };
      return await patchSeen(context, namespaces, context.caches.namespaces, action.namespace, body, { subresource: 'status', signal });
    }
    case 'finalize': {
      const { name = '' } = action.namespace.metadata;
      const finalizers = (action.namespace.spec?.finalizers ?? []).filter((finalizer) => finalizer !== KUBERNETES);
      const body = { ...action.namespace, apiVersion: 'v1', kind: 'Namespace', spec: { ...action.namespace.spec, finalizers } };
      await context.client.raw('PUT', `/api/v1/namespaces/${name}/finalize`, { body, signal });
    }
  }
}
