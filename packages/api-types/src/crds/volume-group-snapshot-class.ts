// VolumeGroupSnapshotClass: how an administrator offers group snapshots.
import { immutableOnceSet } from '../rule.ts';
import type { Schema } from '../schema.ts';
import type { Kind } from './definition.ts';
import { groupVersions, hasLateRules, type GroupVersion } from './group-versions.ts';
import { approval, deletionPolicy, deletionPolicyColumn, driverColumn, driverName, parameters } from './parts.ts';

function members(version: GroupVersion): Record<string, Schema> {
  const late = hasLateRules(version);
  return {
    deletionPolicy: deletionPolicy('a group snapshot taken with this class', late ? [immutableOnceSet('deletionPolicy')] : []),
    driver: driverName(late ? [immutableOnceSet('driver')] : []),
    parameters: parameters(late ? [immutableOnceSet('parameters', 'parameters are immutable once set')] : []),
  };
}

export const volumeGroupSnapshotClassKind: Kind = {
  group: 'groupsnapshot.storage.k8s.io',
  kind: 'VolumeGroupSnapshotClass',
  plural: 'volumegroupsnapshotclasses',
  shortNames: ['vgsclass', 'vgsclasses'],
  namespaced: false,
  hasStatus: false,
  approvedBy: approval(1337),
  description:
    'VolumeGroupSnapshotClass says how group snapshots are taken: by which driver, with which settings, and what becomes of them. The annotation groupsnapshot.storage.kubernetes.io/is-default-class: "true" makes it the default of its driver.',
  columns: [driverColumn('.driver'), deletionPolicyColumn('.deletionPolicy')],
  versions: groupVersions(members, ['deletionPolicy', 'driver']),
};
