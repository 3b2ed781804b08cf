// What the webhook must be allowed to do to judge, for the check at start; the chart grants exactly this, and what the
// certificates need (certificates/).
import type { AccessRule } from '@snapshot-stack/runtime';

const group = 'snapshot.storage.k8s.io';

export const accessNeeded: readonly AccessRule[] = [
  { group, resource: 'volumesnapshots', verbs: ['get', 'list', 'watch'] },
  { group, resource: 'volumesnapshotcontents', verbs: ['list', 'watch'] },
  { group, resource: 'volumesnapshotclasses', verbs: ['list', 'watch'] },
  { group: 'groupsnapshot.storage.k8s.io', resource: 'volumegroupsnapshotclasses', verbs: ['list'] },
  { group: 'storage.k8s.io', resource: 'csidrivers', verbs: ['list', 'watch'] },
  { group: '', resource: 'persistentvolumeclaims', verbs: ['list'] },
  { group: 'authorization.k8s.io', resource: 'subjectaccessreviews', verbs: ['create'] },
];
