// The objects of groupsnapshot.storage.k8s.io, as they stand on the wire. v1 and v1beta2 have one shape; v1beta1
// differs in the status of contents only.
import type { Int64, KubeObject, LabelSelector, ObjectReference, Resource } from './meta.ts';
import type { DeletionPolicy, SnapshotError } from './snapshot.ts';

export const GROUP_SNAPSHOT_GROUP = 'groupsnapshot.storage.k8s.io';

export interface VolumeGroupSnapshot extends KubeObject {
  spec: {
    /** Exactly one member is set: the claims to take snapshots of (dynamic), or existing content (pre-provisioned). */
    source: { selector?: LabelSelector; volumeGroupSnapshotContentName?: string };
    volumeGroupSnapshotClassName?: string;
  };
  status?: VolumeGroupSnapshotStatus;
}

export interface VolumeGroupSnapshotStatus {
  boundVolumeGroupSnapshotContentName?: string;
  /** RFC 3339, second precision. */
  creationTime?: string;
  readyToUse?: boolean;
  error?: SnapshotError;
}

export interface GroupSnapshotHandles {
  volumeGroupSnapshotHandle: string;
  volumeSnapshotHandles: string[];
}

export interface VolumeGroupSnapshotContent extends KubeObject {
  spec: {
    deletionPolicy: DeletionPolicy;
    driver: string;
    /** Exactly one member is set: the volumes to take snapshots of (dynamic), or an existing group (pre-provisioned). */
    source: { volumeHandles?: string[]; groupSnapshotHandles?: GroupSnapshotHandles };
    volumeGroupSnapshotClassName?: string;
    volumeGroupSnapshotRef: ObjectReference;
  };
  status?: VolumeGroupSnapshotContentStatus;
}

export interface VolumeGroupSnapshotContentStatus {
  volumeGroupSnapshotHandle?: string;
  /** RFC 3339, second precision; unlike in a VolumeSnapshotContent. */
  creationTime?: string;
  readyToUse?: boolean;
  error?: SnapshotError;
  volumeSnapshotInfoList?: VolumeSnapshotInfo[];
}

export interface VolumeSnapshotInfo {
  volumeHandle?: string;
  snapshotHandle?: string;
  /** Unix time in nanoseconds. */
  creationTime?: Int64;
  readyToUse?: boolean;
  /** Bytes. */
  restoreSize?: Int64;
}

export interface VolumeSnapshotHandlePair {
  volumeHandle: string;
  snapshotHandle: string;
}

/** A group content as v1beta1 says it. */
export interface VolumeGroupSnapshotContentV1Beta1 extends KubeObject {
  spec: VolumeGroupSnapshotContent['spec'];
  status?: Omit<VolumeGroupSnapshotContentStatus, 'volumeSnapshotInfoList'> & { volumeSnapshotHandlePairList?: VolumeSnapshotHandlePair[] };
}

export interface VolumeGroupSnapshotClass extends KubeObject {
  driver: string;
  deletionPolicy: DeletionPolicy;
  parameters?: Record<string, string>;
}

export const volumeGroupSnapshots: Resource<VolumeGroupSnapshot> = {
  group: GROUP_SNAPSHOT_GROUP,
  version: 'v1',
  plural: 'volumegroupsnapshots',
  kind: 'VolumeGroupSnapshot',
  namespaced: true,
};
export const volumeGroupSnapshotContents: Resource<VolumeGroupSnapshotContent> = {
  group: GROUP_SNAPSHOT_GROUP,
  version: 'v1',
  plural: 'volumegroupsnapshotcontents',
  kind: 'VolumeGroupSnapshotContent',
  namespaced: false,
};
export const volumeGroupSnapshotClasses: Resource<VolumeGroupSnapshotClass> = {
  group: GROUP_SNAPSHOT_GROUP,
  version: 'v1',
  plural: 'volumegroupsnapshotclasses',
  kind: 'VolumeGroupSnapshotClass',
  namespaced: false,
};

/** The content a dynamic group snapshot gets; derived, so that creating it twice collides instead of doubling. */
export function groupContentNameFor(groupSnapshot: VolumeGroupSnapshot): string {
  return `groupsnapcontent-${groupSnapshot.metadata.uid ?? ''}`;
}

/** True when the content's reference names this very group snapshot: name, namespace and uid. */
export function groupContentPointsAt(content: VolumeGroupSnapshotContent, groupSnapshot: VolumeGroupSnapshot): boolean {
  const ref = content.spec.volumeGroupSnapshotRef;
  const { name, namespace, uid } = groupSnapshot.metadata;
  return ref.name === name && ref.namespace === namespace && ref.uid === uid;
}

/** Only the literal value `true` makes a class the default for its driver. */
export function isDefaultGroupSnapshotClass(groupClass: VolumeGroupSnapshotClass): boolean {
  return groupClass.metadata.annotations?.['groupsnapshot.storage.kubernetes.io/is-default-class'] === 'true';
}
