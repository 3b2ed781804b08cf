// The objects that the demo applies: what a user would have in a YAML file.
import type { Namespace, PersistentVolumeClaim, Pod, StorageClass, VolumeSnapshot, VolumeSnapshotClass } from '@snapshot-stack/api-types';

export const NAMESPACE = 'demo';

export const namespace: Namespace = { metadata: { name: NAMESPACE } };

export function storageClass(driver: string): StorageClass {
  return {
    metadata: { name: 'csi-hostpath-sc', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
    provisioner: driver,
    reclaimPolicy: 'Delete',
    volumeBindingMode: 'Immediate',
    allowVolumeExpansion: true,
  };
}

export function snapshotClass(driver: string): VolumeSnapshotClass {
  return {
    metadata: { name: 'csi-hostpath-snapclass', annotations: { 'snapshot.storage.kubernetes.io/is-default-class': 'true' } },
    driver,
    deletionPolicy: 'Delete',
  };
}

export function claim(name: string, sizeMiB: number, fromSnapshot?: string): PersistentVolumeClaim {
  return {
    metadata: { name, namespace: NAMESPACE },
    spec: {
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'csi-hostpath-sc',
      resources: { requests: { storage: `${sizeMiB}Mi` } },
      ...(fromSnapshot === undefined ? {} : { dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: fromSnapshot } }),
    },
  };
}

export function podUsing(name: string, claimName: string): Pod {
  return {
    metadata: { name, namespace: NAMESPACE },
    spec: {
      containers: [{ name: 'user', image: 'none', volumeMounts: [{ name: 'data', mountPath: '/data' }] }],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
    },
  };
}

export function snapshot(name: string, claimName: string): VolumeSnapshot {
  return {
    metadata: { name, namespace: NAMESPACE },
    spec: { volumeSnapshotClassName: 'csi-hostpath-snapclass', source: { persistentVolumeClaimName: claimName } },
  };
}
