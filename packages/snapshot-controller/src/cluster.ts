// What the controller knows of the cluster: one informer per kind, with the indexes that make every question
// cost what its answer holds, however many objects there are.
import {
  Annotation,
  Finalizer,
  annotationOf,
  hasFinalizer,
  keyOf,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  volumeSnapshotClasses,
  volumeSnapshotContents,
  volumeSnapshots,
  type KubeObject,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type VolumeSnapshot,
  type VolumeSnapshotClass,
  type VolumeSnapshotContent,
} from '@snapshot-stack/api-types';
import { Informer, type Client, type Clock, type Log, type Random } from '@snapshot-stack/runtime';
import { BoundedSet } from './bounded-set.ts';
import { claimKeyOf, isGroupMember } from './snapshot/questions.ts';

export interface ClusterOptions {
  client: Client;
  clock: Clock;
  random: Random;
  log: Log;
  /** Nodes are watched in distributed mode only. */
  watchNodes: boolean;
}

export interface Cluster {
  snapshots: Informer<VolumeSnapshot>;
  contents: Informer<VolumeSnapshotContent>;
  classes: Informer<VolumeSnapshotClass>;
  claims: Informer<PersistentVolumeClaim>;
  volumes: Informer<PersistentVolume>;
  nodes: Informer<Node> | undefined;
  /**
   * Names of contents whose end this process has seen. A content's name is derived from its snapshot's uid and only
   * the pass of that snapshot creates it, so one that was seen to go is surely gone: the API server need not be asked.
   */
  departed: BoundedSet;
}

/** The value of index `unreadyByClass` for snapshots that name no class. */
export const NO_CLASS = '';

const SNAPSHOT_GROUP = 'snapshot.storage.k8s.io';

function isUnready(snapshot: VolumeSnapshot): boolean {
  return snapshot.status?.readyToUse !== true;
}

function classWaitedFor(snapshot: VolumeSnapshot): readonly string[] {
  const isDynamic = claimKeyOf(snapshot) !== undefined && !isGroupMember(snapshot);
  return isDynamic && isUnready(snapshot) ? [snapshot.spec.volumeSnapshotClassName ?? NO_CLASS] : [];
}

function claimWaitedFor(snapshot: VolumeSnapshot): readonly string[] {
  const claim = claimKeyOf(snapshot);
  return claim !== undefined && isUnready(snapshot) ? [claim] : [];
}

/** The one value of index `withoutContent`. */
export const ANY = '';

function withoutContent(snapshot: VolumeSnapshot): readonly string[] {
  return isUnready(snapshot) && snapshot.status?.boundVolumeSnapshotContentName === undefined ? [ANY] : [];
}

/** Keys of the snapshots that a claim still waits to be filled from. Either field may name it. */
export function snapshotsRestoredBy(claim: PersistentVolumeClaim): readonly string[] {
  const phase = claim.status?.phase ?? 'Pending';
  if (phase !== 'Pending') return [];
  const keys = [claim.spec.dataSource, claim.spec.dataSourceRef]
    .filter((source) => source?.kind === 'VolumeSnapshot' && source.apiGroup === SNAPSHOT_GROUP)
    .map((source) => `${source?.namespace ?? claim.metadata.namespace ?? ''}/${source?.name ?? ''}`);
  return [...new Set(keys)];
}

/** managedFields are half of an object's memory, and nobody here reads them. */
function lean<T extends KubeObject>(object: T): T {
  const { managedFields: _dropped, ...metadata } = object.metadata;
  return { ...object, metadata };
}

export function createCluster({ client, clock, random, log, watchNodes }: ClusterOptions): Cluster {
  const common = { client, clock, random, log } as const;
  const contents = new Informer({ ...common, resource: volumeSnapshotContents, transform: lean<VolumeSnapshotContent> });
  const departed = new BoundedSet();
  contents.on({
    added: (content) => departed.delete(keyOf(content)),
    deleted: (content) => departed.add(keyOf(content)),
  });
  return {
    contents,
    departed,
    snapshots: new Informer({
      ...common,
      resource: volumeSnapshots,
      transform: lean<VolumeSnapshot>,
      indexers: { unreadyByClass: classWaitedFor, unreadyByClaim: claimWaitedFor, withoutContent },
    }),
    classes: new Informer({
      ...common,
      resource: volumeSnapshotClasses,
      transform: lean<VolumeSnapshotClass>,
      indexers: { defaultOfDriver: (each) => (annotationOf(each, Annotation.isDefaultClass) === 'true' ? [each.driver] : []) },
    }),
    claims: new Informer({
      ...common,
      resource: persistentVolumeClaims,
      transform: lean<PersistentVolumeClaim>,
      indexers: { restores: snapshotsRestoredBy },
    }),
    volumes: new Informer({ ...common, resource: persistentVolumes, transform: lean<PersistentVolume> }),
    nodes: watchNodes
      ? new Informer({
          ...common,
          resource: nodes,
          transform: lean<Node>,
          indexers: { label: (node) => Object.entries(node.metadata.labels ?? {}).map(([key, value]) => `${key}=${value}`) },
        })
      : undefined,
  };
}

/** All informers there are, for running and waiting. */
export function informersOf({
  snapshots,
  contents,
  classes,
  claims,
  volumes,
  nodes,
}: Cluster): readonly { run(signal: AbortSignal): Promise<void>; synced(signal?: AbortSignal): Promise<void>; readonly hasSynced: boolean }[] {
  return [snapshots, contents, classes, claims, volumes, ...(nodes === undefined ? [] : [nodes])];
}

export function isProtected(claim: PersistentVolumeClaim): boolean {
  return hasFinalizer(claim, Finalizer.claimAsSource);
}
