// VolumeSnapshotContent: the snapshot as the storage system has it; to a VolumeSnapshot what a PersistentVolume
// is to its claim.
import { exactlyOneOf, immutable, nameAndNamespaceSet, requiredOnceSet } from '../rule.ts';
import { int64, record, text, type Schema } from '../schema.ts';
import type { Kind } from './definition.ts';
import {
  approval,
  deletionPolicy,
  deletionPolicyColumn,
  driverColumn,
  driverName,
  objectReference,
  readyColumn,
  readyToUse,
  snapshotError,
  useV1Instead,
} from './parts.ts';

/** `v1beta1` is v1 without rules and without what came later. */
function members(version: 'v1' | 'v1beta1'): Record<string, Schema> {
  const isV1 = version === 'v1';
  const source = record(
    'What the snapshot is, on the storage system. Exactly one member is set, and stays as it is for good.',
    {
      snapshotHandle: text('The id (CSI snapshot_id) of a snapshot that exists already.', isV1 ? { rules: [immutable('snapshotHandle')] } : {}),
      volumeHandle: text('The id (CSI volume_id) of the volume to take a snapshot of.', isV1 ? { rules: [immutable('volumeHandle')] } : {}),
    },
    isV1 ? { rules: [requiredOnceSet('volumeHandle'), requiredOnceSet('snapshotHandle'), exactlyOneOf('volumeHandle', 'snapshotHandle')] } : {},
  );
  return {
    spec: record(
      'Which snapshot this is, and whose.',
      {
        deletionPolicy: deletionPolicy('the snapshot'),
        driver: driverName(),
        source,
        sourceVolumeMode: isV1
          ? text('The mode of the volume that the snapshot was taken of: Filesystem or Block. Absent when it is not known.', {
              rules: [immutable('sourceVolumeMode')],
            })
          : undefined,
        volumeSnapshotClassName: text('The VolumeSnapshotClass that the snapshot was asked for with. The class may have changed or gone since.'),
        volumeSnapshotRef: objectReference(
          'The VolumeSnapshot that this content belongs to. For a snapshot that exists already give its name and namespace; the uid is filled in when the two are bound.',
          isV1 ? [nameAndNamespaceSet('spec.volumeSnapshotRef')] : [],
        ),
      },
      { required: ['deletionPolicy', 'driver', 'source', 'volumeSnapshotRef'], ...(isV1 && { rules: [requiredOnceSet('sourceVolumeMode')] }) },
    ),
    status: record('What the driver reports of the snapshot.', {
      creationTime: int64('The moment whose data the snapshot holds, in nanoseconds since 1970-01-01T00:00:00Z.'),
      error: snapshotError('taking, inspecting or deleting the snapshot'),
      readyToUse: readyToUse('the driver says that a volume can be restored from the snapshot'),
      restoreSize: int64('The least size of a volume restored from this snapshot, in bytes. Absent when the driver does not tell.', { minimum: 0 }),
      snapshotHandle: text('The id (CSI snapshot_id) of the snapshot. Absent until the driver has named it.'),
      volumeGroupSnapshotHandle: isV1 ? text('The id (CSI group_snapshot_id) of the group that the snapshot was taken with, if any.') : undefined,
    }),
  };
}

export const volumeSnapshotContentKind: Kind = {
  group: 'snapshot.storage.k8s.io',
  kind: 'VolumeSnapshotContent',
  plural: 'volumesnapshotcontents',
  shortNames: ['vsc', 'vscs'],
  namespaced: false,
  hasStatus: true,
  approvedBy: approval(955),
  description: 'VolumeSnapshotContent stands for one snapshot on a storage system, as a PersistentVolume stands for a volume.',
  columns: [
    readyColumn,
    { name: 'RestoreSize', type: 'integer', jsonPath: '.status.restoreSize', description: 'The least size of a volume restored from it, in bytes.' },
    deletionPolicyColumn('.spec.deletionPolicy'),
    driverColumn('.spec.driver'),
    { name: 'VolumeSnapshotClass', type: 'string', jsonPath: '.spec.volumeSnapshotClassName', description: 'The class it was asked for with.' },
    { name: 'VolumeSnapshot', type: 'string', jsonPath: '.spec.volumeSnapshotRef.name', description: 'The snapshot it belongs to.' },
    {
      name: 'VolumeSnapshotNamespace',
      type: 'string',
      jsonPath: '.spec.volumeSnapshotRef.namespace',
      description: 'The namespace of the snapshot it belongs to.',
    },
  ],
  versions: [
    { name: 'v1', served: true, storage: true, members: members('v1'), required: ['spec'] },
    {
      name: 'v1beta1',
      served: false,
      storage: false,
      deprecated: true,
      deprecationWarning: useV1Instead('VolumeSnapshotContent'),
      members: members('v1beta1'),
      required: ['spec'],
    },
  ],
};
