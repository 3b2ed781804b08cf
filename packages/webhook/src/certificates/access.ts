// What self-made certificates need to be allowed, for the check at start; the chart grants exactly this. All but the
// creation can be granted for these names alone: watches ask for one name each.
import type { AccessRule } from '@snapshot-stack/runtime';

export interface CertificateNames {
  readonly secretName: string;
  readonly webhookConfigurations: readonly string[];
  readonly convertedCrds: readonly string[];
}

const BUNDLE_VERBS = ['list', 'watch', 'patch'];

/**
 * @param namespace of the Secret
 * @param names what the rules are limited to; none gives rules for all names, for others to limit
 */
export function certificateAccess(namespace: string, names?: CertificateNames): AccessRule[] {
  const secrets = { group: '', resource: 'secrets', namespace };
  const configurations = { group: 'admissionregistration.k8s.io', resource: 'validatingwebhookconfigurations', verbs: BUNDLE_VERBS };
  const crds = { group: 'apiextensions.k8s.io', resource: 'customresourcedefinitions', verbs: BUNDLE_VERBS };
  if (names === undefined) return [{ ...secrets, verbs: ['list', 'watch', 'create', 'update'] }, configurations, crds];
  return [
    // The name of what is created is not in the request's path, so that no rule can hold it.
    { ...secrets, verbs: ['create'] },
    { ...secrets, name: names.secretName, verbs: ['list', 'watch', 'update'] },
    ...names.webhookConfigurations.map((name) => ({ ...configurations, name })),
    ...names.convertedCrds.map((name) => ({ ...crds, name })),
  ];
}
