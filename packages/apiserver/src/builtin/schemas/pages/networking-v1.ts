// The types of networking.k8s.io/v1 that are served: a page of data in the notation of ../notation.ts.
// Source: the OpenAPI document and the generated.proto of Kubernetes 1.36.
import type { TypePage } from '../notation.ts';

export const networkingV1: TypePage = {
  prefix: 'io.k8s.api.networking.v1',
  types: {
    IPBlock: {
      cidr: '1 string required',
      except: '2 []string atomic',
    },
    NetworkPolicy: {
      '': 'object networking.k8s.io/v1',
      metadata: '1 meta.v1.ObjectMeta',
      spec: '2 NetworkPolicySpec',
    },
    NetworkPolicyEgressRule: {
      ports: '1 []NetworkPolicyPort atomic',
      to: '2 []NetworkPolicyPeer atomic',
    },
    NetworkPolicyIngressRule: {
      from: '2 []NetworkPolicyPeer atomic',
      ports: '1 []NetworkPolicyPort atomic',
    },
    NetworkPolicyPeer: {
      ipBlock: '3 IPBlock',
      namespaceSelector: '2 meta.v1.LabelSelector',
      podSelector: '1 meta.v1.LabelSelector',
    },
    NetworkPolicyPort: {
      endPort: '3 int32',
      port: '2 intOrString',
      protocol: '1 string',
    },
    NetworkPolicySpec: {
      egress: '3 []NetworkPolicyEgressRule atomic',
      ingress: '2 []NetworkPolicyIngressRule atomic',
      podSelector: '1 meta.v1.LabelSelector',
      policyTypes: '4 []string atomic',
    },
  },
};
