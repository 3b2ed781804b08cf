// The types of authorization/v1: a page of data in the notation of ../notation.ts.
// Source: the OpenAPI document and the generated.proto of Kubernetes 1.36.
import type { TypePage } from '../notation.ts';

export const authorizationV1: TypePage = {
  prefix: 'io.k8s.api.authorization.v1',
  types: {
    FieldSelectorAttributes: {
      rawSelector: '1 string',
      requirements: '2 []meta.v1.FieldSelectorRequirement atomic',
    },
    LabelSelectorAttributes: {
      rawSelector: '1 string',
      requirements: '2 []meta.v1.LabelSelectorRequirement atomic',
    },
    LocalSubjectAccessReview: {
      '': 'object authorization.k8s.io/v1',
      metadata: '1 meta.v1.ObjectMeta',
      spec: '2 SubjectAccessReviewSpec required',
      status: '3 SubjectAccessReviewStatus',
    },
    NonResourceAttributes: {
      path: '1 string',
      verb: '2 string',
    },
    NonResourceRule: {
      nonResourceURLs: '2 []string atomic',
      verbs: '1 []string required atomic',
    },
    ResourceAttributes: {
      fieldSelector: '8 FieldSelectorAttributes',
      group: '3 string',
      labelSelector: '9 LabelSelectorAttributes',
      name: '7 string',
      namespace: '1 string',
      resource: '5 string',
      subresource: '6 string',
      verb: '2 string',
      version: '4 string',
    },
    ResourceRule: {
      apiGroups: '2 []string atomic',
      resourceNames: '4 []string atomic',
      resources: '3 []string atomic',
      verbs: '1 []string required atomic',
    },
    SelfSubjectAccessReview: {
      '': 'object authorization.k8s.io/v1',
      metadata: '1 meta.v1.ObjectMeta',
      spec: '2 SelfSubjectAccessReviewSpec required',
      status: '3 SubjectAccessReviewStatus',
    },
    SelfSubjectAccessReviewSpec: {
      nonResourceAttributes: '2 NonResourceAttributes',
      resourceAttributes: '1 ResourceAttributes',
    },
    SelfSubjectRulesReview: {
      '': 'object authorization.k8s.io/v1',
      metadata: '1 meta.v1.ObjectMeta',
      spec: '2 SelfSubjectRulesReviewSpec required',
      status: '3 SubjectRulesReviewStatus',
    },
    SelfSubjectRulesReviewSpec: {
      namespace: '1 string',
    },
    SubjectAccessReview: {
      '': 'object authorization.k8s.io/v1',
      metadata: '1 meta.v1.ObjectMeta',
      spec: '2 SubjectAccessReviewSpec required',
      status: '3 SubjectAccessReviewStatus',
    },
    SubjectAccessReviewSpec: {
      extra: '5 {}[]string',
      groups: '4 []string atomic',
      nonResourceAttributes: '2 NonResourceAttributes',
      resourceAttributes: '1 ResourceAttributes',
      uid: '6 string',
      user: '3 string',
    },
    SubjectAccessReviewStatus: {
      allowed: '1 bool required',
      denied: '4 bool',
      evaluationError: '3 string',
      reason: '2 string',
    },
    SubjectRulesReviewStatus: {
      evaluationError: '4 string',
      incomplete: '3 bool required',
      nonResourceRules: '2 []NonResourceRule required atomic',
      resourceRules: '1 []ResourceRule required atomic',
    },
  },
};
