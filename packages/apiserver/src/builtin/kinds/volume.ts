// PersistentVolumes: one source each, that never changes. Source: pkg/apis/core/validation.ValidatePersistentVolume.
import type { KubeObject } from '@snapshot-stack/api-types';
import { deepEqual } from '../../registry/deep-equal.ts';
import { nameProblems } from '../../registry/metadata.ts';
import type { Strategy } from '../../registry/resource.ts';
import { forbidden, invalid, notSupported, required, type FieldError } from '../../schema/field-error.ts';
import {
  VOLUME_MODES,
  accessModeErrors,
  classNameErrors,
  fieldsOf,
  oneOf,
  part,
  partIn,
  positiveErrors,
  requiredText,
  setDefault,
  text,
  type Fields,
} from './loose.ts';

// In the order in which kube-apiserver looks: the second one found is the one too many.
const SOURCES = [
  'hostPath',
  'gcePersistentDisk',
  'awsElasticBlockStore',
  'glusterfs',
  'flocker',
  'nfs',
  'rbd',
  'quobyte',
  'cephfs',
  'iscsi',
  'cinder',
  'fc',
  'flexVolume',
  'azureFile',
  'vsphereVolume',
  'photonPersistentDisk',
  'portworxVolume',
  'azureDisk',
  'scaleIO',
  'local',
  'storageos',
  'csi',
];

function sourceErrors(spec: Fields): FieldError[] {
  const [first, ...more] = SOURCES.filter((source) => spec[source] !== undefined);
  if (first === undefined) return [required('spec', 'must specify a volume type')];
  const errors = more.map((source) => forbidden(`spec.${source}`, 'may not specify more than 1 volume type'));
  const source = part(spec, first);
  switch (first) {
    case 'csi':
      return [...errors, ...csiErrors(source)];
    case 'hostPath':
    case 'local':
      return [...errors, ...requiredText(source, 'path', `spec.${first}.path`)];
    case 'nfs':
      return [...errors, ...requiredText(source, 'server', 'spec.nfs.server'), ...requiredText(source, 'path', 'spec.nfs.path')];
    default:
      return errors;
  }
}

const SECRETS = ['controllerPublishSecretRef', 'controllerExpandSecretRef', 'nodePublishSecretRef', 'nodeExpandSecretRef', 'nodeStageSecretRef'];

function csiErrors(csi: Fields): FieldError[] {
  const driver = text(csi, 'driver');
  const driverErrors =
    driver === ''
      ? [required('spec.csi.driver')]
      : nameProblems(driver.toLowerCase(), 'subdomain').map((problem) => invalid('spec.csi.driver', driver, problem));
  const secrets = SECRETS.filter((name) => csi[name] !== undefined).flatMap((name) =>
    ['name', 'namespace'].flatMap((field) => requiredText(part(csi, name), field, `spec.csi.${name}.${field}`)),
  );
  return [...driverErrors, ...requiredText(csi, 'volumeHandle', 'spec.csi.volumeHandle'), ...secrets];
}

function capacityErrors(spec: Fields): FieldError[] {
  const capacity = part(spec, 'capacity');
  const names = Object.keys(capacity);
  const errors: FieldError[] = names.length === 0 ? [required('spec.capacity')] : [];
  if (names.length !== 1 || names[0] !== 'storage') errors.push(notSupported('spec.capacity', spec['capacity'] ?? null, ['storage']));
  return [...errors, ...names.flatMap((name) => positiveErrors(capacity, name, `spec.capacity[${name}]`))];
}

function updateErrors(object: KubeObject, old: KubeObject): FieldError[] {
  const [spec, before] = [part(object, 'spec'), part(old, 'spec')];
  const errors: FieldError[] = [];
  // The secret for expansion may still be given, for volumes from before it was known.
  const fixed = (of: Fields): Fields => {
    const { controllerExpandSecretRef: _given, ...csi } = part(of, 'csi');
    const source = Object.fromEntries(SOURCES.filter((name) => of[name] !== undefined).map((name) => [name, of[name]]));
    return of['csi'] === undefined ? source : { ...source, csi };
  };
  if (!deepEqual(fixed(spec), fixed(before))) errors.push(forbidden('spec.persistentvolumesource', 'spec.persistentvolumesource is immutable after creation'));
  if (spec['volumeMode'] !== before['volumeMode']) errors.push(invalid('volumeMode', spec['volumeMode'] ?? null, 'field is immutable'));
  if (before['nodeAffinity'] !== undefined && !deepEqual(spec['nodeAffinity'], before['nodeAffinity']))
    errors.push(invalid('spec.nodeAffinity', spec['nodeAffinity'] ?? null, 'field is immutable'));
  return errors;
}

function setDefaults(spec: Fields): void {
  setDefault(spec, 'persistentVolumeReclaimPolicy', 'Retain');
  setDefault(spec, 'volumeMode', 'Filesystem');
}

export const persistentVolume: Partial<Strategy> = {
  hasStatus: true,
  returnsDeletedObject: true,
  prepareCreate: (object, now) => {
    setDefaults(partIn(object, 'spec'));
    fieldsOf(object)['status'] = { phase: 'Pending', lastPhaseTransitionTime: now };
  },
  prepareUpdate: (object) => setDefaults(partIn(object, 'spec')),
  prepareStatus: (object, old, now) => {
    const [status, before] = [partIn(object, 'status'), part(old, 'status')];
    if (status['phase'] !== before['phase'] && status['lastPhaseTransitionTime'] === before['lastPhaseTransitionTime']) status['lastPhaseTransitionTime'] = now;
  },
  validate: (object, old) => {
    const spec = part(object, 'spec');
    return [
      ...accessModeErrors(spec, ''),
      ...capacityErrors(spec),
      ...oneOf(spec, 'persistentVolumeReclaimPolicy', 'spec.persistentVolumeReclaimPolicy', ['Delete', 'Recycle', 'Retain']),
      ...sourceErrors(spec),
      ...classNameErrors(spec),
      ...oneOf(spec, 'volumeMode', 'spec.volumeMode', VOLUME_MODES),
      ...(old === undefined ? [] : updateErrors(object, old)),
    ];
  },
};
