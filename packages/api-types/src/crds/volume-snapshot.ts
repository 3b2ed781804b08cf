// VolumeSnapshot: a user's wish for a snapshot of a claim, or for the use of one that exists.
import { exactlyOneOf, immutable, nonEmptyWhenSet, requiredOnceSet } from '../rule.ts';
import { dateTime, quantity, record, text, type Schema } from '../schema.ts';
import { approval, readyColumn, readyToUse, snapshotError, useV1Instead } from './parts.ts';
import type { Kind } from './definition.ts';

/** `v1beta1` is v1 without rules and without what came later. */
function members(version: 'v1' | 'v1beta1'): Record<string, Schema> {
  const isV1 = version === 'v1';
  const source = record(
    'Where the snapshot comes from. Exactly one member is set, and stays as it is for good.',
    {
      persistentVolumeClaimName: text(
        'The claim to take a snapshot of, in the namespace of this object. Set it to have a new snapshot taken.',
        isV1 ? { rules: [immutable('persistentVolumeClaimName')] } : {},
      ),
      volumeSnapshotContentName: text(
        'The VolumeSnapshotContent of a snapshot that exists already. That content must in turn name this object.',
        isV1 ? { rules: [immutable('volumeSnapshotContentName')] } : {},
      ),
    },
    isV1
      ? {
          rules: [
            requiredOnceSet('persistentVolumeClaimName'),
            requiredOnceSet('volumeSnapshotContentName'),
            exactlyOneOf('volumeSnapshotContentName', 'persistentVolumeClaimName'),
          ],
        }
      : {},
  );
  return {
    spec: record(
      'What is asked for.',
      {
        source,
        volumeSnapshotClassName: text(
          'The VolumeSnapshotClass to use. Left out, the default class of the driver that serves the claim is filled in; having none, or several, is an error.',
          isV1 ? { rules: [nonEmptyWhenSet('volumeSnapshotClassName')] } : {},
        ),
      },
      { required: ['source'] },
    ),
    status: record('What has been done about it. Before relying on it, check that the bound content names this object too.', {
      boundVolumeSnapshotContentName: text('The VolumeSnapshotContent that this snapshot is bound to, or is going to be.'),
      creationTime: dateTime('The moment whose data the snapshot holds, as the storage system reports it.'),
      error: snapshotError('taking or looking up the snapshot'),
      readyToUse: readyToUse('a volume can be restored from the snapshot'),
      restoreSize: quantity('The least size of a volume restored from this snapshot. Absent when the driver does not tell.'),
      volumeGroupSnapshotName: isV1 ? text('The VolumeGroupSnapshot that this snapshot was taken with, if any.') : undefined,
    }),
  };
}

export const volumeSnapshotKind: Kind = {
  group: 'snapshot.storage.k8s.io',
  kind: 'VolumeSnapshot',
  plural: 'volumesnapshots',
  shortNames: ['vs'],
  namespaced: true,
  hasStatus: true,
  approvedBy: approval(814),
  description: 'VolumeSnapshot asks for a snapshot of a persistent volume as it is now, or for the use of a snapshot that exists already.',
  columns: [
    readyColumn,
    { name: 'SourcePVC', type: 'string', jsonPath: '.spec.source.persistentVolumeClaimName', description: 'The claim that a snapshot is taken of.' },
    {
      name: 'SourceSnapshotContent',
      type: 'string',
      jsonPath: '.spec.source.volumeSnapshotContentName',
      description: 'The content of a snapshot that existed already.',
    },
    { name: 'RestoreSize', type: 'string', jsonPath: '.status.restoreSize', description: 'The least size of a volume restored from it.' },
    { name: 'SnapshotClass', type: 'string', jsonPath: '.spec.volumeSnapshotClassName', description: 'The class it was asked for with.' },
    {
      name: 'SnapshotContent',
      type: 'string',
      jsonPath: '.status.boundVolumeSnapshotContentName',
      description: 'The content it is bound to. The binding counts once that content names this snapshot too.',
    },
    { name: 'CreationTime', type: 'date', jsonPath: '.status.creationTime', description: 'The moment whose data it holds.' },
  ],
  versions: [
    { name: 'v1', served: true, storage: true, members: members('v1'), required: ['spec'] },
    {
      name: 'v1beta1',
      served: false,
      storage: false,
      deprecated: true,
      deprecationWarning: useV1Instead('VolumeSnapshot'),
      members: members('v1beta1'),
      required: ['spec'],
    },
  ],
};
