// The columns that `kubectl get` shows of built-in kinds.
// Source: k8s.io/kubernetes/pkg/printers/internalversion.
import { age } from '../crd/columns.ts';
import type { Column } from '../list/table.ts';
import type { ResourceDefinition } from '../registry/resource.ts';
import { isObject, type JsonObject } from '../schema/schema.ts';

type Cell = (object: JsonObject, nowMs: number) => unknown;

const column = (name: string, cell: Cell, priority = 0, description = ''): Column => ({
  name,
  type: 'string',
  priority,
  description,
  cell: (object, nowMs) => cell(object as unknown as JsonObject, nowMs),
});

/** The value at a path of names; undefined where something on the way is missing. */
function at(object: JsonObject, ...names: string[]): unknown {
  return names.reduce<unknown>((value, name) => (isObject(value) ? value[name] : undefined), object);
}

const text = (object: JsonObject, ...names: string[]): string => {
  const value = at(object, ...names);
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
};
const field =
  (...names: string[]): Cell =>
  (object) =>
    text(object, ...names);
const orUnset =
  (...names: string[]): Cell =>
  (object) =>
    text(object, ...names) || '<unset>';
const orNone =
  (...names: string[]): Cell =>
  (object) =>
    text(object, ...names) || '<none>';
const flag =
  (...names: string[]): Cell =>
  (object) =>
    at(object, ...names) === true;
const size =
  (...names: string[]): Cell =>
  (object) => {
    const value = at(object, ...names);
    return Array.isArray(value) ? value.length : isObject(value) ? Object.keys(value).length : 0;
  };

function since(time: unknown, nowMs: number): string {
  return typeof time === 'string' ? age(nowMs - Date.parse(time)) : '<unknown>';
}

/** What kube-apiserver says of every column that shows an age. */
export const AGE_DESCRIPTION =
  'CreationTimestamp is a timestamp representing the server time when this object was created. It is not guaranteed to be set in happens-before order across separate operations. Clients may not set this value. It is represented in RFC3339 form and is in UTC.\n\nPopulated by the system. Read-only. Null for lists. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata';
const DATA_DESCRIPTION =
  "Data contains the configuration data. Each key must consist of alphanumeric characters, '-', '_' or '.'. Values with non-UTF-8 byte sequences must use the BinaryData field. The keys stored in Data must not overlap with the keys in the BinaryData field, this is enforced during validation process.";

const AGE = column('Age', (object, nowMs) => since(at(object, 'metadata', 'creationTimestamp'), nowMs), 0, AGE_DESCRIPTION);
const CREATED: Column = { name: 'Created At', type: 'date', cell: ({ metadata }) => metadata.creationTimestamp ?? null };

const MODES: Readonly<Record<string, string>> = { ReadWriteOnce: 'RWO', ReadOnlyMany: 'ROX', ReadWriteMany: 'RWX', ReadWriteOncePod: 'RWOP' };

function accessModes(modes: unknown): string {
  return Array.isArray(modes) ? modes.map((mode) => MODES[String(mode)] ?? String(mode)).join(',') : '';
}

const phase: Cell = (object) => (at(object, 'metadata', 'deletionTimestamp') === undefined ? text(object, 'status', 'phase') : 'Terminating');
const isBound = (claim: JsonObject): boolean => text(claim, 'spec', 'volumeName') !== '';
const classAnnotation = 'volume.beta.kubernetes.io/storage-class';
const storageClass: Cell = (object) => text(object, 'metadata', 'annotations', classAnnotation) || text(object, 'spec', 'storageClassName');
const claimOf: Cell = (volume) => {
  const name = text(volume, 'spec', 'claimRef', 'name');
  return name === '' ? '' : `${text(volume, 'spec', 'claimRef', 'namespace')}/${name}`;
};

function containerStates(pod: JsonObject): JsonObject[] {
  const states = at(pod, 'status', 'containerStatuses');
  return Array.isArray(states) ? states.filter(isObject) : [];
}

const podStatus: Cell = (pod) => {
  if (at(pod, 'metadata', 'deletionTimestamp') !== undefined) return 'Terminating';
  const waiting = containerStates(pod).map((state) => text(state, 'state', 'waiting', 'reason') || text(state, 'state', 'terminated', 'reason'));
  return waiting.find((reason) => reason !== '') ?? (text(pod, 'status', 'reason') || text(pod, 'status', 'phase'));
};
const podReady: Cell = (pod) => `${containerStates(pod).filter((state) => state['ready'] === true).length}/${String(size('spec', 'containers')(pod, 0))}`;
const podRestarts: Cell = (pod) => String(containerStates(pod).reduce((sum, state) => sum + Number(state['restartCount'] ?? 0), 0));

