// The types of autoscaling/v1: a page of data in the notation of ../notation.ts.
// Source: the OpenAPI document and the generated.proto of Kubernetes 1.36.
import type { TypePage } from '../notation.ts';

export const autoscalingV1: TypePage = {
  prefix: 'io.k8s.api.autoscaling.v1',
  types: {
    Scale: {
      '': 'object autoscaling/v1',
      metadata: '1 meta.v1.ObjectMeta',
      spec: '2 ScaleSpec',
      status: '3 ScaleStatus',
    },
    ScaleSpec: {
      replicas: '1 int32',
    },
    ScaleStatus: {
      replicas: '1 int32 required',
      selector: '2 string',
    },
  },
};
