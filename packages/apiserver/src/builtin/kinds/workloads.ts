// Deployments, DaemonSets, StatefulSets and ReplicaSets: what the server fills in, and the rules that keep a workload
// and its pods together. There are no controllers for them here: they are kept, not run.
// Source: pkg/apis/apps/v1/defaults.go and pkg/apis/apps/validation.
import { matchesLabels, type KubeObject } from '@snapshot-stack/api-types';
import { deepEqual } from '../../registry/deep-equal.ts';
import type { Strategy } from '../../registry/resource.ts';
import { forbidden, invalid, notSupported, required, type FieldError } from '../../schema/field-error.ts';
import { fieldsOf, items, oneOf, part, partIn, requiredText, setDefault, text, type Fields } from './loose.ts';
import { podErrors, setPodDefaults } from './pod-spec.ts';

const REVISIONS = 10;

/** Sets up a new object's status, and drops what a client wrote there. */
function startStatus(object: KubeObject, status: Fields): void {
  fieldsOf(object)['status'] = status;
}

function setTemplateDefaults(spec: Fields): void {
  const template = part(spec, 'template');
  if (template['spec'] !== undefined) setPodDefaults(part(template, 'spec'));
}

function setRolling(spec: Fields, field: string, parameters: Fields): void {
  setDefault(spec, field, {});
  const strategy = part(spec, field);
  setDefault(strategy, 'type', 'RollingUpdate');
  if (strategy['type'] === 'RollingUpdate') strategy['rollingUpdate'] = { ...parameters, ...part(strategy, 'rollingUpdate') };
}

function isEmpty(selector: Fields): boolean {
  return Object.keys(part(selector, 'matchLabels')).length === 0 && items(selector, 'matchExpressions').length === 0;
}

