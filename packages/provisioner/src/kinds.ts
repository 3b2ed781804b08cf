// Built-in kinds that only the provisioner deals with.
import type { KubeObject, Resource } from '@snapshot-stack/api-types';

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
