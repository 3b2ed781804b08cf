// VolumeSnapshotClass: how an administrator offers snapshots; to a VolumeSnapshot what a StorageClass is to a claim.
import type { Schema } from '../schema.ts';
import type { Kind } from './definition.ts';
import { approval, deletionPolicy, deletionPolicyColumn, driverColumn, driverName, parameters, useV1Instead } from './parts.ts';

const members: Record<string, Schema> = {
  deletionPolicy: deletionPolicy('a snapshot taken with this class'),
  driver: driverName(),
  parameters: parameters(),
};
const required = ['deletionPolicy', 'driver'];

export const volumeSnapshotClassKind: Kind = {
  group: 'snapshot.storage.k8s.io',
  kind: 'VolumeSnapshotClass',
  plural: 'volumesnapshotclasses',
  shortNames: ['vsclass', 'vsclasses'],
  namespaced: false,
  hasStatus: false,
  approvedBy: approval(814),
  description:
    'VolumeSnapshotClass says how snapshots are taken: by which driver, with which settings, and what becomes of them. The annotation snapshot.storage.kubernetes.io/is-default-class: "true" makes it the default of its driver.',
  columns: [driverColumn('.driver'), deletionPolicyColumn('.deletionPolicy')],
  versions: [
    { name: 'v1', served: true, storage: true, members, required },
    {
      name: 'v1beta1',
      served: false,
      storage: false,
      deprecated: true,
      deprecationWarning: useV1Instead('VolumeSnapshotClass'),
      members,
      required,
    },
  ],
};
