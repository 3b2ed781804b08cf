// The built-in resources: one entry each, all of it data and small pure functions.
import { ALL_VERBS, type PrinterColumn, type ResourceDefinition, type Strategy, type Verb } from '../registry/resource.ts';
import { definitionStrategy } from '../crd/strategy.ts';
import * as kinds from './strategies.ts';

interface Page {
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
}

function define(group: string, version: string, pages: readonly Page[]): ResourceDefinition[] {
  return pages.map(
    ({ kind, verbs = ALL_VERBS, subresources = [], plural = `${kind.toLowerCase()}s`, short = [], categories = [], cluster = false, selectable = [], strategy = {}, columns = [] }) => ({
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
      schema: undefined,
      custom: false,
      subresources,
      strategy: { hasStatus: false, hasGeneration: false, allowsUnconditionalUpdate: true, ...strategy },
    }),
  );
}

const INVOLVED = ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map((field) => `involvedObject.${field}`);

export const builtinResources: readonly ResourceDefinition[] = [
  ...define('', 'v1', [
    { kind: 'Namespace', verbs: ALL_VERBS.filter((verb) => verb !== 'deletecollection'), short: ['ns'], cluster: true, selectable: ['status.phase'], strategy: kinds.namespace },
    { kind: 'ConfigMap', short: ['cm'], strategy: kinds.configMap },
    { kind: 'Secret', selectable: ['type'], strategy: kinds.secret },
    { kind: 'ServiceAccount', short: ['sa'], subresources: ['token'], strategy: { returnsDeletedObject: true } },
    { kind: 'PersistentVolume', short: ['pv'], cluster: true, strategy: kinds.persistentVolume },
    { kind: 'PersistentVolumeClaim', short: ['pvc'], strategy: kinds.persistentVolumeClaim },
    {
      kind: 'Pod',
      short: ['po'],
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
      strategy: kinds.pod,
    },
    { kind: 'Node', short: ['no'], cluster: true, selectable: ['spec.unschedulable'], strategy: { hasStatus: true } },
    { kind: 'Event', short: ['ev'], selectable: [...INVOLVED, 'reason', 'reportingComponent', 'source', 'type'], strategy: { allowsCreateOnUpdate: true } },
  ]),
  ...define('storage.k8s.io', 'v1', [
    { kind: 'StorageClass', plural: 'storageclasses', short: ['sc'], cluster: true, strategy: kinds.storageClass },
    { kind: 'CSIDriver', cluster: true, strategy: kinds.csiDriver },
    { kind: 'CSINode', cluster: true },
    { kind: 'VolumeAttachment', cluster: true, strategy: { hasStatus: true } },
    { kind: 'VolumeAttributesClass', plural: 'volumeattributesclasses', short: ['vac'], cluster: true },
    { kind: 'CSIStorageCapacity', plural: 'csistoragecapacities' },
  ]),
  ...define('coordination.k8s.io', 'v1', [{ kind: 'Lease', strategy: { allowsCreateOnUpdate: true, allowsUnconditionalUpdate: false } }]),
  ...define('rbac.authorization.k8s.io', 'v1', [
    { kind: 'Role', strategy: { nameRule: 'path' } },
    { kind: 'RoleBinding', strategy: { nameRule: 'path' } },
    { kind: 'ClusterRole', cluster: true, strategy: { nameRule: 'path' } },
    { kind: 'ClusterRoleBinding', cluster: true, strategy: { nameRule: 'path' } },
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
    { kind: 'ValidatingWebhookConfiguration', cluster: true, categories: ['api-extensions'], strategy: { hasGeneration: true } },
    { kind: 'MutatingWebhookConfiguration', cluster: true, categories: ['api-extensions'], strategy: { hasGeneration: true } },
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
