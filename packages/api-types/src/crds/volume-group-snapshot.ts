// VolumeGroupSnapshot: a user's wish for snapshots of several claims, all of the same moment.
import { exactlyOneOf, immutable, immutableOnceSet, nonEmptyWhenSet, requiredOnceSet } from '../rule.ts';
import { dateTime, record, text, type Schema } from '../schema.ts';
import type { Kind } from './definition.ts';
import { groupVersions, hasLateRules, type GroupVersion } from './group-versions.ts';
import { approval, labelSelector, readyColumn, readyToUse, snapshotError } from './parts.ts';

function members(version: GroupVersion): Record<string, Schema> {
  const source = record(
    'Which volumes, or which existing group snapshot. Exactly one member is set, and stays as it is for good.',
    {
      selector: labelSelector(
        'Picks claims in the namespace of this object by their labels. Which claims belong to the group is decided once; changing labels later adds and removes none.',
        [immutable('selector')],
      ),
      volumeGroupSnapshotContentName: text('The VolumeGroupSnapshotContent of a group snapshot that exists already.', {
        rules: [immutable('volumeGroupSnapshotContentName')],
      }),
    },
    {
      rules: [requiredOnceSet('selector'), requiredOnceSet('volumeGroupSnapshotContentName'), exactlyOneOf('selector', 'volumeGroupSnapshotContentName')],
    },
  );
  return {
    spec: record(
      'What is asked for.',
      {
        source,
        volumeGroupSnapshotClassName: text(
          'The VolumeGroupSnapshotClass to use. Left out, the default class of the driver that serves the claims is filled in.',
          { rules: [nonEmptyWhenSet('volumeGroupSnapshotClassName')] },
        ),
      },
      { required: ['source'] },
    ),
    status: record('What has been done about it. Before relying on it, check that the bound content names this object too.', {
      boundVolumeGroupSnapshotContentName: text('The VolumeGroupSnapshotContent that this group snapshot is bound to, or is going to be.', {
        rules: hasLateRules(version) ? [immutableOnceSet('boundVolumeGroupSnapshotContentName')] : [],
      }),
      creationTime: dateTime('The moment whose data the snapshots of the group hold, as the storage system reports it.'),
      error: snapshotError('taking or looking up the group snapshot'),
      readyToUse: readyToUse('every snapshot of the group can be restored'),
    }),
  };
}

export const volumeGroupSnapshotKind: Kind = {
  group: 'groupsnapshot.storage.k8s.io',
  kind: 'VolumeGroupSnapshot',
  plural: 'volumegroupsnapshots',
  shortNames: ['vgs'],
  namespaced: true,
  hasStatus: true,
  approvedBy: approval(1337),
  description: 'VolumeGroupSnapshot asks for snapshots of several volumes, all of the same moment, or for the use of such a group that exists already.',
  columns: [
    { ...readyColumn, description: 'Whether every snapshot of the group can be restored now.' },
    {
      name: 'VolumeGroupSnapshotClass',
      type: 'string',
      jsonPath: '.spec.volumeGroupSnapshotClassName',
      description: 'The class it was asked for with.',
    },
    {
      name: 'VolumeGroupSnapshotContent',
      type: 'string',
      jsonPath: '.status.boundVolumeGroupSnapshotContentName',
      description: 'The content it is bound to. The binding counts once that content names this group snapshot too.',
    },
    { name: 'CreationTime', type: 'date', jsonPath: '.status.creationTime', description: 'The moment whose data it holds.' },
  ],
  versions: groupVersions(members, ['spec']),
};
