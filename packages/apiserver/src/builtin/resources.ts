// The built-in resources: one entry each, all of it data and small pure functions.
import { clusterRole, role } from '../auth/role-strategy.ts';
import { webhookConfiguration } from '../admission/webhook-configuration.ts';
import { ALL_VERBS, type PrinterColumn, type ResourceDefinition, type ResourceView, type Strategy, type Verb } from '../registry/resource.ts';
import { definitionStrategy } from '../crd/strategy.ts';
import { eventView } from './kinds/event-view.ts';
import { persistentVolumeClaim } from './kinds/claim.ts';
import * as plain from './kinds/plain.ts';
import { pod } from './kinds/pod.ts';
import { service } from './kinds/service.ts';
import * as storage from './kinds/storage.ts';
import { persistentVolume } from './kinds/volume.ts';
import { daemonSet, deployment, networkPolicy, podDisruptionBudget, replicaSet, statefulSet } from './kinds/workloads.ts';

interface Page {
  view?: ResourceView;
  kind: string;
  plural?: string;
  verbs?: readonly Verb[];
  subresources?: readonly string[];
  short?: readonly string[];
  categories?: readonly string[];
  cluster?: boolean;
  selectable?: readonly string[];
  strategy?: Partial<Strategy>;
  columns?: readonly PrinterColumn[];
  /** Has replicas and a selector, and so a scale subresource. */
  scales?: boolean;
}

const SCALE = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' };

function define(group: string, version: string, pages: readonly Page[]): ResourceDefinition[] {
  return pages.map(
    ({
      kind,
      verbs = ALL_VERBS,
      subresources = [],
      plural = `${kind.toLowerCase()}s`,
      short = [],
      categories = [],
      cluster = false,
      selectable = [],
      strategy = {},
      columns = [],
      view,
      scales = false,
    }) => ({
      group,
      version,
      plural,
      singular: kind.toLowerCase(),
      kind,
      listKind: `${kind}List`,
      shortNames: short,
      categories,
      namespaced: !cluster,
      verbs,
      selectableFields: selectable,
      columns,
      ...(view === undefined ? {} : { view }),
      ...(scales ? { scale: SCALE } : {}),
      schema: undefined,
      custom: false,
      subresources: scales ? [...subresources, 'scale'] : subresources,
      strategy: { hasStatus: false, hasGeneration: false, allowsUnconditionalUpdate: true, ...strategy },
    }),
  );
}

const INVOLVED = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map((field) => `involvedObject.${field}`);

export const builtinResources: readonly ResourceDefinition[] = [
  ...define('', 'v1', [
    {
      kind: 'Namespace',
      verbs: ALL_VERBS.filter((verb) => verb !== 'deletecollection'),
      short: ['ns'],
      cluster: true,
      selectable: ['status.phase'],
      strategy: plain.namespace,
    },
    { kind: 'ConfigMap', short: ['cm'], strategy: plain.configMap },
    { kind: 'Secret', selectable: ['type'], strategy: plain.secret },
    { kind: 'ServiceAccount', short: ['sa'], subresources: ['token'], strategy: { returnsDeletedObject: true } },
    { kind: 'PersistentVolume', short: ['pv'], cluster: true, strategy: persistentVolume },
    { kind: 'PersistentVolumeClaim', short: ['pvc'], strategy: persistentVolumeClaim },
    {
      kind: 'Pod',
      short: ['po'],
      subresources: ['binding'],
      categories: ['all'],
      selectable: [
        'spec.nodeName',
        'spec.restartPolicy',
        'spec.schedulerName',
        'spec.serviceAccountName',
        'spec.hostNetwork',
        'status.phase',
        'status.podIP',
        'status.nominatedNodeName',
      ],
      strategy: pod,
    },
    { kind: 'Node', short: ['no'], cluster: true, selectable: ['spec.unschedulable'], strategy: { hasStatus: true } },
    { kind: 'Service', short: ['svc'], categories: ['all'], selectable: ['spec.clusterIP', 'spec.type'], strategy: service },
    { kind: 'Event', short: ['ev'], selectable: [...INVOLVED, 'reason', 'reportingComponent', 'source', 'type'], strategy: plain.event },
  ]),
  ...define('apps', 'v1', [
    { kind: 'Deployment', short: ['deploy'], categories: ['all'], strategy: deployment, scales: true },
    { kind: 'DaemonSet', short: ['ds'], categories: ['all'], strategy: daemonSet },
    { kind: 'StatefulSet', short: ['sts'], categories: ['all'], strategy: statefulSet, scales: true },
    { kind: 'ReplicaSet', short: ['rs'], categories: ['all'], selectable: ['status.replicas'], strategy: replicaSet, scales: true },
  ]),
  ...define('policy', 'v1', [{ kind: 'PodDisruptionBudget', short: ['pdb'], strategy: podDisruptionBudget }]),
  ...define('networking.k8s.io', 'v1', [{ kind: 'NetworkPolicy', plural: 'networkpolicies', short: ['netpol'], strategy: networkPolicy }]),
  ...define('storage.k8s.io', 'v1', [
    { kind: 'StorageClass', plural: 'storageclasses', short: ['sc'], cluster: true, strategy: storage.storageClass },
    { kind: 'CSIDriver', cluster: true, strategy: storage.csiDriver },
    { kind: 'CSINode', cluster: true, strategy: storage.csiNode },
    { kind: 'VolumeAttachment', cluster: true, strategy: storage.volumeAttachment },
    { kind: 'VolumeAttributesClass', plural: 'volumeattributesclasses', short: ['vac'], cluster: true, strategy: storage.volumeAttributesClass },
    { kind: 'CSIStorageCapacity', plural: 'csistoragecapacities', strategy: storage.csiStorageCapacity },
  ]),
  ...define('events.k8s.io', 'v1', [{ kind: 'Event', short: ['ev'], strategy: plain.event, view: eventView }]),
  ...define('coordination.k8s.io', 'v1', [{ kind: 'Lease', strategy: plain.lease }]),
  ...define('rbac.authorization.k8s.io', 'v1', [
    { kind: 'Role', strategy: role },
    { kind: 'RoleBinding', strategy: plain.roleBinding },
    { kind: 'ClusterRole', cluster: true, strategy: clusterRole },
    { kind: 'ClusterRoleBinding', cluster: true, strategy: plain.roleBinding },
  ]),
  // Questions, answered and never stored; see auth/reviews.ts.
  ...define('authentication.k8s.io', 'v1', [
    { kind: 'TokenReview', cluster: true, verbs: ['create'] },
    { kind: 'SelfSubjectReview', cluster: true, verbs: ['create'] },
  ]),
  ...define('authorization.k8s.io', 'v1', [
    { kind: 'LocalSubjectAccessReview', verbs: ['create'] },
    { kind: 'SelfSubjectAccessReview', cluster: true, verbs: ['create'] },
    { kind: 'SelfSubjectRulesReview', cluster: true, verbs: ['create'] },
    { kind: 'SubjectAccessReview', cluster: true, verbs: ['create'] },
  ]),
  ...define('admissionregistration.k8s.io', 'v1', [
    { kind: 'ValidatingWebhookConfiguration', cluster: true, categories: ['api-extensions'], strategy: webhookConfiguration },
    { kind: 'MutatingWebhookConfiguration', cluster: true, categories: ['api-extensions'], strategy: webhookConfiguration },
  ]),
  ...define('apiextensions.k8s.io', 'v1', [
    {
      kind: 'CustomResourceDefinition',
      short: ['crd', 'crds'],
      categories: ['api-extensions'],
      cluster: true,
      strategy: definitionStrategy,
    },
  ]),
];
