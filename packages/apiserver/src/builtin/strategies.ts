// What single built-in kinds do beyond the common rules: defaults, what may not change, how they go.
import type { KubeObject } from '@snapshot-stack/api-types';
import { deepEqual } from '../registry/deep-equal.ts';
import type { Strategy } from '../registry/resource.ts';
import { forbidden, invalid, required, type FieldError } from '../schema/field-error.ts';

type Loose = KubeObject & Record<string, Record<string, unknown> | undefined>;

const loose = (object: KubeObject): Loose => object as unknown as Loose;

function setDefault(target: Record<string, unknown>, field: string, value: unknown): void {
  if (target[field] === undefined || target[field] === null || target[field] === '') target[field] = value;
}

export const namespace: Partial<Strategy> = {
  hasStatus: true,
  nameRule: 'label',
  returnsDeletedObject: true,
  prepareCreate: (object) => {
    const draft = loose(object);
    draft['spec'] = { ...draft['spec'], finalizers: ['kubernetes'] };
    draft['status'] = { phase: 'Active' };
    object.metadata.labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name ?? '' };
  },
  prepareUpdate: (object, old) => {
    const draft = loose(object);
    if (object.metadata.deletionTimestamp !== undefined) draft['status'] = { ...(draft['status'] ?? loose(old)['status']), phase: 'Terminating' };
    object.metadata.labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name ?? '' };
  },
  isHeld: (object) => ((loose(object)['spec']?.['finalizers'] as unknown[] | undefined) ?? []).length > 0,
};

export const configMap: Partial<Strategy> = {
  validate: (object, old) => [...keyErrors(object, 'data'), ...keyErrors(object, 'binaryData'), ...immutableErrors(object, old, ['data', 'binaryData'])],
};

export const secret: Partial<Strategy> = {
  prepareCreate: (object) => {
    setDefault(object as unknown as Record<string, unknown>, 'type', 'Opaque');
    encodeStringData(object);
  },
  prepareUpdate: (object) => encodeStringData(object),
  validate: (object, old) => {
    const errors = [...keyErrors(object, 'data'), ...immutableErrors(object, old, ['data'])];
    const [now, before] = [(object as { type?: string }).type, (old as { type?: string } | undefined)?.type];
    if (old !== undefined && now !== before) errors.push(invalid('type', now ?? '', 'field is immutable'));
    return errors;
  },
};

/** stringData is a way to write data; it is never stored. */
function encodeStringData(object: KubeObject): void {
  const draft = loose(object);
  const plain = draft['stringData'];
  if (plain === undefined) return;
  const encoded = Object.entries(plain).map(([key, value]) => [key, Buffer.from(String(value)).toString('base64')]);
  draft['data'] = { ...draft['data'], ...Object.fromEntries(encoded) };
  delete (object as unknown as Record<string, unknown>)['stringData'];
}

const KEY = /^[-._a-zA-Z0-9]+$/;