const nodeStatus: Cell = (node) => {
  const conditions = at(node, 'status', 'conditions');
  const ready = Array.isArray(conditions) ? conditions.filter(isObject).find((condition) => condition['type'] === 'Ready') : undefined;
  const state = ready === undefined ? 'Unknown' : ready['status'] === 'True' ? 'Ready' : 'NotReady';
  return at(node, 'spec', 'unschedulable') === true ? `${state},SchedulingDisabled` : state;
};
const ROLE = 'node-role.kubernetes.io/';
const nodeRoles: Cell = (node) => {
  const labels = at(node, 'metadata', 'labels');
  const roles = isObject(labels)
    ? Object.keys(labels)
        .filter((name) => name.startsWith(ROLE))
        .map((name) => name.slice(ROLE.length))
    : [];
  return roles.length === 0 ? '<none>' : roles.sort().join(',');
};

const eventTime = (event: JsonObject, nowMs: number): string =>
  since(at(event, 'series', 'lastObservedTime') ?? at(event, 'lastTimestamp') ?? at(event, 'eventTime'), nowMs);
const eventObject: Cell = (event) => `${text(event, 'involvedObject', 'kind').toLowerCase()}/${text(event, 'involvedObject', 'name')}`;
const eventMessage: Cell = (event) => text(event, 'message').trim();

const role: Cell = (binding) => `${text(binding, 'roleRef', 'kind')}/${text(binding, 'roleRef', 'name')}`;

/** `2/3`: what is ready of what is wanted. */
const readyOf: Cell = (object) => `${text(object, 'status', 'readyReplicas') || '0'}/${text(object, 'spec', 'replicas') || '0'}`;
const count =
  (...names: string[]): Cell =>
  (object) =>
    Number(text(object, ...names) || 0);
const ports: Cell = (object) => {
  const list = at(object, 'spec', 'ports');
  const shown = Array.isArray(list) ? list.filter(isObject).map((port) => `${text(port, 'port')}/${text(port, 'protocol')}`) : [];
  return shown.length === 0 ? '<none>' : shown.join(',');
};
const labelText = (labels: unknown): string =>
  isObject(labels)
    ? Object.entries(labels)
        .map(([name, value]) => `${name}=${String(value)}`)
        .join(',')
    : '<none>';
const bound =
  (name: string): Cell =>
  (object) =>
    text(object, 'spec', name) || 'N/A';

