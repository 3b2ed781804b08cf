// Observes an object with its owners and dependents, and deletes what nobody owns any more.
import type { KubeObject, OwnerReference } from '@snapshot-stack/api-types';
import { hasFinalizer, isBeingDeleted } from '@snapshot-stack/api-types';
import { guarded, type Client } from '@snapshot-stack/runtime';
import { FOREGROUND, type CollectorAction, type CollectorSeen, type Owner } from './decide.ts';
import type { ObjectGraph } from './graph.ts';

export async function observeOwnership(uid: string, graph: ObjectGraph, client: Client, signal: AbortSignal): Promise<CollectorSeen> {
  const found = graph.find(uid);
  if (found === undefined) return { object: undefined, owners: [], dependents: [] };
  const owners: Owner[] = [];
  for (const ref of found.object.metadata.ownerReferences ?? []) owners.push({ ref, state: await stateOf(ref, found.object, graph, client, signal) });
  return { object: found.object, owners, dependents: graph.dependentsOf(uid).map(({ object }) => object) };
}

/** An owner that the graph does not know is asked for at the API server: its watch may merely be late. */
async function stateOf(ref: OwnerReference, dependent: KubeObject, graph: ObjectGraph, client: Client, signal: AbortSignal): Promise<Owner['state']> {
  const known = graph.find(ref.uid)?.object;
  if (known !== undefined) return stateOfFound(known);
  const resource = graph.resourceOf(ref);
  const { namespace } = dependent.metadata;
  if (resource === undefined || (resource.namespaced && namespace === undefined)) return 'unknown';
  const owner = await client.find(resource, { name: ref.name, ...(resource.namespaced && namespace !== undefined && { namespace }) }, { signal });
  return owner !== undefined && owner.metadata.uid === ref.uid ? stateOfFound(owner) : 'absent';
}

function stateOfFound(owner: KubeObject): Owner['state'] {
  return isBeingDeleted(owner) && hasFinalizer(owner, FOREGROUND) ? 'waiting' : 'present';
}

export async function performCollection(action: CollectorAction, graph: ObjectGraph, client: Client, signal: AbortSignal): Promise<void> {
  const { namespace, name = '', uid = '' } = action.object.metadata;
  const resource = graph.find(uid)?.resource;
  if (resource === undefined) return;
  const ref = { name, ...(namespace !== undefined && { namespace }) };
  switch (action.kind) {
    case 'delete':
      return await client.delete(resource, ref, { uid, resourceVersion: action.object.metadata.resourceVersion, propagation: action.propagation, signal });
    case 'keepOwners':
      await client.patch(resource, ref, guarded(action.object, { metadata: { ownerReferences: action.refs } }), { signal });
      return;
    case 'dropFinalizer': {
      const finalizers = (action.object.metadata.finalizers ?? []).filter((finalizer) => finalizer !== action.finalizer);
      await client.patch(resource, ref, guarded(action.object, { metadata: { finalizers } }), { signal });
    }
  }
}
