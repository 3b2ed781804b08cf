// From a claim and its class to what the driver is asked, and from the driver's answer to the volume that is saved.
import {
  Annotation,
  Finalizer,
  bytesOf,
  formatBytes,
  type AccessMode,
  type NodeSelectorTerm,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type SecretReference,
  type StorageClass,
} from '@snapshot-stack/api-types';
import {
  VolumeCapability_AccessMode_Mode as Mode,
  type CreateVolumeRequest,
  type TopologyRequirement,
  type Volume,
  type VolumeCapability,
} from '@snapshot-stack/csi';
import type { ClassParameters } from '../parameters.ts';
import type { VolumeAttributesClass } from '../kinds.ts';
import type { Origin } from './plan.ts';

export interface RequestParts {
  claim: PersistentVolumeClaim;
  storageClass: StorageClass;
  name: string;
  parameters: ClassParameters;
  secrets: Record<string, string>;
  origin: Origin | undefined;
  attributesClass: VolumeAttributesClass | undefined;
  topology: TopologyRequirement | undefined;
  defaultFsType: string;
  extraCreateMetadata: boolean;
  /** The driver tells several writers on one node from one. */
  singleNodeMultiWriter: boolean;
}

export type CapabilityParts = Pick<RequestParts, 'claim' | 'storageClass' | 'parameters' | 'defaultFsType' | 'singleNodeMultiWriter'>;

function modeOf(mode: AccessMode, precise: boolean): (typeof Mode)[keyof typeof Mode] {
  switch (mode) {
    case 'ReadWriteOnce':
      return precise ? Mode.SINGLE_NODE_MULTI_WRITER : Mode.SINGLE_NODE_WRITER;
    case 'ReadWriteOncePod':
      return precise ? Mode.SINGLE_NODE_SINGLE_WRITER : Mode.SINGLE_NODE_WRITER;
    case 'ReadOnlyMany':
      return Mode.MULTI_NODE_READER_ONLY;
    case 'ReadWriteMany':
      return Mode.MULTI_NODE_MULTI_WRITER;
  }
}

/** What the volume has to serve for: one entry for each access mode of the claim. */
export function capabilitiesOf({ claim, storageClass, parameters, defaultFsType, singleNodeMultiWriter }: CapabilityParts): VolumeCapability[] {
  const mount = { fsType: parameters.fsType ?? defaultFsType, mountFlags: storageClass.mountOptions ?? [], volumeMountGroup: '' };
  const accessType: VolumeCapability['accessType'] = claim.spec.volumeMode === 'Block' ? { $case: 'block', value: {} } : { $case: 'mount', value: mount };
  return (claim.spec.accessModes ?? []).map((mode) => ({ accessType, accessMode: { mode: modeOf(mode, singleNodeMultiWriter) } }));
}

export function requestedBytes(claim: PersistentVolumeClaim): bigint {
  const text = claim.spec.resources?.requests?.['storage'];
  return text === undefined ? 0n : bytesOf(text);
}

export function createRequest(parts: RequestParts): Partial<CreateVolumeRequest> {
  const { claim, name, parameters, secrets, origin, topology } = parts;
  const metadata = {
    'csi.storage.k8s.io/pvc/name': claim.metadata.name ?? '',
    'csi.storage.k8s.io/pvc/namespace': claim.metadata.namespace ?? '',
    'csi.storage.k8s.io/pv/name': name,
  };
  return {
    name,
    capacityRange: { requiredBytes: requestedBytes(claim), limitBytes: 0n },
    volumeCapabilities: capabilitiesOf(parts),
    parameters: { ...parameters.forDriver, ...(parts.extraCreateMetadata ? metadata : {}) },
    mutableParameters: parts.attributesClass?.parameters ?? {},
    secrets,
    volumeContentSource:
      origin === undefined
        ? undefined
        : {
            type:
              origin.kind === 'snapshot'
                ? { $case: 'snapshot', value: { snapshotId: origin.handle } }
                : { $case: 'volume', value: { volumeId: origin.handle } },
          },
    accessibilityRequirements: topology,
  };
}

