// The built-in kinds that the stack reads and writes, with the fields it uses. Objects may carry more:
// whoever updates one patches it, so that fields unknown here survive.
import type { KubeObject, LabelSelector, ObjectReference, Resource } from './meta.ts';

export type VolumeMode = 'Filesystem' | 'Block';
export type AccessMode = 'ReadWriteOnce' | 'ReadOnlyMany' | 'ReadWriteMany' | 'ReadWriteOncePod';

export interface TypedObjectReference {
  apiGroup?: string;
  kind: string;
  name: string;
  namespace?: string;
}

export interface PersistentVolumeClaim extends KubeObject {
  spec: {
    accessModes?: AccessMode[];
    resources?: { requests?: Record<string, string>; limits?: Record<string, string> };
    selector?: LabelSelector;
    storageClassName?: string;
    volumeMode?: VolumeMode;
    volumeName?: string;
    dataSource?: TypedObjectReference;
    dataSourceRef?: TypedObjectReference;
    volumeAttributesClassName?: string;
  };
  status?: {
    phase?: 'Pending' | 'Bound' | 'Lost';
    accessModes?: AccessMode[];
    capacity?: Record<string, string>;
    conditions?: { type: string; status: string; reason?: string; message?: string; lastTransitionTime?: string }[];
  };
}

export interface SecretReference {
  name?: string;
  namespace?: string;
}

export interface NodeSelectorTerm {
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
  matchFields?: { key: string; operator: string; values?: string[] }[];
}

export interface CsiVolumeSource {
  driver: string;
  volumeHandle: string;
  readOnly?: boolean;
  fsType?: string;
  volumeAttributes?: Record<string, string>;
  controllerPublishSecretRef?: SecretReference;
  nodeStageSecretRef?: SecretReference;
  nodePublishSecretRef?: SecretReference;
  controllerExpandSecretRef?: SecretReference;
  nodeExpandSecretRef?: SecretReference;
}

export interface PersistentVolume extends KubeObject {
  spec: {
    capacity?: Record<string, string>;
    accessModes?: AccessMode[];
    persistentVolumeReclaimPolicy?: 'Delete' | 'Retain' | 'Recycle';
    storageClassName?: string;
    volumeMode?: VolumeMode;
    mountOptions?: string[];
    claimRef?: ObjectReference;
    csi?: CsiVolumeSource;
    nodeAffinity?: { required?: { nodeSelectorTerms: NodeSelectorTerm[] } };
    volumeAttributesClassName?: string;
  };
  status?: { phase?: 'Pending' | 'Available' | 'Bound' | 'Released' | 'Failed'; message?: string; reason?: string };
}

export interface StorageClass extends KubeObject {
  provisioner: string;
  parameters?: Record<string, string>;
  reclaimPolicy?: 'Delete' | 'Retain';
  mountOptions?: string[];
  allowVolumeExpansion?: boolean;
  volumeBindingMode?: 'Immediate' | 'WaitForFirstConsumer';
  allowedTopologies?: { matchLabelExpressions?: { key: string; values: string[] }[] }[];
}

export interface Secret extends KubeObject {
  type?: string;
  /** Values are base64. */
  data?: Record<string, string>;
  stringData?: Record<string, string>;
}

export interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
  immutable?: boolean;
}

export interface Namespace extends KubeObject {
  spec?: { finalizers?: string[] };
  status?: {
    phase?: 'Active' | 'Terminating';
    conditions?: { type: string; status: string; reason?: string; message?: string; lastTransitionTime?: string }[];
  };
}

export interface Node extends KubeObject {
  spec?: { unschedulable?: boolean; podCIDR?: string };
  status?: {
    volumesInUse?: string[];
    volumesAttached?: { name: string; devicePath: string }[];
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
  };
}

export interface PodVolume {
  name: string;
  persistentVolumeClaim?: { claimName: string; readOnly?: boolean };
}

export interface Pod extends KubeObject {
  spec: {
    nodeName?: string;
    restartPolicy?: string;
    serviceAccountName?: string;
    nodeSelector?: Record<string, string>;
    volumes?: PodVolume[];
    containers: {
      name: string;
      image?: string;
      command?: string[];
      args?: string[];
      volumeMounts?: { name: string; mountPath: string; readOnly?: boolean }[];
      volumeDevices?: { name: string; devicePath: string }[];
    }[];
  };
  status?: {
    phase?: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
    message?: string;
    reason?: string;
    conditions?: { type: string; status: string; reason?: string; message?: string }[];
  };
}

