// The types of policy/v1: a page of data in the notation of ../notation.ts.
// Source: the OpenAPI document and the generated.proto of Kubernetes 1.36.
import type { TypePage } from '../notation.ts';

export const policyV1: TypePage = {
  prefix: 'io.k8s.api.policy.v1',
  types: {
    Eviction: {
      '': 'object policy/v1',
      deleteOptions: '2 meta.v1.DeleteOptions',
      metadata: '1 meta.v1.ObjectMeta',
    },
    PodDisruptionBudget: {
      '': 'object policy/v1',
      metadata: '1 meta.v1.ObjectMeta',
      spec: '2 PodDisruptionBudgetSpec',
      status: '3 PodDisruptionBudgetStatus',
    },
    PodDisruptionBudgetSpec: {
      maxUnavailable: '3 intOrString',
      minAvailable: '1 intOrString',
      selector: '2 meta.v1.LabelSelector strategy=replace',
      unhealthyPodEvictionPolicy: '4 string',
    },
    PodDisruptionBudgetStatus: {
      conditions: '7 []meta.v1.Condition map=type merge=type',
      currentHealthy: '4 int32',
      desiredHealthy: '5 int32',
      disruptedPods: '2 {}time',
      disruptionsAllowed: '3 int32',
      expectedPods: '6 int32',
      observedGeneration: '1 int64',
    },
  },
};
