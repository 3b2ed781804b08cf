// Namespaces, ConfigMaps, Secrets, Leases, Events, RBAC: kinds with few rules of their own.
// Source: pkg/apis/core/validation, pkg/apis/coordination/validation and their registries.
import type { KubeObject } from '@snapshot-stack/api-types';
import { deepEqual } from '../../registry/deep-equal.ts';
import type { Strategy } from '../../registry/resource.ts';
import { forbidden, invalid, required, tooLong, type FieldError } from '../../schema/field-error.ts';
import { fieldsOf, immutableFields, items, part, partIn, requiredText, setDefault, text } from './loose.ts';

const DATA_BYTES_MAX = 2 ** 20;

function labelled(object: KubeObject): void {
  object.metadata.labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name ?? '' };
}

export const namespace: Partial<Strategy> = {
  hasStatus: true,
  nameRule: 'label',
  returnsDeletedObject: true,
  hasNoGracePeriod: true,
  prepareCreate: (object) => {
    const spec = partIn(object, 'spec');
    const finalizers = items(spec, 'finalizers');
    spec['finalizers'] = finalizers.includes('kubernetes') ? finalizers : [...finalizers, 'kubernetes'];
    fieldsOf(object)['status'] = { phase: 'Active' };
    labelled(object);
  },
  // Only the finalize subresource changes the spec.
  prepareUpdate: (object, old) => {
    fieldsOf(object)['spec'] = part(old, 'spec');
    if (object.metadata.deletionTimestamp !== undefined) fieldsOf(object)['status'] = { ...part(object, 'status'), phase: 'Terminating' };
    labelled(object);
  },
  isHeld: (object) => items(part(object, 'spec'), 'finalizers').length > 0,
};

const KEY = /^[-._a-zA-Z0-9]+$/;
const KEY_MESSAGE =
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')";

function keyErrors(object: KubeObject, field: string): FieldError[] {
  return Object.keys(part(object, field)).flatMap((key) => {
    const problems = key.length > 253 ? ['must be no more than 253 characters'] : [];
    if (!KEY.test(key)) problems.push(KEY_MESSAGE);
    else if (key === '.' || key === '..') problems.push(`must not be '${key}'`);
    else if (key.startsWith('..')) problems.push("must not start with '..'");
    return problems.map((problem) => invalid(`${field}[${key}]`, key, problem));
  });
}

function frozenErrors(object: KubeObject, old: KubeObject | undefined, fields: readonly string[]): FieldError[] {
  if (old === undefined || fieldsOf(old)['immutable'] !== true) return [];
  const why = 'field is immutable when `immutable` is set';
  const thawed = fieldsOf(object)['immutable'] === true ? [] : [forbidden('immutable', why)];
  return [...thawed, ...fields.filter((field) => !deepEqual(part(object, field), part(old, field))).map((field) => forbidden(field, why))];
}

const bytesIn = (values: object, encoding: BufferEncoding): number =>
  Object.values(values).reduce<number>((sum, value) => sum + Buffer.byteLength(String(value), encoding), 0);

export const configMap: Partial<Strategy> = {
  validate: (object, old) => {
    const [data, binary] = [part(object, 'data'), part(object, 'binaryData')];
    const twice = Object.keys(data).filter((key) => Object.hasOwn(binary, key));
    const size = bytesIn(data, 'utf8') + bytesIn(binary, 'base64');
    return [
      ...frozenErrors(object, old, ['data', 'binaryData']),
      ...keyErrors(object, 'data'),
      ...twice.map((key) => invalid(`data[${key}]`, key, 'duplicate of key present in binaryData')),
      ...keyErrors(object, 'binaryData'),
      ...(size > DATA_BYTES_MAX ? [tooLong('', DATA_BYTES_MAX)] : []),
    ];
  },
};

/** stringData is a way to write data; it is never stored. */
function encodeStringData(object: KubeObject): void {
  const fields = fieldsOf(object);
  if (fields['stringData'] === undefined) return;
  const encoded = Object.entries(part(object, 'stringData')).map(([key, value]) => [key, Buffer.from(String(value)).toString('base64')]);
  if (encoded.length > 0) fields['data'] = { ...part(object, 'data'), ...Object.fromEntries(encoded) };
  delete fields['stringData'];
}

