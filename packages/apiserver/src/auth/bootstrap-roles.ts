// The roles and bindings that every cluster has from its first moment, as data; of the many that Kubernetes makes for
// its own controllers, those that people and add-ons bind to.
// Source: k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy.
import type { KubeObject } from '@snapshot-stack/api-types';
import type { PolicyRule } from './rbac-rules.ts';

const GROUP = 'rbac.authorization.k8s.io';
const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update'];
const NAMESPACED = ['configmaps', 'events', 'persistentvolumeclaims', 'pods', 'serviceaccounts'];
const INFO_PATHS = ['/healthz', '/livez', '/readyz', '/version', '/version/'];
const DISCOVERY_PATHS = ['/api', '/api/*', '/apis', '/apis/*', '/healthz', '/livez', '/openapi', '/openapi/*', '/readyz', '/version', '/version/'];

const rule = (verbs: readonly string[], apiGroups: readonly string[], resources: readonly string[]): PolicyRule => ({ verbs, apiGroups, resources });

const view: PolicyRule[] = [
  rule(READ, [''], [...NAMESPACED, 'persistentvolumeclaims/status', 'pods/status', 'pods/log', 'bindings', 'limitranges', 'namespaces', 'namespaces/status']),
  rule(READ, ['coordination.k8s.io'], ['leases']),
  rule(READ, ['storage.k8s.io'], ['csistoragecapacities']),
];
const edit: PolicyRule[] = [
  ...view,
  rule([...READ, ...WRITE], [''], [...NAMESPACED, 'secrets']),
  rule(['impersonate'], [''], ['serviceaccounts']),
  rule(['create'], [''], ['serviceaccounts/token']),
  rule(WRITE, ['coordination.k8s.io'], ['leases']),
];
const admin: PolicyRule[] = [
  ...edit,
  rule(['create'], ['authorization.k8s.io'], ['localsubjectaccessreviews']),
  rule([...READ, ...WRITE], [GROUP], ['rolebindings', 'roles']),
];

const clusterRoles: Record<string, PolicyRule[]> = {
  'cluster-admin': [rule(['*'], ['*'], ['*']), { verbs: ['*'], nonResourceURLs: ['*'] }],
  'system:discovery': [{ verbs: ['get'], nonResourceURLs: DISCOVERY_PATHS }],
  'system:public-info-viewer': [{ verbs: ['get'], nonResourceURLs: INFO_PATHS }],
  'system:monitoring': [
    { verbs: ['get'], nonResourceURLs: ['/healthz', '/healthz/*', '/livez', '/livez/*', '/metrics', '/metrics/slis', '/readyz', '/readyz/*'] },
  ],
  'system:basic-user': [
    rule(['create'], ['authorization.k8s.io'], ['selfsubjectaccessreviews', 'selfsubjectrulesreviews']),
    rule(['create'], ['authentication.k8s.io'], ['selfsubjectreviews']),
  ],
  'system:auth-delegator': [
    rule(['create'], ['authentication.k8s.io'], ['tokenreviews']),
    rule(['create'], ['authorization.k8s.io'], ['subjectaccessreviews']),
  ],
};

/** The roles that gather the rules of others by label. */
const aggregating: Record<string, PolicyRule[]> = { admin, edit, view };

function meta(name: string, labels: Record<string, string> = {}): KubeObject['metadata'] {
  return {
    name,
    labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
    annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
  };
}

function clusterRole(name: string, rules: PolicyRule[]): KubeObject {
  return { apiVersion: `${GROUP}/v1`, kind: 'ClusterRole', metadata: meta(name), rules } as KubeObject;
}

function aggregatingRole(name: string, rules: PolicyRule[]): KubeObject {
  const label = { [`rbac.authorization.k8s.io/aggregate-to-${name}`]: 'true' };
  return { ...clusterRole(name, rules), aggregationRule: { clusterRoleSelectors: [{ matchLabels: label }] } } as KubeObject;
}

function binding(role: string, groups: readonly string[]): KubeObject {
  const subjects = groups.map((name) => ({ kind: 'Group', apiGroup: GROUP, name }));
  return {
    apiVersion: `${GROUP}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: meta(role),
    subjects,
    roleRef: { apiGroup: GROUP, kind: 'ClusterRole', name: role },
  } as KubeObject;
}

export const bootstrapClusterRoles: readonly KubeObject[] = [
  ...Object.entries(clusterRoles).map(([name, rules]) => clusterRole(name, rules)),
  ...Object.entries(aggregating).map(([name, rules]) => aggregatingRole(name, rules)),
];

export const bootstrapClusterRoleBindings: readonly KubeObject[] = [
  binding('cluster-admin', ['system:masters']),
  binding('system:discovery', ['system:authenticated']),
  binding('system:basic-user', ['system:authenticated']),
  binding('system:public-info-viewer', ['system:authenticated', 'system:unauthenticated']),
  binding('system:monitoring', ['system:monitoring']),
];
