// The types of rbac/v1: a page of data in the notation of ../notation.ts.
// Source: the OpenAPI document and the generated.proto of Kubernetes 1.36.
import type { TypePage } from '../notation.ts';

export const rbacV1: TypePage = {
  prefix: 'io.k8s.api.rbac.v1',
  types: {
    AggregationRule: {
      clusterRoleSelectors: '1 []meta.v1.LabelSelector atomic',
    },
    ClusterRole: {
      '': 'object rbac.authorization.k8s.io/v1',
      aggregationRule: '3 AggregationRule',
      metadata: '1 meta.v1.ObjectMeta',
      rules: '2 []PolicyRule atomic',
    },
    ClusterRoleBinding: {
      '': 'object rbac.authorization.k8s.io/v1',
      metadata: '1 meta.v1.ObjectMeta',
      roleRef: '3 RoleRef required',
      subjects: '2 []Subject atomic',
    },
    PolicyRule: {
      apiGroups: '2 []string atomic',
      nonResourceURLs: '5 []string atomic',
      resourceNames: '4 []string atomic',
      resources: '3 []string atomic',
      verbs: '1 []string required atomic',
    },
    Role: {
      '': 'object rbac.authorization.k8s.io/v1',
      metadata: '1 meta.v1.ObjectMeta',
      rules: '2 []PolicyRule atomic',
    },
    RoleBinding: {
      '': 'object rbac.authorization.k8s.io/v1',
      metadata: '1 meta.v1.ObjectMeta',
      roleRef: '3 RoleRef required',
      subjects: '2 []Subject atomic',
    },
    RoleRef: {
      '': 'atomic',
      apiGroup: '1 string',
      kind: '2 string required',
      name: '3 string required',
    },
    Subject: {
      '': 'atomic',
      apiGroup: '2 string',
      kind: '1 string required',
      name: '3 string required',
      namespace: '4 string',
    },
  },
};
