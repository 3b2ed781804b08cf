// Built-in kinds that only the provisioner deals with.
import type { KubeObject, LabelSelector, Resource } from '@snapshot-stack/api-types';

/** Qualities of a volume that can be changed later. Source: https://kubernetes.io/docs/concepts/storage/volume-attributes-classes/ */
export interface VolumeAttributesClass extends KubeObject {
  driverName: string;
  parameters?: Record<string, string>;
}

export const volumeAttributesClasses: Resource<VolumeAttributesClass> = {
  group: 'storage.k8s.io',
  version: 'v1',
  plural: 'volumeattributesclasses',
  kind: 'VolumeAttributesClass',
  namespaced: false,
};

/** How much room there is for a class at one place; the scheduler looks at it. Source: https://kubernetes.io/docs/concepts/storage/storage-capacity/ */
export interface CsiStorageCapacity extends KubeObject {
  /** Absent: reachable from no node; empty: from all. */
  nodeTopology?: LabelSelector;
  storageClassName: string;
  capacity?: string;
  maximumVolumeSize?: string;
}

export const csiStorageCapacities: Resource<CsiStorageCapacity> = {
  group: 'storage.k8s.io',
  version: 'v1',
  plural: 'csistoragecapacities',
  kind: 'CSIStorageCapacity',
  namespaced: true,
};
