// What self-made certificates need to be allowed, for the check at start; the chart grants exactly this. All but the
// creation can be granted for these names alone: watches ask for one name each.
import type { AccessRule } from '@snapshot-stack/runtime';

/** @param namespace of the Secret */
export function certificateAccess(namespace: string): AccessRule[] {
  const verbs = ['list', 'watch', 'patch'];
  return [
    { group: '', resource: 'secrets', namespace, verbs: ['list', 'watch', 'create', 'update'] },
    { group: 'admissionregistration.k8s.io', resource: 'validatingwebhookconfigurations', verbs },
    { group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions', verbs },
  ];
}
