// What wakes what: each change in the cluster wakes exactly those claims, volumes and sources that may go on because
// of it, so that nothing waits for a retry.
import { isDeepStrictEqual } from 'node:util';
import { Finalizer, hasFinalizer, keyOf, type KubeObject, type PersistentVolumeClaim, type VolumeSnapshot } from '@snapshot-stack/api-types';
import type { WorkQueue } from '@snapshot-stack/runtime';
import { dataSourceOf, type Cluster } from './cluster.ts';
import { isOurVolume } from './volume/decide.ts';

export interface Queues {
  claims: WorkQueue;
  volumes: WorkQueue;
  /** `snapshot:<namespace>/<name>` and `claim:<namespace>/<name>`. */
  holds: WorkQueue;
}

/** Each change wakes exactly those that may go on because of it. */
export function connectTriggers(cluster: Cluster, queues: Queues, driver: string): void {
  const wakeClaims = (index: string, value: string): void => {
    for (const claim of cluster.claims.cache.byIndex(index, value)) queues.claims.add(keyOf(claim));
  };
  const wakeSource = (claim: PersistentVolumeClaim): void => {
    const source = dataSourceOf(claim);
    if (source?.kind === 'VolumeSnapshot') queues.holds.add(`snapshot:${source.namespace}/${source.name}`);
    if (source?.kind === 'PersistentVolumeClaim') queues.holds.add(`claim:${source.namespace}/${source.name}`);
  };
  const claimChanged = (claim: PersistentVolumeClaim): void => {
    queues.claims.add(keyOf(claim));
    wakeSource(claim);
    wakeClaims('cloning', keyOf(claim));
    if (hasFinalizer(claim, Finalizer.claimBeingCloned)) queues.holds.add(`claim:${keyOf(claim)}`);
  };
  cluster.claims.on({ added: claimChanged, updated: claimChanged, deleted: wakeSource });
  cluster.classes.on({
    added: ({ metadata }) => wakeClaims('byClass', metadata.name ?? ''),
    updated: ({ metadata }) => wakeClaims('byClass', metadata.name ?? ''),
  });
  const snapshotChanged = (snapshot: VolumeSnapshot): void => {
    wakeClaims('restoring', keyOf(snapshot));
    if (hasFinalizer(snapshot, Finalizer.snapshotBeingRestored)) queues.holds.add(`snapshot:${keyOf(snapshot)}`);
  };
  cluster.snapshots?.on({ added: snapshotChanged, updated: snapshotChanged, deleted: snapshotChanged });
  const contentChanged = (name: string): void => {
    for (const snapshot of cluster.snapshots?.cache.byIndex('byContent', name) ?? []) wakeClaims('restoring', keyOf(snapshot));
  };
  cluster.contents?.on({ added: ({ metadata }) => contentChanged(metadata.name ?? ''), updated: ({ metadata }) => contentChanged(metadata.name ?? '') });
  cluster.volumes.on({
    added: (volume) => {
      if (isOurVolume(volume, driver)) queues.volumes.add(keyOf(volume));
    },
    updated: (volume) => {
      if (isOurVolume(volume, driver)) queues.volumes.add(keyOf(volume));
      const { claimRef } = volume.spec;
      if (claimRef !== undefined) wakeClaims('cloning', `${claimRef.namespace ?? ''}/${claimRef.name ?? ''}`);
    },
  });
  cluster.attachments?.on({ deleted: ({ spec }) => queues.volumes.add(spec.source.persistentVolumeName ?? '') });
  const nodeChanged = ({ metadata }: KubeObject): void => wakeClaims('bySelectedNode', metadata.name ?? '');
  cluster.csiNodes?.on({ added: nodeChanged, updated: nodeChanged });
  cluster.nodes?.on({
    added: nodeChanged,
    // Nodes report every few seconds; only their labels say where they are.
    updated: (node, old) => {
      if (!isDeepStrictEqual(node.metadata.labels, old.metadata.labels)) nodeChanged(node);
    },
  });
  const granted = ({ metadata }: KubeObject): void => wakeClaims('bySourceNamespace', metadata.namespace ?? '');
  cluster.attributesClasses?.on({ added: ({ metadata }) => wakeClaims('byAttributesClass', metadata.name ?? '') });
  cluster.grants?.on({ added: granted, updated: granted });
}
