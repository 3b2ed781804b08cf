// Keeps the Node and CSINode objects of this node true: ready, labelled with the drivers' topology, naming what is
// in use. Creating and patching are idempotent; each is done again whenever a driver registers.
import { csiNodes, nodes, type CsiNode, type Node } from '@snapshot-stack/api-types';
import { isAlreadyExists } from '@snapshot-stack/runtime';
import type { Context } from '../context.ts';
import type { Driver } from './drivers.ts';
import { inUseName } from './paths.ts';

export async function registerNode(context: Context, signal: AbortSignal): Promise<void> {
  const { client, nodeName, drivers } = context;
  const labels = Object.assign({ 'kubernetes.io/hostname': nodeName, 'kubernetes.io/os': 'linux' }, ...drivers.all().map(({ segments }) => segments));
  await createOnce(client.create<Node>(nodes, { metadata: { name: nodeName, labels } }, { signal }));
  await client.patch(nodes, { name: nodeName }, { kind: 'merge', body: { metadata: { labels } } }, { signal });
  const ready = { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'the node agent is ready' };
  const status = { conditions: [ready], addresses: [{ type: 'Hostname', address: nodeName }] };
  await client.patch(nodes, { name: nodeName }, { kind: 'merge', body: { status } }, { subresource: 'status', signal });
  const spec: CsiNode['spec'] = { drivers: drivers.all().map(csiNodeDriver) };
  await createOnce(client.create<CsiNode>(csiNodes, { metadata: { name: nodeName }, spec }, { signal }));
  await client.patch(csiNodes, { name: nodeName }, { kind: 'merge', body: { spec } }, { signal });
}

function csiNodeDriver({ name, nodeId, segments, maxVolumes }: Driver): CsiNode['spec']['drivers'][number] {
  return { name, nodeID: nodeId, topologyKeys: Object.keys(segments), ...(maxVolumes > 0 && { allocatable: { count: maxVolumes } }) };
}

async function createOnce(creation: Promise<unknown>): Promise<void> {
  await creation.catch((error: unknown) => {
    if (!isAlreadyExists(error)) throw error;
  });
}

/**
 * Writes which volumes this node uses. Called after a use is written down and before it is begun, and again after
 * it has ended: whoever detaches volumes relies on a volume in use being in the list.
 */
export async function reportInUse({ client, nodeName, journal, caches }: Context, signal: AbortSignal): Promise<void> {
  const uses = await journal.all();
  const volumesInUse = [...new Set(uses.map(({ driverName, volumeHandle }) => inUseName(driverName, volumeHandle)))].toSorted();
  const node = caches.nodes.get(nodeName);
  if (JSON.stringify(node?.status?.volumesInUse ?? []) === JSON.stringify(volumesInUse)) return;
  const patched = await client.patch(nodes, { name: nodeName }, { kind: 'merge', body: { status: { volumesInUse } } }, { subresource: 'status', signal });
  caches.nodes.remember(patched);
}