function selectorErrors(spec: Fields): FieldError[] {
  if (spec['selector'] === undefined) return [required('spec.selector')];
  const selector = part(spec, 'selector');
  if (isEmpty(selector)) return [invalid('spec.selector', selector, 'empty selector is invalid for workload')];
  const labels = part(part(part(spec, 'template'), 'metadata'), 'labels');
  return matchesLabels(selector, labels) ? [] : [invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`')];
}

function replicaErrors(spec: Fields): FieldError[] {
  const { replicas } = spec;
  return typeof replicas === 'number' && replicas < 0 ? [invalid('spec.replicas', replicas, 'must be greater than or equal to 0')] : [];
}

function templateErrors(spec: Fields): FieldError[] {
  const podSpec = part(part(spec, 'template'), 'spec');
  const policy = podSpec['restartPolicy'];
  const other = policy === undefined || policy === 'Always' ? [] : [notSupported('spec.template.spec.restartPolicy', policy, ['Always'])];
  return [...podErrors(podSpec, 'spec.template.spec'), ...other];
}

function workloadErrors(object: KubeObject, old: KubeObject | undefined): FieldError[] {
  const spec = part(object, 'spec');
  const moved = old !== undefined && !deepEqual(spec['selector'], part(old, 'spec')['selector']);
  return [
    ...replicaErrors(spec),
    ...selectorErrors(spec),
    ...(moved ? [invalid('spec.selector', spec['selector'] ?? null, 'field is immutable')] : []),
    ...templateErrors(spec),
  ];
}

function workload(fill: (spec: Fields) => void, status: Fields, more: Partial<Strategy> = {}): Partial<Strategy> {
  const prepare = (object: KubeObject): void => {
    const spec = partIn(object, 'spec');
    fill(spec);
    setTemplateDefaults(spec);
  };
  return {
    hasStatus: true,
    hasGeneration: true,
    prepareCreate: (object) => {
      prepare(object);
      startStatus(object, structuredClone(status));
    },
    prepareUpdate: prepare,
    validate: workloadErrors,
    ...more,
  };
}

function setDeploymentDefaults(spec: Fields): void {
  setDefault(spec, 'replicas', 1);
  setRolling(spec, 'strategy', { maxUnavailable: '25%', maxSurge: '25%' });
  setDefault(spec, 'revisionHistoryLimit', REVISIONS);
  setDefault(spec, 'progressDeadlineSeconds', 600);
}

function rollsNothing(strategy: Fields): boolean {
  const { maxUnavailable, maxSurge } = part(strategy, 'rollingUpdate');
  const isNothing = (value: unknown): boolean => value === 0 || value === '0%';
  return text(strategy, 'type') === 'RollingUpdate' && isNothing(maxUnavailable) && isNothing(maxSurge);
}

export const deployment: Partial<Strategy> = workload(
  setDeploymentDefaults,
  {},
  {
    validate: (object, old) => {
      const strategy = part(part(object, 'spec'), 'strategy');
      const recreates = text(strategy, 'type') === 'Recreate' && strategy['rollingUpdate'] !== undefined;
      return [
        ...workloadErrors(object, old),
        ...oneOf(strategy, 'type', 'spec.strategy.type', ['Recreate', 'RollingUpdate']),
        ...(recreates ? [forbidden('spec.strategy.rollingUpdate', "may not be specified when strategy `type` is 'Recreate'")] : []),
        ...(rollsNothing(strategy) ? [invalid('spec.strategy.rollingUpdate.maxUnavailable', 0, 'may not be 0 when `maxSurge` is 0')] : []),
      ];
    },
  },
);

export const daemonSet: Partial<Strategy> = workload(
  (spec) => {
    setRolling(spec, 'updateStrategy', { maxUnavailable: 1, maxSurge: 0 });
    setDefault(spec, 'revisionHistoryLimit', REVISIONS);
  },
  { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 },
);

const STATEFUL_FIXED = ['serviceName', 'podManagementPolicy', 'volumeClaimTemplates'];
const STATEFUL_UPDATES =
  "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";

export const statefulSet: Partial<Strategy> = workload(
  (spec) => {
    setDefault(spec, 'podManagementPolicy', 'OrderedReady');
    setRolling(spec, 'updateStrategy', { partition: 0 });
    setDefault(spec, 'replicas', 1);
    setDefault(spec, 'revisionHistoryLimit', REVISIONS);
    setDefault(spec, 'persistentVolumeClaimRetentionPolicy', { whenDeleted: 'Retain', whenScaled: 'Retain' });
  },
  { replicas: 0, availableReplicas: 0 },
  {
    validate: (object, old) => {
      const [spec, before] = [part(object, 'spec'), part(old, 'spec')];
      const fixed = old !== undefined && STATEFUL_FIXED.some((field) => !deepEqual(spec[field], before[field]));
      return [...workloadErrors(object, old), ...(fixed ? [forbidden('spec', STATEFUL_UPDATES)] : [])];
    },
  },
);

export const replicaSet: Partial<Strategy> = workload((spec) => setDefault(spec, 'replicas', 1), { replicas: 0 });

export const podDisruptionBudget: Partial<Strategy> = {
  hasStatus: true,
  hasGeneration: true,
  prepareCreate: (object) => startStatus(object, { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 }),
  validate: (object) => {
    const spec = part(object, 'spec');
    const both = spec['minAvailable'] !== undefined && spec['maxUnavailable'] !== undefined;
    return both ? [invalid('spec', spec, 'minAvailable and maxUnavailable cannot be both set')] : [];
  },
};

export const networkPolicy: Partial<Strategy> = {
  hasGeneration: true,
  prepareCreate: (object) => setPolicyDefaults(partIn(object, 'spec')),
  prepareUpdate: (object) => setPolicyDefaults(partIn(object, 'spec')),
  validate: (object) => {
    const spec = part(object, 'spec');
    const wrong = items(spec, 'policyTypes').flatMap((type, index) =>
      type === 'Ingress' || type === 'Egress' ? [] : [notSupported(`spec.policyTypes[${index}]`, type, ['Egress', 'Ingress'])],
    );
    return [...wrong, ...peerErrors(spec, 'ingress', 'from'), ...peerErrors(spec, 'egress', 'to')];
  },
};

function setPolicyDefaults(spec: Fields): void {
  if (items(spec, 'policyTypes').length === 0) spec['policyTypes'] = spec['egress'] === undefined ? ['Ingress'] : ['Ingress', 'Egress'];
  for (const direction of ['ingress', 'egress'])
    for (const rule of items(spec, direction)) for (const port of items(rule as object, 'ports')) setDefault(fieldsOf(port as object), 'protocol', 'TCP');
}

function peerErrors(spec: Fields, direction: string, field: string): FieldError[] {
  return items(spec, direction).flatMap((rule, index) =>
    items(rule as object, field).flatMap((peer, position) => {
      const at = `spec.${direction}[${index}].${field}[${position}]`;
      const { podSelector, namespaceSelector, ipBlock } = fieldsOf(peer as object);
      if (ipBlock !== undefined) return requiredText(part(peer as object, 'ipBlock'), 'cidr', `${at}.ipBlock.cidr`);
      return podSelector === undefined && namespaceSelector === undefined ? [required(at, 'must specify a peer')] : [];
    }),
  );
}
