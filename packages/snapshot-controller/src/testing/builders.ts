// Objects for tables and worlds: valid by default, with the difference that a row is about.
import {
  Annotation,
  Finalizer,
  type DeletionPolicy,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type VolumeSnapshot,
  type VolumeSnapshotClass,
  type VolumeSnapshotContent,
} from '@snapshot-stack/api-types';
import type { Seen } from '../snapshot/decide.ts';

export const DRIVER = 'disk.csi.example.com';
export const UID = '11111111-1111-4111-8111-111111111111';
export const OTHER_UID = '22222222-2222-4222-8222-222222222222';
export const NOW = Date.parse('2026-11-23T12:00:10Z');
const CREATED = '2026-11-23T12:00:00Z';
const DELETED = '2026-11-23T12:00:05Z';
export const CONTENT_NAME = `snapcontent-${UID}`;

export interface SnapshotTraits {
  held?: boolean;
  bound?: boolean;
  ready?: boolean;
  deleted?: boolean;
  className?: string | undefined;
  content?: string;
  error?: string;
  finalizers?: string[];
}

export function aSnapshot({
  held = false,
  bound = false,
  ready = false,
  deleted = false,
  content,
  error,
  finalizers = [],
  ...traits
}: SnapshotTraits = {}): VolumeSnapshot {
  const className = 'className' in traits ? traits.className : 'fast';
  const all = [...(held ? [Finalizer.snapshotAsSource, Finalizer.snapshotBound] : []), ...finalizers];
  const status = {
    ...(bound || ready ? { boundVolumeSnapshotContentName: content ?? CONTENT_NAME, readyToUse: ready } : {}),
    ...(ready ? { creationTime: CREATED, restoreSize: '1Gi' } : {}),
    ...(error === undefined ? {} : { error: { message: error, time: CREATED } }),
  };
  return {
    metadata: {
      name: 'snap',
      namespace: 'ns',
      uid: UID,
      resourceVersion: '10',
      creationTimestamp: CREATED,
      ...(all.length === 0 ? {} : { finalizers: all }),
      ...(deleted ? { deletionTimestamp: DELETED } : {}),
    },
    spec: {
      source: content === undefined ? { persistentVolumeClaimName: 'data' } : { volumeSnapshotContentName: content },
      ...(className === undefined || content !== undefined ? {} : { volumeSnapshotClassName: className }),
    },
    ...(Object.keys(status).length === 0 ? {} : { status }),
  };
}

export interface ContentTraits {
  name?: string;
  /** Made by hand for an existing snapshot. */
  handle?: string;
  uid?: string | undefined;
  snapshotName?: string;
  policy?: DeletionPolicy;
  creating?: boolean;
  marked?: boolean;
  deleted?: boolean;
  cut?: boolean;
  ready?: boolean;
  error?: string;
  held?: boolean;
}

export function aContent({
  name = CONTENT_NAME,
  handle,
  snapshotName = 'snap',
  policy = 'Delete',
  creating = false,
  marked = false,
  deleted = false,
  cut = false,
  ready = false,
  held = true,
  error,
  ...traits
}: ContentTraits = {}): VolumeSnapshotContent {
  const uid = 'uid' in traits ? traits.uid : UID;
  const annotations = { ...(creating ? { [Annotation.beingCreated]: 'yes' } : {}), ...(marked ? { [Annotation.beingDeleted]: 'yes' } : {}) };
  const status = {
    ...(cut || ready ? { snapshotHandle: handle ?? 'id-1', creationTime: 1_795_435_200_123_456_789n, restoreSize: 1_073_741_824, readyToUse: ready } : {}),
    ...(error === undefined ? {} : { error: { message: error, time: CREATED }, readyToUse: false }),
  };
  return {
    metadata: {
      name,
      uid: `uid-of-${name}`,
      resourceVersion: '20',
      creationTimestamp: CREATED,
      ...(held ? { finalizers: [Finalizer.content] } : {}),
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      ...(deleted ? { deletionTimestamp: DELETED } : {}),
    },
    spec: {
      deletionPolicy: policy,
      driver: DRIVER,
      source: handle === undefined ? { volumeHandle: 'volume-1' } : { snapshotHandle: handle },
      volumeSnapshotRef: { name: snapshotName, namespace: 'ns', ...(uid === undefined ? {} : { uid }) },
      ...(handle === undefined ? { volumeSnapshotClassName: 'fast' } : {}),
    },
    ...(Object.keys(status).length === 0 ? {} : { status }),
  };
}

export function aClass({
  name = 'fast',
  driver = DRIVER,
  policy = 'Delete',
  parameters,
}: { name?: string; driver?: string; policy?: DeletionPolicy; parameters?: Record<string, string> } = {}): VolumeSnapshotClass {
  return { metadata: { name, uid: `uid-of-${name}` }, driver, deletionPolicy: policy, ...(parameters === undefined ? {} : { parameters }) };
}

export function aClaim({ bound = true, held = false, deleted = false }: { bound?: boolean; held?: boolean; deleted?: boolean } = {}): PersistentVolumeClaim {
  return {
    metadata: {
      name: 'data',
      namespace: 'ns',
      uid: 'claim-uid',
      resourceVersion: '30',
      ...(held ? { finalizers: [Finalizer.claimAsSource] } : {}),
      ...(deleted ? { deletionTimestamp: DELETED } : {}),
    },
    spec: bound ? { volumeName: 'pv' } : {},
    status: { phase: bound ? 'Bound' : 'Pending' },
  };
}

export function aVolume({ driver = DRIVER, claimUid = 'claim-uid' }: { driver?: string | null; claimUid?: string } = {}): PersistentVolume {
  return {
    metadata: { name: 'pv' },
    spec: {
      volumeMode: 'Filesystem',
      claimRef: { name: 'data', namespace: 'ns', uid: claimUid },
      ...(driver === null ? {} : { csi: { driver, volumeHandle: 'volume-1' } }),
    },
  };
}

/** What a decision sees when claim, volume and class are all there. */
export function seen(more: Partial<Seen>): Seen {
  return {
    snapshot: aSnapshot(),
    content: undefined,
    source: { namedClass: aClass(), defaultClasses: [], claim: aClaim(), volume: aVolume(), node: undefined },
    restoring: [],
    recordVolumeMode: true,
    now: NOW,
    ...more,
  };
}
