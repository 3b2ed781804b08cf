// VolumeGroupSnapshotContent: a group snapshot as the storage system has it.
import { exactlyOneOf, immutable, immutableOnceSet, nameAndNamespaceImmutable, nameAndNamespaceSet, requiredOnceSet, uidImmutableOnceSet } from '../rule.ts';
import { dateTime, flag, int64, listOf, record, text, type Schema } from '../schema.ts';
import type { Kind } from './definition.ts';
import { groupVersions, hasLateRules, type GroupVersion } from './group-versions.ts';
import { approval, deletionPolicy, deletionPolicyColumn, driverColumn, driverName, objectReference, readyColumn, readyToUse, snapshotError } from './parts.ts';

const groupSnapshotHandles = record(
  'A group snapshot that exists already.',
  {
    volumeGroupSnapshotHandle: text('Its id (CSI group_snapshot_id).'),
    volumeSnapshotHandles: listOf({ type: 'string' }, 'The ids (CSI snapshot_id) of the snapshots in it.'),
  },
  { required: ['volumeGroupSnapshotHandle', 'volumeSnapshotHandles'], rules: [immutable('groupSnapshotHandles')] },
);

const source = record(
  'What the group is, on the storage system. Exactly one member is set, and stays as it is for good.',
  {
    groupSnapshotHandles,
    volumeHandles: listOf({ type: 'string' }, 'The ids (CSI volume_id) of the volumes to take snapshots of.', { rules: [immutable('volumeHandles')] }),
  },
  { rules: [requiredOnceSet('volumeHandles'), requiredOnceSet('groupSnapshotHandles'), exactlyOneOf('volumeHandles', 'groupSnapshotHandles')] },
);

const volumeSnapshotInfoList = listOf(
  record('One snapshot of the group.', {
    creationTime: int64('The moment whose data it holds, in nanoseconds since 1970-01-01T00:00:00Z.'),
    readyToUse: flag('Whether a volume can be restored from it.'),
    restoreSize: int64('The least size of a volume restored from it, in bytes.'),
    snapshotHandle: text('Its id (CSI snapshot_id).'),
    volumeHandle: text('The id (CSI volume_id) of the volume it was taken of.'),
  }),
  'The snapshots of the group, as the driver reported them.',
);

const volumeSnapshotHandlePairList = listOf(
  record(
    'A volume and the snapshot taken of it.',
    {
      snapshotHandle: text('The id (CSI snapshot_id) of the snapshot.'),
      volumeHandle: text('The id (CSI volume_id) of the volume.'),
    },
    { required: ['snapshotHandle', 'volumeHandle'] },
  ),
  'The snapshots of the group by their ids. Later versions say more in volumeSnapshotInfoList.',
);

function reference(late: boolean): Schema {
  const path = 'volumeGroupSnapshotRef';
  return objectReference(
    'The VolumeGroupSnapshot that this content belongs to. For a group that exists already give its name and namespace; the uid is filled in when the two are bound.',
    [nameAndNamespaceSet(path), ...(late ? [nameAndNamespaceImmutable(path), uidImmutableOnceSet(path)] : [])],
  );
}

function members(version: GroupVersion): Record<string, Schema> {
  const late = hasLateRules(version);
  const onceSet = (field: string) => (late ? [immutableOnceSet(field)] : []);
  return {
    spec: record(
      'Which group snapshot this is, and whose.',
      {
        deletionPolicy: deletionPolicy('the group snapshot'),
        driver: driverName(onceSet('driver')),
        source,
        volumeGroupSnapshotClassName: text('The VolumeGroupSnapshotClass that the group was asked for with. The class may have changed or gone since.', {
          rules: onceSet('volumeGroupSnapshotClassName'),
        }),
        volumeGroupSnapshotRef: reference(late),
      },
      { required: ['deletionPolicy', 'driver', 'source', 'volumeGroupSnapshotRef'] },
    ),
    status: record('What the driver reports of the group snapshot.', {
      creationTime: dateTime('The moment whose data the snapshots of the group hold.'),
      error: snapshotError('taking, inspecting or deleting the group snapshot'),
      readyToUse: readyToUse('every snapshot of the group can be restored'),
      volumeGroupSnapshotHandle: text('The id (CSI group_snapshot_id) of the group. Absent until the driver has named it.', {
        rules: onceSet('volumeGroupSnapshotHandle'),
      }),
      volumeSnapshotInfoList: late ? volumeSnapshotInfoList : undefined,
      volumeSnapshotHandlePairList: late ? undefined : volumeSnapshotHandlePairList,
    }),
  };
}

export const volumeGroupSnapshotContentKind: Kind = {
  group: 'groupsnapshot.storage.k8s.io',
  kind: 'VolumeGroupSnapshotContent',
  plural: 'volumegroupsnapshotcontents',
  shortNames: ['vgsc', 'vgscs'],
  namespaced: false,
  hasStatus: true,
  approvedBy: approval(1337),
  description: 'VolumeGroupSnapshotContent stands for one group snapshot on a storage system.',
  columns: [
    { ...readyColumn, description: 'Whether every snapshot of the group can be restored now.' },
    deletionPolicyColumn('.spec.deletionPolicy'),
    driverColumn('.spec.driver'),
    {
      name: 'VolumeGroupSnapshotClass',
      type: 'string',
      jsonPath: '.spec.volumeGroupSnapshotClassName',
      description: 'The class it was asked for with.',
    },
    {
      name: 'VolumeGroupSnapshotNamespace',
      type: 'string',
      jsonPath: '.spec.volumeGroupSnapshotRef.namespace',
      description: 'The namespace of the group snapshot it belongs to.',
    },
    { name: 'VolumeGroupSnapshot', type: 'string', jsonPath: '.spec.volumeGroupSnapshotRef.name', description: 'The group snapshot it belongs to.' },
  ],
  versions: groupVersions(members, ['spec']),
};
