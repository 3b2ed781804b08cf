// The types of admissionregistration/v1: a page of data in the notation of ../notation.ts.
// Source: the OpenAPI document and the generated.proto of Kubernetes 1.36.
import type { TypePage } from '../notation.ts';

export const admissionregistrationV1: TypePage = {
  prefix: 'io.k8s.api.admissionregistration.v1',
  types: {
    MatchCondition: {
      expression: '2 string required',
      name: '1 string required',
    },
    MutatingWebhook: {
      admissionReviewVersions: '8 []string required atomic',
      clientConfig: '2 WebhookClientConfig required',
      failurePolicy: '4 string',
      matchConditions: '12 []MatchCondition map=name merge=name',
      matchPolicy: '9 string',
      name: '1 string required',
      namespaceSelector: '5 meta.v1.LabelSelector',
      objectSelector: '11 meta.v1.LabelSelector',
      reinvocationPolicy: '10 string',
      rules: '3 []RuleWithOperations atomic',
      sideEffects: '6 string required pointer',
      timeoutSeconds: '7 int32 pointer',
    },
    MutatingWebhookConfiguration: {
      '': 'object admissionregistration.k8s.io/v1',
      metadata: '1 meta.v1.ObjectMeta',
      webhooks: '2 []MutatingWebhook map=name merge=name',
    },
    RuleWithOperations: {
      apiGroups: '2/1 []string atomic',
      apiVersions: '2/2 []string atomic',
      operations: '1 []string atomic',
      resources: '2/3 []string atomic',
      scope: '2/4 string',
    },
    ServiceReference: {
      name: '2 string required',
      namespace: '1 string required',
      path: '3 string',
      port: '4 int32',
    },
    ValidatingWebhook: {
      admissionReviewVersions: '8 []string required atomic',
      clientConfig: '2 WebhookClientConfig required',
      failurePolicy: '4 string',
      matchConditions: '11 []MatchCondition map=name merge=name',
      matchPolicy: '9 string',
      name: '1 string required',
      namespaceSelector: '5 meta.v1.LabelSelector',
      objectSelector: '10 meta.v1.LabelSelector',
      rules: '3 []RuleWithOperations atomic',
      sideEffects: '6 string required',
      timeoutSeconds: '7 int32 pointer',
    },
    ValidatingWebhookConfiguration: {
      '': 'object admissionregistration.k8s.io/v1',
      metadata: '1 meta.v1.ObjectMeta',
      webhooks: '2 []ValidatingWebhook map=name merge=name',
    },
    WebhookClientConfig: {
      caBundle: '2 bytes',
      service: '1 ServiceReference',
      url: '3 string',
    },
  },
};