// What a Secret of a type must hold. Of basic-auth one of the two is enough.
const SECRET_KEYS: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/basic-auth': ['username', 'password'],
};

const ACCOUNT_NAME = 'kubernetes.io/service-account.name';

function typeErrors(object: KubeObject): FieldError[] {
  const type = text(object, 'type');
  const data = part(object, 'data');
  if (type === 'kubernetes.io/service-account-token')
    return (object.metadata.annotations?.[ACCOUNT_NAME] ?? '') === '' ? [required(`metadata.annotations[${ACCOUNT_NAME}]`)] : [];
  const missing = (SECRET_KEYS[type] ?? []).filter((key) => data[key] === undefined);
  if (type === 'kubernetes.io/basic-auth' && missing.length < 2) return [];
  return missing.map((key) => required(`data[${key}]`));
}

export const secret: Partial<Strategy> = {
  prepareCreate: (object) => {
    setDefault(fieldsOf(object), 'type', 'Opaque');
    encodeStringData(object);
  },
  prepareUpdate: (object, old) => {
    setDefault(fieldsOf(object), 'type', fieldsOf(old)['type']);
    encodeStringData(object);
  },
  validate: (object, old) => [
    ...immutableFields(object, old, ['type']),
    ...frozenErrors(object, old, ['data']),
    ...keyErrors(object, 'data'),
    ...(bytesIn(part(object, 'data'), 'base64') > DATA_BYTES_MAX ? [tooLong('data', DATA_BYTES_MAX)] : []),
    ...typeErrors(object),
  ],
};

export const lease: Partial<Strategy> = {
  allowsCreateOnUpdate: true,
  allowsUnconditionalUpdate: false,
  validate: (object) => {
    const { leaseDurationSeconds: seconds, leaseTransitions: transitions } = part(object, 'spec');
    const errors: FieldError[] = [];
    if (typeof seconds === 'number' && seconds <= 0) errors.push(invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0'));
    if (typeof transitions === 'number' && transitions < 0) errors.push(invalid('spec.leaseTransitions', transitions, 'must be greater than or equal to 0'));
    return errors;
  },
};

export const event: Partial<Strategy> = {
  allowsCreateOnUpdate: true,
  validate: (object) => {
    const [involved, own] = [text(part(object, 'involvedObject'), 'namespace'), object.metadata.namespace ?? ''];
    // Events about cluster-scoped objects live in the default namespace.
    const fits = involved === '' ? own === '' || own === 'default' : involved === own;
    return fits ? [] : [invalid('involvedObject.namespace', involved, 'does not match event.namespace')];
  },
};

function subjectErrors(object: KubeObject): FieldError[] {
  return items(object, 'subjects').flatMap((subject, index) => {
    const at = `subjects[${index}]`;
    const one = subject as object;
    const kind = text(one, 'kind');
    return [
      ...requiredText(one, 'name', `${at}.name`),
      ...(kind === 'ServiceAccount' ? requiredText(one, 'namespace', `${at}.namespace`) : []),
      ...(['ServiceAccount', 'User', 'Group'].includes(kind)
        ? []
        : [{ reason: 'FieldValueNotSupported', field: `${at}.kind`, message: `Unsupported value: ${JSON.stringify(kind)}` } as const]),
    ];
  });
}

export const roleBinding: Partial<Strategy> = {
  nameRule: 'path',
  prepareCreate: (object) => {
    setDefault(partIn(object, 'roleRef'), 'apiGroup', 'rbac.authorization.k8s.io');
    for (const subject of items(object, 'subjects')) {
      const fields = fieldsOf(subject as object);
      if (fields['kind'] !== 'ServiceAccount') setDefault(fields, 'apiGroup', 'rbac.authorization.k8s.io');
    }
  },
  validate: (object, old) => {
    const changed = old !== undefined && !deepEqual(part(object, 'roleRef'), part(old, 'roleRef'));
    return [
      ...requiredText(part(object, 'roleRef'), 'name', 'roleRef.name'),
      ...subjectErrors(object),
      ...(changed ? [invalid('roleRef', part(object, 'roleRef'), 'cannot change roleRef')] : []),
    ];
  },
};
