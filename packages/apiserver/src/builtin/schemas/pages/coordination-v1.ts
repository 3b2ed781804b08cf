// The types of coordination/v1: a page of data in the notation of ../notation.ts.
// Source: the OpenAPI document and the generated.proto of Kubernetes 1.36.
import type { TypePage } from '../notation.ts';

export const coordinationV1: TypePage = {
  prefix: 'io.k8s.api.coordination.v1',
  types: {
    Lease: {
      '': 'object coordination.k8s.io/v1',
      metadata: '1 meta.v1.ObjectMeta',
      spec: '2 LeaseSpec',
    },
    LeaseSpec: {
      acquireTime: '3 microtime',
      holderIdentity: '1 string pointer',
      leaseDurationSeconds: '2 int32 pointer',
      leaseTransitions: '5 int32 pointer',
      preferredHolder: '7 string',
      renewTime: '4 microtime',
      strategy: '6 string',
    },
  },
};
