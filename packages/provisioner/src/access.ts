// What the provisioner must be allowed to do, for the check at start; the chart grants exactly this. Secrets that
// classes name, and the Lease, are granted beside: by Roles in their namespaces.
import type { AccessRule } from '@snapshot-stack/runtime';

const WATCH = ['list', 'watch'];

/** @param wants.capacity set with --enable-capacity: its rules are for a Role in that namespace */
export function accessNeeded({ crossNamespace, capacity }: { crossNamespace: boolean; capacity?: { namespace: string } | undefined }): AccessRule[] {
  return [
    { group: '', resource: 'persistentvolumes', verbs: [...WATCH, 'get', 'create', 'patch', 'delete'] },
    { group: '', resource: 'persistentvolumeclaims', verbs: [...WATCH, 'patch'] },
    { group: '', resource: 'events', verbs: ['create', 'patch'] },
    { group: '', resource: 'nodes', verbs: [...WATCH, 'get'] },
    { group: 'storage.k8s.io', resource: 'storageclasses', verbs: WATCH },
    { group: 'storage.k8s.io', resource: 'csinodes', verbs: WATCH },
    { group: 'storage.k8s.io', resource: 'volumeattributesclasses', verbs: WATCH },
    { group: 'storage.k8s.io', resource: 'volumeattachments', verbs: WATCH },
    { group: 'snapshot.storage.k8s.io', resource: 'volumesnapshots', verbs: [...WATCH, 'patch'] },
    { group: 'snapshot.storage.k8s.io', resource: 'volumesnapshotcontents', verbs: WATCH },
    ...(crossNamespace ? [{ group: 'gateway.networking.k8s.io', resource: 'referencegrants', verbs: WATCH }] : []),
    ...(capacity === undefined ? [] : capacityAccess(capacity)),
  ];
}

function capacityAccess({ namespace }: { namespace: string }): AccessRule[] {
  return [
    { group: 'storage.k8s.io', resource: 'csistoragecapacities', namespace, verbs: [...WATCH, 'create', 'patch', 'delete'] },
    { group: '', resource: 'pods', namespace, verbs: ['get'] },
    { group: 'apps', resource: 'replicasets', namespace, verbs: ['get'] },
  ];
}