const byKind: Readonly<Record<string, readonly Column[]>> = {
  Namespace: [column('Status', field('status', 'phase')), AGE],
  ConfigMap: [column('Data', (object) => Number(size('data')(object, 0)) + Number(size('binaryData')(object, 0)), 0, DATA_DESCRIPTION), AGE],
  Secret: [column('Type', field('type')), column('Data', size('data')), AGE],
  ServiceAccount: [column('Secrets', size('secrets')), AGE],
  PersistentVolume: [
    column('Capacity', field('spec', 'capacity', 'storage')),
    column('Access Modes', (volume) => accessModes(at(volume, 'spec', 'accessModes'))),
    column('Reclaim Policy', field('spec', 'persistentVolumeReclaimPolicy')),
    column('Status', phase),
    column('Claim', claimOf),
    column('StorageClass', storageClass),
    column('VolumeAttributesClass', orUnset('spec', 'volumeAttributesClassName')),
    column('Reason', field('status', 'reason')),
    AGE,
    column('VolumeMode', orUnset('spec', 'volumeMode'), 1),
  ],
  PersistentVolumeClaim: [
    column('Status', phase),
    column('Volume', field('spec', 'volumeName')),
    column('Capacity', (claim) => (isBound(claim) ? text(claim, 'status', 'capacity', 'storage') : '')),
    column('Access Modes', (claim) => (isBound(claim) ? accessModes(at(claim, 'status', 'accessModes')) : '')),
    column('StorageClass', storageClass),
    column('VolumeAttributesClass', orUnset('spec', 'volumeAttributesClassName')),
    AGE,
    column('VolumeMode', orUnset('spec', 'volumeMode'), 1),
  ],
  Pod: [
    column('Ready', podReady),
    column('Status', podStatus),
    column('Restarts', podRestarts),
    AGE,
    column('IP', orNone('status', 'podIP'), 1),
    column('Node', orNone('spec', 'nodeName'), 1),
    column('Nominated Node', orNone('status', 'nominatedNodeName'), 1),
    column('Readiness Gates', () => '<none>', 1),
  ],
  Node: [column('Status', nodeStatus), column('Roles', nodeRoles), AGE, column('Version', field('status', 'nodeInfo', 'kubeletVersion'))],
  Event: [
    column('Last Seen', eventTime),
    column('Type', field('type')),
    column('Reason', field('reason')),
    column('Object', eventObject),
    column('Subobject', field('involvedObject', 'fieldPath'), 1),
    column('Source', field('source', 'component'), 1),
    column('Message', eventMessage),
    column('First Seen', (event, nowMs) => since(at(event, 'firstTimestamp') ?? at(event, 'eventTime'), nowMs), 1),
    column('Count', (event) => at(event, 'series', 'count') ?? at(event, 'count') ?? 1, 1),
  ],
  Service: [
    column('Type', field('spec', 'type')),
    column('Cluster-IP', orNone('spec', 'clusterIP')),
    column('External-IP', () => '<none>'),
    column('Port(s)', ports),
    AGE,
    column('Selector', (object) => labelText(at(object, 'spec', 'selector')), 1),
  ],
  Deployment: [
    column('Ready', readyOf),
    column('Up-to-date', count('status', 'updatedReplicas')),
    column('Available', count('status', 'availableReplicas')),
    AGE,
  ],
  StatefulSet: [column('Ready', readyOf), AGE],
  ReplicaSet: [
    column('Desired', count('spec', 'replicas')),
    column('Current', count('status', 'replicas')),
    column('Ready', count('status', 'readyReplicas')),
    AGE,
  ],
  DaemonSet: [
    column('Desired', count('status', 'desiredNumberScheduled')),
    column('Current', count('status', 'currentNumberScheduled')),
    column('Ready', count('status', 'numberReady')),
    column('Up-to-date', count('status', 'updatedNumberScheduled')),
    column('Available', count('status', 'numberAvailable')),
    column('Node Selector', (object) => labelText(at(object, 'spec', 'template', 'spec', 'nodeSelector'))),
    AGE,
  ],
  PodDisruptionBudget: [
    column('Min Available', bound('minAvailable')),
    column('Max Unavailable', bound('maxUnavailable')),
    column('Allowed Disruptions', count('status', 'disruptionsAllowed')),
    AGE,
  ],
  NetworkPolicy: [column('Pod-Selector', (object) => labelText(at(object, 'spec', 'podSelector', 'matchLabels'))), AGE],
  StorageClass: [
    column('Provisioner', field('provisioner')),
    column('ReclaimPolicy', (object) => text(object, 'reclaimPolicy') || 'Delete'),
    column('VolumeBindingMode', (object) => text(object, 'volumeBindingMode') || 'Immediate'),
    column('AllowVolumeExpansion', flag('allowVolumeExpansion')),
    AGE,
  ],
  CSIDriver: [
    column('AttachRequired', (driver) => at(driver, 'spec', 'attachRequired') !== false),
    column('PodInfoOnMount', flag('spec', 'podInfoOnMount')),
    column('StorageCapacity', flag('spec', 'storageCapacity')),
    AGE,
  ],
  CSINode: [column('Drivers', size('spec', 'drivers')), AGE],
  VolumeAttachment: [
    column('Attacher', field('spec', 'attacher')),
    column('PV', field('spec', 'source', 'persistentVolumeName')),
    column('Node', field('spec', 'nodeName')),
    column('Attached', flag('status', 'attached')),
    AGE,
  ],
  VolumeAttributesClass: [column('DriverName', field('driverName')), AGE],
  Lease: [column('Holder', field('spec', 'holderIdentity')), AGE],
  RoleBinding: [column('Role', role), AGE],
  ClusterRoleBinding: [column('Role', role), AGE],
  ValidatingWebhookConfiguration: [column('Webhooks', size('webhooks')), AGE],
  MutatingWebhookConfiguration: [column('Webhooks', size('webhooks')), AGE],
};

/** The columns of a built-in resource; `name` is the column of its name, the first of all but events. */
export function builtinColumns({ kind }: Pick<ResourceDefinition, 'kind'>, name: Column): readonly Column[] {
  const columns = byKind[kind] ?? [CREATED];
  return kind === 'Event' ? [...columns, { ...name, priority: 1 }] : [name, ...columns];
}