/** core/v1 Event. */
export interface KubeEvent extends KubeObject {
  involvedObject: ObjectReference;
  reason?: string;
  message?: string;
  type?: 'Normal' | 'Warning';
  count?: number;
  firstTimestamp?: string;
  lastTimestamp?: string;
  eventTime?: string | null;
  source?: { component?: string; host?: string };
  reportingComponent?: string;
  reportingInstance?: string;
}

export interface Lease extends KubeObject {
  spec?: {
    holderIdentity?: string;
    leaseDurationSeconds?: number;
    acquireTime?: string;
    renewTime?: string;
    leaseTransitions?: number;
  };
}

export interface CsiDriver extends KubeObject {
  spec: {
    /** True when absent. */
    attachRequired?: boolean;
    /** False when absent. */
    podInfoOnMount?: boolean;
    storageCapacity?: boolean;
    fsGroupPolicy?: 'ReadWriteOnceWithFSType' | 'File' | 'None';
    volumeLifecycleModes?: ('Persistent' | 'Ephemeral')[];
    requiresRepublish?: boolean;
    seLinuxMount?: boolean;
  };
}

export interface CsiNode extends KubeObject {
  spec: { drivers: { name: string; nodeID: string; topologyKeys?: string[]; allocatable?: { count?: number } }[] };
}

export interface VolumeAttachment extends KubeObject {
  spec: { attacher: string; nodeName: string; source: { persistentVolumeName?: string } };
  status?: {
    attached: boolean;
    attachmentMetadata?: Record<string, string>;
    attachError?: { message?: string; time?: string };
    detachError?: { message?: string; time?: string };
  };
}

const core = <T extends KubeObject>(plural: string, kind: string, namespaced: boolean): Resource<T> => ({ group: '', version: 'v1', plural, kind, namespaced });
const storage = <T extends KubeObject>(plural: string, kind: string, namespaced = false): Resource<T> => ({
  group: 'storage.k8s.io',
  version: 'v1',
  plural,
  kind,
  namespaced,
});

export const persistentVolumeClaims: Resource<PersistentVolumeClaim> = core('persistentvolumeclaims', 'PersistentVolumeClaim', true);
export const persistentVolumes: Resource<PersistentVolume> = core('persistentvolumes', 'PersistentVolume', false);
export const secrets: Resource<Secret> = core('secrets', 'Secret', true);
export const configMaps: Resource<ConfigMap> = core('configmaps', 'ConfigMap', true);
export const namespaces: Resource<Namespace> = core('namespaces', 'Namespace', false);
export const nodes: Resource<Node> = core('nodes', 'Node', false);
export const pods: Resource<Pod> = core('pods', 'Pod', true);
export const events: Resource<KubeEvent> = core('events', 'Event', true);
export const serviceAccounts: Resource = core('serviceaccounts', 'ServiceAccount', true);
export const storageClasses: Resource<StorageClass> = storage('storageclasses', 'StorageClass');
export const csiDrivers: Resource<CsiDriver> = storage('csidrivers', 'CSIDriver');
export const csiNodes: Resource<CsiNode> = storage('csinodes', 'CSINode');
export const volumeAttachments: Resource<VolumeAttachment> = storage('volumeattachments', 'VolumeAttachment');
export const leases: Resource<Lease> = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease', namespaced: true };
export const customResourceDefinitions: Resource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  plural: 'customresourcedefinitions',
  kind: 'CustomResourceDefinition',
  namespaced: false,
};

/** Lets objects of other namespaces refer to objects of this one. Source: https://gateway-api.sigs.k8s.io/api-types/referencegrant/ */
export interface ReferenceGrant extends KubeObject {
  spec: {
    from: { group: string; kind: string; namespace: string }[];
    to: { group: string; kind: string; name?: string }[];
  };
}
export const referenceGrants: Resource<ReferenceGrant> = {
  group: 'gateway.networking.k8s.io',
  version: 'v1beta1',
  plural: 'referencegrants',
  kind: 'ReferenceGrant',
  namespaced: true,
};
