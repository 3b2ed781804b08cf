// The types of storage/v1: a page of data in the notation of ../notation.ts.
// Source: the OpenAPI document and the generated.proto of Kubernetes 1.36.
import type { TypePage } from '../notation.ts';

export const storageV1: TypePage = {
  prefix: 'io.k8s.api.storage.v1',
  types: {
    CSIDriver: {
      '': 'object storage.k8s.io/v1',
      metadata: '1 meta.v1.ObjectMeta',
      spec: '2 CSIDriverSpec required',
    },
    CSIDriverSpec: {
      attachRequired: '1 bool pointer',
      fsGroupPolicy: '5 string',
      nodeAllocatableUpdatePeriodSeconds: '9 int64',
      podInfoOnMount: '2 bool pointer',
      preventPodSchedulingIfMissing: '0 bool',
      requiresRepublish: '7 bool pointer',
      seLinuxMount: '8 bool pointer',
      serviceAccountTokenInSecrets: '10 bool',
      storageCapacity: '4 bool pointer',
      tokenRequests: '6 []TokenRequest atomic',
      volumeLifecycleModes: '3 []string set',
    },
    CSINode: {
      '': 'object storage.k8s.io/v1',
      metadata: '1 meta.v1.ObjectMeta',
      spec: '2 CSINodeSpec required',
    },
    CSINodeDriver: {
      allocatable: '4 VolumeNodeResources',
      name: '1 string required',
      nodeID: '2 string required',
      topologyKeys: '3 []string atomic',
    },
    CSINodeSpec: {
      drivers: '1 []CSINodeDriver required map=name merge=name',
    },
    CSIStorageCapacity: {
      '': 'object storage.k8s.io/v1',
      capacity: '4 quantity',
      maximumVolumeSize: '5 quantity',
      metadata: '1 meta.v1.ObjectMeta',
      nodeTopology: '2 meta.v1.LabelSelector',
      storageClassName: '3 string required',
    },
    StorageClass: {
      '': 'object storage.k8s.io/v1',
      allowVolumeExpansion: '6 bool pointer',
      allowedTopologies: '8 []core.v1.TopologySelectorTerm atomic',
      metadata: '1 meta.v1.ObjectMeta',
      mountOptions: '5 []string atomic',
      parameters: '3 {}string',
      provisioner: '2 string required',
      reclaimPolicy: '4 string pointer',
      volumeBindingMode: '7 string pointer',
    },
    TokenRequest: {
      audience: '1 string required',
      expirationSeconds: '2 int64',
    },
    VolumeAttachment: {
      '': 'object storage.k8s.io/v1',
      metadata: '1 meta.v1.ObjectMeta',
      spec: '2 VolumeAttachmentSpec required',
      status: '3 VolumeAttachmentStatus',
    },
    VolumeAttachmentSource: {
      inlineVolumeSpec: '2 core.v1.PersistentVolumeSpec',
      persistentVolumeName: '1 string',
    },
    VolumeAttachmentSpec: {
      attacher: '1 string required',
      nodeName: '3 string required',
      source: '2 VolumeAttachmentSource required',
    },
    VolumeAttachmentStatus: {
      attachError: '3 VolumeError',
      attached: '1 bool required',
      attachmentMetadata: '2 {}string',
      detachError: '4 VolumeError',
    },
    VolumeAttributesClass: {
      '': 'object storage.k8s.io/v1',
      driverName: '2 string required',
      metadata: '1 meta.v1.ObjectMeta',
      parameters: '3 {}string',
    },
    VolumeError: {
      errorCode: '3 int32',
      message: '2 string',
      time: '1 time',
    },
    VolumeNodeResources: {
      count: '1 int32 pointer',
    },
  },
};
