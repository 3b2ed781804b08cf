// PersistentVolumeClaims: where their data comes from, and what of them may change once they exist.
// Source: k8s.io/kubernetes/pkg/registry/core/persistentvolumeclaim and pkg/apis/core/validation.
import type { KubeObject } from '@snapshot-stack/api-types';
import { compareQuantities } from '@snapshot-stack/api-types';
import { deepEqual } from '../../registry/deep-equal.ts';
import { nameProblems } from '../../registry/metadata.ts';
import type { Strategy } from '../../registry/resource.ts';
import { forbidden, invalid, required, type FieldError } from '../../schema/field-error.ts';
import {
  VOLUME_MODES,
  accessModeErrors,
  classNameErrors,
  fieldsOf,
  oneOf,
  part,
  partIn,
  positiveErrors,
  quantityOf,
  setDefault,
  text,
  type Fields,
} from './loose.ts';

const IMMUTABLE = 'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims';

/** dataSource may only name what it could in the days before dataSourceRef; anything else in it is dropped. */
function isOldSource(source: Fields): boolean {
  const [group, kind] = [text(source, 'apiGroup'), text(source, 'kind')];
  return (group === '' && kind === 'PersistentVolumeClaim') || (group === 'snapshot.storage.k8s.io' && kind === 'VolumeSnapshot');
}

/** dataSource and dataSourceRef say the same, unless the reference names another namespace. */
function mirrorSources(spec: Fields): void {
  const [source, ref] = [spec['dataSource'], spec['dataSourceRef']] as [Fields | undefined, Fields | undefined];
  if (source !== undefined && ref === undefined) spec['dataSourceRef'] = structuredClone(source);
  if (ref !== undefined && source === undefined && text(ref, 'namespace') === '') {
    const { namespace: _namespace, ...rest } = structuredClone(ref);
    spec['dataSource'] = rest;
  }
}

function sourceErrors(source: Fields | undefined, at: string): FieldError[] {
  if (source === undefined) return [];
  const [group, kind] = [text(source, 'apiGroup'), text(source, 'kind')];
  const errors: FieldError[] = [];
  if (text(source, 'name') === '') errors.push(required(`${at}.name`));
  if (kind === '') errors.push(required(`${at}.kind`));
  if (group === '' && kind !== 'PersistentVolumeClaim') errors.push(invalid(at, kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup"));
  if (group !== '') errors.push(...nameProblems(group, 'subdomain').map((problem) => invalid(`${at}.apiGroup`, group, problem)));
  return errors;
}

function specErrors(spec: Fields): FieldError[] {
  const requests = part(part(spec, 'resources'), 'requests');
  const [source, ref] = [spec['dataSource'], spec['dataSourceRef']] as [Fields | undefined, Fields | undefined];
  const { namespace: otherNamespace, ...local } = ref ?? {};
  const differ = source !== undefined && ref !== undefined && (text({ otherNamespace }, 'otherNamespace') !== '' || !deepEqual(source, local));
  return [
    ...accessModeErrors(spec, 'at least 1 access mode is required'),
    ...(requests['storage'] === undefined ? [required('spec.resources[storage]')] : positiveErrors(requests, 'storage', 'spec.resources[storage]')),
    ...classNameErrors(spec),
    ...oneOf(spec, 'volumeMode', 'spec.volumeMode', VOLUME_MODES),
    ...sourceErrors(source, 'spec.dataSource'),
    ...sourceErrors(ref, 'spec.dataSourceRef'),
    ...(differ ? [invalid('spec', source, 'must match dataSourceRef')] : []),
  ];
}

/** The old spec with all that may change taken from the new one. */
function permitted(old: KubeObject, spec: Fields, isBound: boolean): Fields {
  const before = structuredClone(part(old, 'spec'));
  if (text(before, 'volumeName') === '' && spec['volumeName'] !== undefined) before['volumeName'] = spec['volumeName'];
  const hasClass = before['storageClassName'] !== undefined || old.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] !== undefined;
  if (!hasClass && spec['storageClassName'] !== undefined) before['storageClassName'] = spec['storageClassName'];
  if (spec['volumeAttributesClassName'] === undefined) delete before['volumeAttributesClassName'];
  else before['volumeAttributesClassName'] = spec['volumeAttributesClassName'];
  const requests = part(part(before, 'resources'), 'requests');
  const asked = part(part(spec, 'resources'), 'requests')['storage'];
  if (isBound && asked !== undefined) requests['storage'] = asked;
  return before;
}

function updateErrors(claim: KubeObject, old: KubeObject): FieldError[] {
  const [spec, before] = [part(claim, 'spec'), part(old, 'spec')];
  const errors: FieldError[] = [];
  const isBound = part(claim, 'status')['phase'] === 'Bound';
  if (!deepEqual(spec, permitted(old, spec, isBound))) errors.push(forbidden('spec', IMMUTABLE));
  const storageOf = (of: Fields): string => quantityOf(part(part(of, 'resources'), 'requests'), 'storage');
  const capacity = quantityOf(part(part(old, 'status'), 'capacity'), 'storage');
  const shrinks = compareQuantities(storageOf(spec), storageOf(before)) < 0;
  if (shrinks && compareQuantities(storageOf(spec), capacity) <= 0)
    errors.push(forbidden('spec.resources.requests.storage', 'field can not be less than status.capacity'));
  if (spec['volumeMode'] !== before['volumeMode']) errors.push(invalid('volumeMode', spec['volumeMode'] ?? null, 'field is immutable'));
  if (text(before, 'volumeAttributesClassName') !== '' && spec['volumeAttributesClassName'] === undefined)
    errors.push(forbidden('spec.volumeAttributesClassName', 'update from non-nil value to nil is forbidden'));
  return errors;
}

export const persistentVolumeClaim: Partial<Strategy> = {
  hasStatus: true,
  returnsDeletedObject: true,
  prepareCreate: (object) => {
    const spec = partIn(object, 'spec');
    setDefault(spec, 'volumeMode', 'Filesystem');
    if (spec['dataSource'] !== undefined && !isOldSource(part(spec, 'dataSource'))) delete spec['dataSource'];
    mirrorSources(spec);
    fieldsOf(object)['status'] = { phase: 'Pending' };
  },
  prepareUpdate: (object) => {
    const spec = partIn(object, 'spec');
    setDefault(spec, 'volumeMode', 'Filesystem');
    mirrorSources(spec);
  },
  validate: (object, old) => [...(old === undefined ? [] : updateErrors(object, old)), ...specErrors(part(object, 'spec'))],
};
