// The objects of snapshot.storage.k8s.io/v1, as they stand on the wire.
// Source: https://kubernetes.io/docs/concepts/storage/volume-snapshots/
import type { Int64, KubeObject, ObjectReference, Resource } from './meta.ts';

export const SNAPSHOT_GROUP = 'snapshot.storage.k8s.io';

export type DeletionPolicy = 'Delete' | 'Retain';

export interface SnapshotError {
  time?: string;
  message?: string;
}

export interface VolumeSnapshot extends KubeObject {
  spec: {
    /** Exactly one member is set: the claim to snapshot (dynamic), or existing content (pre-provisioned). */
    source: { persistentVolumeClaimName?: string; volumeSnapshotContentName?: string };
    volumeSnapshotClassName?: string;
  };
  status?: VolumeSnapshotStatus;
}

export interface VolumeSnapshotStatus {
  boundVolumeSnapshotContentName?: string;
  /** RFC 3339, second precision. */
  creationTime?: string;
  readyToUse?: boolean;
  /** A quantity, for example `1Gi`. */
  restoreSize?: string | number;
  error?: SnapshotError;
  volumeGroupSnapshotName?: string;
}

export interface VolumeSnapshotContent extends KubeObject {
  spec: {
    deletionPolicy: DeletionPolicy;
    driver: string;
    /** Exactly one member is set: the volume to snapshot (dynamic), or an existing snapshot (pre-provisioned). */
    source: { volumeHandle?: string; snapshotHandle?: string };
    /** `Filesystem` or `Block`. Go clients write null where it is not known. */
    sourceVolumeMode?: string | null;
    volumeSnapshotClassName?: string;
    volumeSnapshotRef: ObjectReference;
  };
  status?: VolumeSnapshotContentStatus;
}

export interface VolumeSnapshotContentStatus {
  snapshotHandle?: string;
  /** Unix time in nanoseconds. */
  creationTime?: Int64;
  /** Bytes. */
  restoreSize?: Int64;
  readyToUse?: boolean;
  error?: SnapshotError;
  volumeGroupSnapshotHandle?: string;
}

export interface VolumeSnapshotClass extends KubeObject {
  driver: string;
  deletionPolicy: DeletionPolicy;
  parameters?: Record<string, string>;
}

export const volumeSnapshots: Resource<VolumeSnapshot> = {
  group: SNAPSHOT_GROUP,
  version: 'v1',
  plural: 'volumesnapshots',
  kind: 'VolumeSnapshot',
  namespaced: true,
};
export const volumeSnapshotContents: Resource<VolumeSnapshotContent> = {
  group: SNAPSHOT_GROUP,
  version: 'v1',
  plural: 'volumesnapshotcontents',
  kind: 'VolumeSnapshotContent',
  namespaced: false,
};
export const volumeSnapshotClasses: Resource<VolumeSnapshotClass> = {
  group: SNAPSHOT_GROUP,
  version: 'v1',
  plural: 'volumesnapshotclasses',
  kind: 'VolumeSnapshotClass',
  namespaced: false,
};

/** The content a dynamic snapshot gets; derived, so that creating it twice collides instead of doubling. */
export function contentNameFor(snapshot: VolumeSnapshot): string {
  return `snapcontent-${snapshot.metadata.uid ?? ''}`;
}

/** True when the content's reference names this very snapshot: name, namespace and uid. */
export function contentPointsAt(content: VolumeSnapshotContent, snapshot: VolumeSnapshot): boolean {
  const ref = content.spec.volumeSnapshotRef;
  return ref.name === snapshot.metadata.name && ref.namespace === snapshot.metadata.namespace && ref.uid === snapshot.metadata.uid;
}

/** Only the literal value `true` makes a class the default for its driver. */
export function isDefaultSnapshotClass(snapshotClass: VolumeSnapshotClass): boolean {
  return snapshotClass.metadata.annotations?.['snapshot.storage.kubernetes.io/is-default-class'] === 'true';
}
