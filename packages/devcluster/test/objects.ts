// What users and administrators create, for the integration tests.
import type { PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '@snapshot-stack/api-types';
import { DRIVER } from './directory-driver.ts';

export function newClass(name: string, rest: Partial<StorageClass> = {}): StorageClass {
  return { metadata: { name }, provisioner: DRIVER, reclaimPolicy: 'Retain', volumeBindingMode: 'Immediate', allowVolumeExpansion: true, ...rest };
}

export function newClaim(namespace: string, name: string, spec: Partial<PersistentVolumeClaim['spec']> = {}): PersistentVolumeClaim {
  const resources = { requests: { storage: '1Gi' } };
  return { metadata: { namespace, name }, spec: { accessModes: ['ReadWriteOnce'], resources, ...spec } };
}

export function newVolume(name: string, spec: Partial<PersistentVolume['spec']> = {}): PersistentVolume {
  return {
    metadata: { name },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      persistentVolumeReclaimPolicy: 'Retain',
      csi: { driver: DRIVER, volumeHandle: `handle-of-${name}`, volumeAttributes: { color: 'blue' } },
      ...spec,
    },
  };
}

export function newPod(namespace: string, name: string, ...claims: string[]): Pod {
  return {
    metadata: { namespace, name },
    spec: {
      containers: [{ name: 'main', image: 'example.dev/none' }],
      volumes: claims.map((claimName) => ({ name: claimName, persistentVolumeClaim: { claimName } })),
    },
  };
}
