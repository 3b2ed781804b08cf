// What the sidecar must be allowed to do, for the check at start; the chart grants exactly this.
import type { AccessRule } from '@snapshot-stack/runtime';

const group = 'snapshot.storage.k8s.io';

export const accessNeeded: readonly AccessRule[] = [
  { group: '', resource: 'events', verbs: ['create', 'patch'] },
  { group, resource: 'volumesnapshotclasses', verbs: ['list', 'watch'] },
  { group, resource: 'volumesnapshotcontents', verbs: ['list', 'watch', 'patch'] },
  { group, resource: 'volumesnapshotcontents', subresource: 'status', verbs: ['patch'] },
];
