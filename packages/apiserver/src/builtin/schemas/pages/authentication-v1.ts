// The types of authentication/v1: a page of data in the notation of ../notation.ts.
// Source: the OpenAPI document and the generated.proto of Kubernetes 1.36.
import type { TypePage } from '../notation.ts';

export const authenticationV1: TypePage = {
  prefix: 'io.k8s.api.authentication.v1',
  types: {
    BoundObjectReference: {
      apiVersion: '2 string',
      kind: '1 string',
      name: '3 string',
      uid: '4 string',
    },
    SelfSubjectReview: {
      '': 'object authentication.k8s.io/v1',
      metadata: '1 meta.v1.ObjectMeta',
      status: '2 SelfSubjectReviewStatus',
    },
    SelfSubjectReviewStatus: {
      userInfo: '1 UserInfo',
    },
    TokenRequest: {
      '': 'object authentication.k8s.io/v1',
      metadata: '1 meta.v1.ObjectMeta',
      spec: '2 TokenRequestSpec',
      status: '3 TokenRequestStatus',
    },
    TokenRequestSpec: {
      audiences: '1 []string atomic',
      boundObjectRef: '3 BoundObjectReference',
      expirationSeconds: '4 int64',
    },
    TokenRequestStatus: {
      expirationTimestamp: '2 time',
      token: '1 string',
    },
    TokenReview: {
      '': 'object authentication.k8s.io/v1',
      metadata: '1 meta.v1.ObjectMeta',
      spec: '2 TokenReviewSpec required',
      status: '3 TokenReviewStatus',
    },
    TokenReviewSpec: {
      audiences: '2 []string atomic',
      token: '1 string required',
    },
    TokenReviewStatus: {
      audiences: '4 []string atomic',
      authenticated: '1 bool',
      error: '3 string',
      user: '2 UserInfo',
    },
    UserInfo: {
      extra: '4 {}[]string',
      groups: '3 []string atomic',
      uid: '2 string',
      username: '1 string',
    },
  },
};