export interface VolumeParts extends RequestParts {
  driver: string;
  /** Of this process: shows which provisioner made a volume. */
  identity: string;
  volume: Volume;
  readOnlyForReaders: boolean;
}

function affinityOf(volume: Volume): { required: { nodeSelectorTerms: NodeSelectorTerm[] } } | undefined {
  const terms = volume.accessibleTopology
    .map(({ segments }) => Object.entries(segments).map(([key, value]) => ({ key, operator: 'In', values: [value] })))
    .filter((expressions) => expressions.length > 0)
    .map((matchExpressions) => ({ matchExpressions }));
  return terms.length === 0 ? undefined : { required: { nodeSelectorTerms: terms } };
}

/** For whoever modifies the volume later: there is no field for this secret. */
function modifySecretOf({ secrets }: ClassParameters): Record<string, string> {
  const secret = secrets['controller-modify'];
  if (secret === undefined) return {};
  return {
    'volume.kubernetes.io/controller-modify-secret-name': secret.name ?? '',
    'volume.kubernetes.io/controller-modify-secret-namespace': secret.namespace ?? '',
  };
}

/** The PersistentVolume to save, complete: nothing is added to it later. */
export function volumeObject(parts: VolumeParts): PersistentVolume {
  const { claim, storageClass, name, parameters, volume, driver } = parts;
  const modes = claim.spec.accessModes ?? [];
  const isBlock = claim.spec.volumeMode === 'Block';
  const fsType = parameters.fsType ?? parts.defaultFsType;
  const capacity = volume.capacityBytes > 0n ? volume.capacityBytes : requestedBytes(claim);
  const { secrets } = parameters;
  const secretRefs: Record<string, SecretReference | undefined> = {
    controllerPublishSecretRef: secrets['controller-publish'],
    nodeStageSecretRef: secrets['node-stage'],
    nodePublishSecretRef: secrets['node-publish'],
    controllerExpandSecretRef: secrets['controller-expand'],
    nodeExpandSecretRef: secrets['node-expand'],
  };
  const affinity = affinityOf(volume);
  // With another policy upstream puts the finalizer on, too, and takes it off at its next look: two writes for nothing.
  const deletes = (storageClass.reclaimPolicy ?? 'Delete') === 'Delete';
  return {
    metadata: {
      name,
      annotations: {
        [Annotation.provisionedBy]: driver,
        'volume.kubernetes.io/provisioner-deletion-secret-name': secrets.provisioner?.name ?? '',
        'volume.kubernetes.io/provisioner-deletion-secret-namespace': secrets.provisioner?.namespace ?? '',
        ...modifySecretOf(parameters),
      },
      ...(deletes ? { finalizers: [Finalizer.provisionedVolume] } : {}),
    },
    spec: {
      capacity: { storage: formatBytes(capacity) },
      accessModes: modes,
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
      storageClassName: storageClass.metadata.name ?? '',
      volumeMode: claim.spec.volumeMode ?? 'Filesystem',
      ...(parts.attributesClass === undefined ? {} : { volumeAttributesClassName: parts.attributesClass.metadata.name ?? '' }),
      ...(storageClass.mountOptions === undefined ? {} : { mountOptions: storageClass.mountOptions }),
      claimRef: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        namespace: claim.metadata.namespace ?? '',
        name: claim.metadata.name ?? '',
        uid: claim.metadata.uid ?? '',
        resourceVersion: claim.metadata.resourceVersion ?? '',
      },
      csi: {
        driver,
        volumeHandle: volume.volumeId,
        volumeAttributes: { ...volume.volumeContext, 'storage.kubernetes.io/csiProvisionerIdentity': parts.identity },
        ...(isBlock || fsType === '' ? {} : { fsType }),
        ...(parts.readOnlyForReaders && modes.length === 1 && modes[0] === 'ReadOnlyMany' ? { readOnly: true } : {}),
        ...Object.fromEntries(Object.entries(secretRefs).filter(([, ref]) => ref !== undefined)),
      },
      ...(affinity === undefined ? {} : { nodeAffinity: affinity }),
    },
  };
}
