// Objects for tests: sound by default, with what a test is about given by name.
import type { PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from '@snapshot-stack/api-types';

export function aClaim(spec: Partial<PersistentVolumeClaim['spec']> = {}, rest: Partial<PersistentVolumeClaim> = {}): PersistentVolumeClaim {
  const { metadata, ...others } = rest;
  return {
    metadata: { name: 'c', namespace: 'n', uid: 'claim-1', resourceVersion: '1', ...metadata },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, storageClassName: 'fast', ...spec },
    ...others,
  };
}

export function aVolume(spec: Partial<PersistentVolume['spec']> = {}, rest: Partial<PersistentVolume> = {}): PersistentVolume {
  const { metadata, ...others } = rest;
  return {
    metadata: { name: 'v', uid: 'volume-1', resourceVersion: '1', ...metadata },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      storageClassName: 'fast',
      csi: { driver: 'd.example.dev', volumeHandle: 'handle-1' },
      ...spec,
    },
    ...others,
  };
}

/** The claimRef that binds a volume to a claim. */
export function refTo(claim: PersistentVolumeClaim): NonNullable<PersistentVolume['spec']['claimRef']> {
  const { name = '', namespace = '', uid = '' } = claim.metadata;
  return { kind: 'PersistentVolumeClaim', name, namespace, uid };
}

export function aClass(rest: Partial<StorageClass> = {}): StorageClass {
  return { metadata: { name: 'fast' }, provisioner: 'd.example.dev', ...rest };
}

export function aPod(rest: { metadata?: Pod['metadata']; spec?: Partial<Pod['spec']>; status?: NonNullable<Pod['status']> } = {}): Pod {
  return {
    metadata: { name: 'p', namespace: 'n', uid: 'pod-1', ...rest.metadata },
    spec: { containers: [{ name: 'main' }], volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'c' } }], ...rest.spec },
    ...(rest.status && { status: rest.status }),
  };
}
