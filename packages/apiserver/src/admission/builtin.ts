// The admission plugins that are always on: namespace lifecycle, protection of claims and volumes in use, default
// storage class, resizing, taints of new nodes. Source: k8s.io/kubernetes/plugin/pkg/admission.
import { compareQuantities, type KubeObject } from '@snapshot-stack/api-types';
import { fieldsOf, items, part, partIn, quantityOf, text } from '../builtin/kinds/loose.ts';
import { storageKeyOf } from '../registry/resource.ts';
import type { Admission, Attributes } from '../registry/writer.ts';
import { StatusError, forbidden, notFound, type Subject } from '../status.ts';
import type { Store } from '../store/store.ts';

const IMMORTAL = ['default', 'kube-system', 'kube-public'];
const PROTECTION: Readonly<Record<string, string>> = {
  '/persistentvolumeclaims': 'kubernetes.io/pvc-protection',
  '/persistentvolumes': 'kubernetes.io/pv-protection',
  'storage.k8s.io/volumeattributesclasses': 'kubernetes.io/vac-protection',
};
const BETA_CLASS = 'volume.beta.kubernetes.io/storage-class';
const RESIZE_REFUSED = 'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize';

const subjectOf = ({ definition }: Attributes): Subject => ({ group: definition.group, kind: definition.plural });

function checkNamespace(store: Store, attributes: Attributes, object: KubeObject | undefined): void {
  const { operation, namespace, name } = attributes;
  const key = storageKeyOf(attributes.definition);
  if (key === '/namespaces') {
    if (operation === 'DELETE' && IMMORTAL.includes(name)) throw forbidden(subjectOf(attributes), name, 'this namespace may not be deleted');
    return;
  }
  if (namespace === undefined || operation === 'DELETE') return;
  const found = store.collection('/namespaces').get(namespace)?.object;
  if (found === undefined) throw notFound({ group: '', kind: 'namespaces' }, namespace);
  if (operation !== 'CREATE' || attributes.subresource !== undefined || text(part(found, 'status'), 'phase') !== 'Terminating') return;
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const error = forbidden(subjectOf(attributes), object?.metadata.name ?? object?.metadata.generateName ?? 'Unknown', why);
  const cause = { reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' };
  throw new StatusError(403, 'Forbidden', error.message, { ...error.status.details, causes: [cause] });
}

function protect(attributes: Attributes, object: KubeObject): void {
  const finalizer = PROTECTION[storageKeyOf(attributes.definition)];
  const { finalizers = [] } = object.metadata;
  if (finalizer !== undefined && !finalizers.includes(finalizer)) object.metadata.finalizers = [...finalizers, finalizer];
}

const isDefault = (storageClass: KubeObject): boolean =>
  ['storageclass.kubernetes.io/is-default-class', 'storageclass.beta.kubernetes.io/is-default-class'].some(
    (name) => storageClass.metadata.annotations?.[name] === 'true',
  );

/** A claim that names no class gets the newest default class. */
function setDefaultClass(store: Store, claim: KubeObject): void {
  const spec = partIn(claim, 'spec');
  if (spec['storageClassName'] !== undefined || claim.metadata.annotations?.[BETA_CLASS] !== undefined) return;
  const classes = store.collection('storage.k8s.io/storageclasses').list('');
  const [newest] = classes
    .map(({ object }) => object)
    .filter(isDefault)
    .sort((a, b) => {
      const [one, other] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
      if (one !== other) return one > other ? -1 : 1;
      return (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1;
    });
  if (newest !== undefined) spec['storageClassName'] = newest.metadata.name;
}

/** New nodes take no pods until they are ready. */
function taint(node: KubeObject): void {
  const spec = partIn(node, 'spec');
  const key = 'node.kubernetes.io/not-ready';
  const taints = items(spec, 'taints');
  if (!taints.some((one) => text(one as object, 'key') === key)) spec['taints'] = [...taints, { key, effect: 'NoSchedule' }];
}

const storageOf = (claim: KubeObject): string => quantityOf(part(part(part(claim, 'spec'), 'resources'), 'requests'), 'storage');
const classOf = (claim: KubeObject): string => claim.metadata.annotations?.[BETA_CLASS] ?? text(part(claim, 'spec'), 'storageClassName');

function checkResize(store: Store, attributes: Attributes, claim: KubeObject, old: KubeObject): void {
  if (compareQuantities(storageOf(old), storageOf(claim)) >= 0) return;
  const name = claim.metadata.name ?? '';
  if (text(part(old, 'status'), 'phase') !== 'Bound') throw forbidden(subjectOf(attributes), name, 'Only bound persistent volume claims can be expanded');
  const storageClass = store.collection('storage.k8s.io/storageclasses').get(classOf(claim))?.object;
  const allowed = classOf(claim) !== '' && classOf(claim) === classOf(old) && fieldsOf(storageClass)['allowVolumeExpansion'] === true;
  if (!allowed) throw forbidden(subjectOf(attributes), name, RESIZE_REFUSED);
}

/** @param store where namespaces and classes are looked up */
export function builtinAdmission(store: Store): Admission {
  return {
    mutate: (attributes, object) => {
      checkNamespace(store, attributes, object);
      if (attributes.operation === 'CREATE' && attributes.subresource === undefined && object !== undefined) {
        const key = storageKeyOf(attributes.definition);
        protect(attributes, object);
        if (key === '/persistentvolumeclaims') setDefaultClass(store, object);
        if (key === '/nodes') taint(object);
      }
      return Promise.resolve(object);
    },
    validate: (attributes, object, old) => {
      const isClaim = storageKeyOf(attributes.definition) === '/persistentvolumeclaims' && attributes.subresource === undefined;
      if (isClaim && attributes.operation === 'UPDATE' && object !== undefined && old !== undefined) checkResize(store, attributes, object, old);
      return Promise.resolve();
    },
  };
}
