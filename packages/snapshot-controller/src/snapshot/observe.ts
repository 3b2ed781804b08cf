// Gathers all that one decision about a snapshot needs: from the caches, except where believing an absence could
// lose or double something.
import { isBeingDeleted, volumeSnapshotContents, type VolumeSnapshot, type VolumeSnapshotContent } from '@snapshot-stack/api-types';
import type { Client } from '@snapshot-stack/runtime';
import type { Cluster } from '../cluster.ts';
import type { Seen } from './decide.ts';
import { chooseNode, indexedPairs, type NodeChoice } from './managing-node.ts';
import { claimKeyOf, contentNameOf, isGroupMember, isHeld } from './questions.ts';
import type { SourceSeen } from './source.ts';
import type { PersistentVolume } from '@snapshot-stack/api-types';

export interface ObserveOptions {
  client: Client;
  cluster: Cluster;
  recordVolumeMode: boolean;
  now: number;
  signal: AbortSignal;
}

export async function observe(key: string, options: ObserveOptions): Promise<Seen> {
  const { cluster, recordVolumeMode, now } = options;
  const snapshot = cluster.snapshots.cache.get(key);
  if (snapshot === undefined) return { snapshot, content: undefined, source: undefined, restoring: [], recordVolumeMode, now };
  const content = await findContent(snapshot, options);
  return {
    snapshot,
    content,
    source: content === undefined && !isBeingDeleted(snapshot) ? seeSource(snapshot, cluster) : undefined,
    restoring: isBeingDeleted(snapshot) ? cluster.claims.cache.byIndex('restores', key).map(({ metadata }) => metadata.name ?? '') : [],
    recordVolumeMode,
    now,
  };
}

/**
 * The content under the snapshot's content name. A cache may lag behind our own create (one whose answer was
 * lost, or that a former leader sent), and on "there is none" a held snapshot would be released and its content
 * orphaned, or a bound one declared lost. So an absence that matters is confirmed by reading live. No read is
 * needed for a snapshot not held yet (the hold comes before the content) nor for a content seen to go, which are
 * the two absences of every ordinary snapshot's life.
 */
async function findContent(snapshot: VolumeSnapshot, { client, cluster, signal }: ObserveOptions): Promise<VolumeSnapshotContent | undefined> {
  const name = contentNameOf(snapshot);
  if (name === undefined) return undefined;
  const cached = cluster.contents.cache.get(name);
  const absenceMatters = isHeld(snapshot) || snapshot.status?.readyToUse === true || (isGroupMember(snapshot) && isBeingDeleted(snapshot));
  if (cached !== undefined || !absenceMatters || cluster.departed.has(name)) return cached;
  const live = await client.find(volumeSnapshotContents, { name }, { signal });
  if (live !== undefined) cluster.contents.cache.remember(live);
  return live;
}

function seeSource(snapshot: VolumeSnapshot, cluster: Cluster): SourceSeen | undefined {
  const key = claimKeyOf(snapshot);
  if (key === undefined) return undefined;
  const claim = cluster.claims.cache.get(key);
  const volume = cluster.volumes.cache.get(claim?.spec.volumeName ?? '');
  const driver = volume?.spec.csi?.driver;
  return {
    claim,
    volume,
    namedClass: cluster.classes.cache.get(snapshot.spec.volumeSnapshotClassName ?? ''),
    defaultClasses: driver === undefined ? [] : cluster.classes.cache.byIndex('defaultOfDriver', driver),
    node: volume === undefined ? undefined : seeNode(volume, cluster),
  };
}

function seeNode(volume: PersistentVolume, { nodes }: Cluster): NodeChoice | undefined {
  if (nodes === undefined) return undefined;
  const pairs = indexedPairs(volume);
  const candidates = pairs === undefined ? nodes.cache.list() : pairs.flatMap((pair) => nodes.cache.byIndex('label', pair));
  return chooseNode(volume, candidates);
}
