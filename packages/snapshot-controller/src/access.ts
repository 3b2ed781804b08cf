// What the controller must be allowed to do, for the check at start; the chart grants exactly this.
import type { AccessRule } from '@snapshot-stack/runtime';

const group = 'snapshot.storage.k8s.io';
const READ = ['get', 'list', 'watch'];

export function accessNeeded({ distributed }: { distributed: boolean }): AccessRule[] {
  return [
    { group: '', resource: 'persistentvolumes', verbs: ['list', 'watch'] },
    { group: '', resource: 'persistentvolumeclaims', verbs: ['list', 'watch', 'patch'] },
    { group: '', resource: 'events', verbs: ['create', 'patch'] },
    { group, resource: 'volumesnapshotclasses', verbs: ['list', 'watch'] },
    { group, resource: 'volumesnapshotcontents', verbs: [...READ, 'create', 'patch', 'delete'] },
    { group, resource: 'volumesnapshots', verbs: [...READ, 'patch'] },
    { group, resource: 'volumesnapshots', subresource: 'status', verbs: ['patch'] },
    ...(distributed ? [{ group: '', resource: 'nodes', verbs: ['list', 'watch'] }] : []),
  ];
}
