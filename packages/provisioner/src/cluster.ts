// What the provisioner knows of the cluster, and by which questions it finds it: all of them answered from
// indexes, none by looking through everything.
import {
  Annotation,
  csiNodes,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  referenceGrants,
  storageClasses,
  volumeAttachments,
  volumeSnapshotContents,
  volumeSnapshots,
  type CsiNode,
  type KubeObject,
  type Node,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type ReferenceGrant,
  type Resource,
  type StorageClass,
  type TypedObjectReference,
  type VolumeAttachment,
  type VolumeSnapshot,
  type VolumeSnapshotContent,
} from '@snapshot-stack/api-types';
import { volumeAttributesClasses, type VolumeAttributesClass } from './kinds.ts';
import { Informer, type Client, type Clock, type Log, type Random } from '@snapshot-stack/runtime';

export interface Cluster {
  claims: Informer<PersistentVolumeClaim>;
  volumes: Informer<PersistentVolume>;
  classes: Informer<StorageClass>;
  /** Absent where the snapshot CRDs, or the driver's snapshots, are. */
  snapshots: Informer<VolumeSnapshot> | undefined;
  contents: Informer<VolumeSnapshotContent> | undefined;
  attachments: Informer<VolumeAttachment> | undefined;
  nodes: Informer<Node> | undefined;
  csiNodes: Informer<CsiNode> | undefined;
  /** Only to notice new grants by: whether one holds is asked of the API server. */
  grants: Informer<ReferenceGrant> | undefined;
  /** Absent where the driver knows no attributes that change. */
  attributesClasses: Informer<VolumeAttributesClass> | undefined;
}

const BETA_CLASS_ANNOTATION = 'volume.beta.kubernetes.io/storage-class';

/** Which of the optional parts are watched. */
export interface Interests {
  snapshots: boolean;
  attachments: boolean;
  topology: boolean;
  grants: boolean;
  attributesClasses: boolean;
}

/** Where a claim's data is to come from, in one form whichever field says it. */
export interface DataSource {
  group: string;
  kind: string;
  name: string;
  namespace: string;
}

export function dataSourceOf(claim: PersistentVolumeClaim): DataSource | undefined {
  const own = claim.metadata.namespace ?? '';
  const from = (ref: TypedObjectReference): DataSource => ({ group: ref.apiGroup ?? '', kind: ref.kind, name: ref.name, namespace: ref.namespace || own });
  const { dataSource, dataSourceRef } = claim.spec;
  if (dataSource !== undefined) return from(dataSource);
  return dataSourceRef === undefined ? undefined : from(dataSourceRef);
}

/** The class that the claim names; the annotation is from before the field, and beats it. */
export function classNameOf({ metadata, spec }: PersistentVolumeClaim): string | undefined {
  return metadata.annotations?.[BETA_CLASS_ANNOTATION] ?? spec.storageClassName;
}

/** A claim wants its source until it has a volume. */
export function stillWantsSource(claim: PersistentVolumeClaim): boolean {
  return (claim.status?.phase ?? 'Pending') === 'Pending';
}

function wanted(kind: string): (claim: PersistentVolumeClaim) => string[] {
  return (claim) => {
    const source = dataSourceOf(claim);
    return source?.kind === kind && stillWantsSource(claim) ? [`${source.namespace}/${source.name}`] : [];
  };
}

function foreignNamespace(claim: PersistentVolumeClaim): string[] {
  const source = dataSourceOf(claim);
  return source !== undefined && source.namespace !== claim.metadata.namespace && stillWantsSource(claim) ? [source.namespace] : [];
}

function waitingForNode(claim: PersistentVolumeClaim): string[] {
  const node = claim.metadata.annotations?.[Annotation.selectedNode] ?? '';
  return node !== '' && stillWantsSource(claim) ? [node] : [];
}

export function createCluster(options: { client: Client; clock: Clock; random: Random; log: Log; interests: Interests }): Cluster {
  const { client, clock, random, log, interests } = options;
  const watch = <T extends KubeObject>(resource: Resource<T>, indexers: Record<string, (object: T) => readonly string[]> = {}): Informer<T> =>
    new Informer<T>({
      client,
      resource,
      indexers,
      transform: (object) => {
        const { managedFields: _fields, ...metadata } = object.metadata;
        return { ...object, metadata };
      },
      clock,
      random,
      log,
    });
  return {
    claims: watch(persistentVolumeClaims, {
      byClass: (claim) => (stillWantsSource(claim) ? [classNameOf(claim) ?? ''] : []),
      byAttributesClass: (claim) => (stillWantsSource(claim) && claim.spec.volumeAttributesClassName ? [claim.spec.volumeAttributesClassName] : []),
      restoring: wanted('VolumeSnapshot'),
      cloning: wanted('PersistentVolumeClaim'),
      bySourceNamespace: foreignNamespace,
      bySelectedNode: waitingForNode,
    }),
    volumes: watch(persistentVolumes),
    classes: watch(storageClasses),
    snapshots: interests.snapshots
      ? watch(volumeSnapshots, {
          byContent: (snapshot) => (snapshot.status?.boundVolumeSnapshotContentName === undefined ? [] : [snapshot.status.boundVolumeSnapshotContentName]),
        })
      : undefined,
    contents: interests.snapshots ? watch(volumeSnapshotContents) : undefined,
    attachments: interests.attachments
      ? watch(volumeAttachments, {
          byVolume: (attachment) => (attachment.spec.source.persistentVolumeName === undefined ? [] : [attachment.spec.source.persistentVolumeName]),
        })
      : undefined,
    nodes: interests.topology ? watch(nodes) : undefined,
    csiNodes: interests.topology ? watch(csiNodes) : undefined,
    grants: interests.grants ? watch(referenceGrants) : undefined,
    attributesClasses: interests.attributesClasses ? watch(volumeAttributesClasses) : undefined,
  };
}

/** Those whose kinds may be missing from the cluster, or come later: nothing else waits for them. */
export function lateInformersOf({ snapshots, contents, grants, attributesClasses }: Cluster): Informer<KubeObject>[] {
  return [snapshots, contents, grants, attributesClasses].filter((informer) => informer !== undefined) as unknown as Informer<KubeObject>[];
}

export function informersOf(cluster: Cluster): Informer<KubeObject>[] {
  return Object.values(cluster).filter((informer) => informer !== undefined) as unknown as Informer<KubeObject>[];
}
