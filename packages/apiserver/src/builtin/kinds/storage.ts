// storage.k8s.io: classes, drivers, attachments, capacities. Source: pkg/apis/storage/validation.
import type { Strategy } from '../../registry/resource.ts';
import { qualifiedNameProblems } from '../../registry/metadata.ts';
import { invalid, required, type FieldError } from '../../schema/field-error.ts';
import { fieldsOf, immutableFields, oneOf, part, partIn, requiredText, setDefault, text } from './loose.ts';

function provisionerErrors(object: object, field: string): FieldError[] {
  const name = text(object, field);
  if (name === '') return [required(field)];
  return qualifiedNameProblems(name.toLowerCase()).map((problem) => invalid(field, name, problem));
}

export const storageClass: Partial<Strategy> = {
  returnsDeletedObject: true,
  prepareCreate: (object) => {
    setDefault(fieldsOf(object), 'reclaimPolicy', 'Delete');
    setDefault(fieldsOf(object), 'volumeBindingMode', 'Immediate');
  },
  prepareUpdate: (object) => {
    setDefault(fieldsOf(object), 'reclaimPolicy', 'Delete');
    setDefault(fieldsOf(object), 'volumeBindingMode', 'Immediate');
  },
  validate: (object, old) => {
    const fixed = immutableFields(object, old, ['parameters', 'provisioner', 'reclaimPolicy', 'volumeBindingMode']);
    if (old !== undefined) return fixed;
    return [
      ...provisionerErrors(object, 'provisioner'),
      ...oneOf(object, 'reclaimPolicy', 'reclaimPolicy', ['Delete', 'Retain']),
      ...oneOf(object, 'volumeBindingMode', 'volumeBindingMode', ['Immediate', 'WaitForFirstConsumer']),
    ];
  },
};

export const volumeAttributesClass: Partial<Strategy> = {
  returnsDeletedObject: true,
  validate: (object, old) => {
    const empty = Object.keys(part(object, 'parameters')).length === 0;
    const missing = empty ? [required('parameters', 'must contain at least one key/value pair')] : [];
    return [...provisionerErrors(object, 'driverName'), ...missing, ...immutableFields(object, old, ['driverName', 'parameters'])];
  },
};

export const csiDriver: Partial<Strategy> = {
  hasGeneration: true,
  returnsDeletedObject: true,
  prepareCreate: (object) => {
    const spec = partIn(object, 'spec');
    setDefault(spec, 'attachRequired', true);
    for (const flag of ['podInfoOnMount', 'storageCapacity', 'requiresRepublish', 'seLinuxMount']) setDefault(spec, flag, false);
    setDefault(spec, 'fsGroupPolicy', 'ReadWriteOnceWithFSType');
    setDefault(spec, 'volumeLifecycleModes', ['Persistent']);
  },
  validate: (object, old) => {
    const [spec, before] = [part(object, 'spec'), old === undefined ? undefined : part(old, 'spec')];
    const fixed = immutableFields(spec, before, ['attachRequired', 'volumeLifecycleModes']).map((error) => ({ ...error, field: `spec.${error.field}` }));
    return [...fixed, ...oneOf(spec, 'fsGroupPolicy', 'spec.fsGroupPolicy', ['File', 'None', 'ReadWriteOnceWithFSType'])];
  },
};

export const csiNode: Partial<Strategy> = { returnsDeletedObject: true };

export const volumeAttachment: Partial<Strategy> = {
  hasStatus: true,
  returnsDeletedObject: true,
  prepareCreate: (object) => {
    setDefault(fieldsOf(object), 'status', { attached: false });
  },
  validate: (object, old) => {
    const spec = part(object, 'spec');
    const source = part(spec, 'source');
    const none = text(source, 'persistentVolumeName') === '' && source['inlineVolumeSpec'] === undefined;
    return [
      ...requiredText(spec, 'attacher', 'spec.attacher'),
      ...(none ? [required('spec.source', 'must specify exactly one of inlineVolumeSpec and persistentVolumeName')] : []),
      ...requiredText(spec, 'nodeName', 'spec.nodeName'),
      ...immutableFields(object, old, ['spec']),
    ];
  },
};

export const csiStorageCapacity: Partial<Strategy> = {
  validate: (object, old) => [
    ...requiredText(object, 'storageClassName', 'storageClassName'),
    ...immutableFields(object, old, ['nodeTopology', 'storageClassName']),
  ],
};