function keyErrors(object: KubeObject, field: string): FieldError[] {
  return Object.keys(loose(object)[field] ?? {}).flatMap((key) => {
    const at = `${field}[${key}]`;
    const errors: FieldError[] = [];
    if (key.length > 253) errors.push(invalid(at, key, 'must be no more than 253 bytes'));
    if (!KEY.test(key)) {
      errors.push(
        invalid(
          at,
          key,
          "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        ),
      );
    } else if (key === '.' || key === '..') errors.push(invalid(at, key, `must not be '${key}'`));
    return errors;
  });
}

function immutableErrors(object: KubeObject, old: KubeObject | undefined, fields: readonly string[]): FieldError[] {
  const was = old as unknown as Record<string, unknown> | undefined;
  if (was?.['immutable'] !== true) return [];
  const now = object as unknown as Record<string, unknown>;
  const errors = now['immutable'] === true ? [] : [forbidden('immutable', 'field is immutable when `immutable` is set')];
  return [
    ...errors,
    ...fields.filter((field) => !deepEqual(now[field] ?? {}, was[field] ?? {})).map((field) => forbidden(field, 'field is immutable when `immutable` is set')),
  ];
}

export const persistentVolume: Partial<Strategy> = {
  hasStatus: true,
  returnsDeletedObject: true,
  prepareCreate: (object) => {
    const draft = loose(object);
    const spec = (draft['spec'] ??= {});
    setDefault(spec, 'persistentVolumeReclaimPolicy', 'Retain');
    setDefault(spec, 'volumeMode', 'Filesystem');
    draft['status'] = { phase: 'Pending' };
  },
  validate: (object, old) => {
    const spec = loose(object)['spec'] ?? {};
    const errors: FieldError[] = [];
    if (((spec['accessModes'] as unknown[] | undefined) ?? []).length === 0) errors.push(required('spec.accessModes'));
    if (spec['capacity'] === undefined) errors.push(required('spec.capacity'));
    const before = old === undefined ? undefined : loose(old)['spec'];
    if (before !== undefined && !deepEqual(spec['csi'], before['csi'])) {
      errors.push(forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation'));
    }
    return errors;
  },
};

export const persistentVolumeClaim: Partial<Strategy> = {
  hasStatus: true,
  returnsDeletedObject: true,
  prepareCreate: (object) => {
    const draft = loose(object);
    const spec = (draft['spec'] ??= {});
    setDefault(spec, 'volumeMode', 'Filesystem');
    mirrorDataSource(spec);
    draft['status'] = { phase: 'Pending' };
  },
  prepareUpdate: (object) => {
    const spec = loose(object)['spec'];
    if (spec !== undefined) mirrorDataSource(spec);
  },
  validate: (object, old) => {
    const spec = loose(object)['spec'] ?? {};
    const errors: FieldError[] = [];
    if (((spec['accessModes'] as unknown[] | undefined) ?? []).length === 0) errors.push(required('spec.accessModes', 'at least 1 access mode is required'));
    const requests = (spec['resources'] as { requests?: Record<string, string> } | undefined)?.requests;
    if (requests?.['storage'] === undefined) errors.push(required('spec.resources[storage]'));
    return [...errors, ...claimUpdateErrors(spec, old === undefined ? undefined : loose(old)['spec'])];
  },
};

/** dataSource and dataSourceRef say the same, unless the ref names another namespace. */
function mirrorDataSource(spec: Record<string, unknown>): void {
  const ref = spec['dataSourceRef'] as { namespace?: string } | undefined;
  if (spec['dataSource'] !== undefined && ref === undefined) spec['dataSourceRef'] = structuredClone(spec['dataSource']);
  else if (ref !== undefined && (ref.namespace === undefined || ref.namespace === '') && spec['dataSource'] === undefined)
    spec['dataSource'] = structuredClone(ref);
}

function claimUpdateErrors(spec: Record<string, unknown>, before: Record<string, unknown> | undefined): FieldError[] {
  if (before === undefined) return [];
  const fixed = (of: Record<string, unknown>): Record<string, unknown> => {
    const { resources: _resources, volumeAttributesClassName: _class, volumeName: _volume, storageClassName: _storage, ...rest } = of;
    return rest;
  };
  const volumeSet = before['volumeName'] !== undefined && before['volumeName'] !== '';
  const classSet = before['storageClassName'] !== undefined;
  const changed =
    !deepEqual(fixed(spec), fixed(before)) ||
    (volumeSet && spec['volumeName'] !== before['volumeName']) ||
    (classSet && spec['storageClassName'] !== before['storageClassName']);
  return changed ? [forbidden('spec', 'spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims')] : [];
}

export const pod: Partial<Strategy> = {
  hasStatus: true,
  hasGeneration: true,
  returnsDeletedObject: true,
  prepareCreate: (object) => {
    const draft = loose(object);
    const spec = (draft['spec'] ??= {});
    setDefault(spec, 'restartPolicy', 'Always');
    setDefault(spec, 'terminationGracePeriodSeconds', 30);
    setDefault(spec, 'dnsPolicy', 'ClusterFirst');
    setDefault(spec, 'schedulerName', 'default-scheduler');
    setDefault(spec, 'securityContext', {});
    draft['status'] = { phase: 'Pending', qosClass: 'BestEffort' };
  },
  graceSeconds: (object) => {
    const spec = loose(object)['spec'] ?? {};
    const phase = loose(object)['status']?.['phase'];
    // A pod that no agent runs has nobody to wait for.
    if (spec['nodeName'] === undefined || spec['nodeName'] === '' || phase === 'Succeeded' || phase === 'Failed') return 0;
    return (spec['terminationGracePeriodSeconds'] as number | undefined) ?? 30;
  },
};

export const storageClass: Partial<Strategy> = {
  prepareCreate: (object) => {
    const draft = object as unknown as Record<string, unknown>;
    setDefault(draft, 'reclaimPolicy', 'Delete');
    setDefault(draft, 'volumeBindingMode', 'Immediate');
  },
  validate: (object, old) => {
    const [now, before] = [object as unknown as Record<string, unknown>, old as unknown as Record<string, unknown> | undefined];
    const errors: FieldError[] = [];
    if (now['provisioner'] === undefined || now['provisioner'] === '') errors.push(required('provisioner'));
    if (before === undefined) return errors;
    if (!deepEqual(now['parameters'] ?? {}, before['parameters'] ?? {})) errors.push(forbidden('parameters', 'updates to parameters are forbidden.'));
    if (now['provisioner'] !== before['provisioner']) errors.push(forbidden('provisioner', 'updates to provisioner are forbidden.'));
    if (now['reclaimPolicy'] !== before['reclaimPolicy']) errors.push(invalid('reclaimPolicy', now['reclaimPolicy'], 'field is immutable'));
    return errors;
  },
};

export const csiDriver: Partial<Strategy> = {
  hasGeneration: true,
  prepareCreate: (object) => {
    const draft = loose(object);
    const spec = (draft['spec'] ??= {});
    setDefault(spec, 'attachRequired', true);
    setDefault(spec, 'podInfoOnMount', false);
    setDefault(spec, 'storageCapacity', false);
    setDefault(spec, 'fsGroupPolicy', 'ReadWriteOnceWithFSType');
    setDefault(spec, 'requiresRepublish', false);
    setDefault(spec, 'seLinuxMount', false);
    setDefault(spec, 'volumeLifecycleModes', ['Persistent']);
  },
};
