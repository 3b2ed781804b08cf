import { isBeingDeleted, volumeSnapshots, type VolumeSnapshot, type VolumeSnapshotContent } from '@snapshot-stack/api-types';
import type { Client } from '@snapshot-stack/runtime';
import type { Cluster } from '../cluster.ts';
import type { ContentSeen } from './decide.ts';

/** `namespace/name` of the snapshot that a content names. */
export function snapshotKeyOf(content: VolumeSnapshotContent): string {
  const { namespace = '', name = '' } = content.spec.volumeSnapshotRef;
  return `${namespace}/${name}`;
}

export async function observeContent(key: string, cluster: Cluster, client: Client, signal: AbortSignal): Promise<ContentSeen> {
  const content = cluster.contents.cache.get(key);
  if (content === undefined) return { content, snapshot: undefined };
  return { content, snapshot: await findSnapshot(content, cluster, client, signal) };
}

/**
 * That the snapshot of a deleted content is not there lets the sidecar delete the data, so a lagging cache must
 * not say it: it is read live, once per content that an administrator deletes after its snapshot.
 */
async function findSnapshot(content: VolumeSnapshotContent, cluster: Cluster, client: Client, signal: AbortSignal): Promise<VolumeSnapshot | undefined> {
  const { namespace, name = '', uid } = content.spec.volumeSnapshotRef;
  const cached = cluster.snapshots.cache.get(snapshotKeyOf(content));
  const isThere = cached?.metadata.uid === uid;
  if (isThere || !isBeingDeleted(content) || uid === undefined || uid === '') return cached;
  return client.find(volumeSnapshots, { name, namespace }, { signal });
}
