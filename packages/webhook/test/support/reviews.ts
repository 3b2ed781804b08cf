// Reviews as an API server writes them, for tests that ask the webhook without one.
import type { KubeObject } from '@snapshot-stack/api-types';

export function aSnapshot(name = 's', source: object = { persistentVolumeClaimName: 'data' }): KubeObject {
  return { apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshot', metadata: { name, namespace: 'default' }, spec: { source } } as KubeObject;
}

/** A review of a creation, or of an update where there is an old object. */
export function aReview(object: KubeObject, oldObject?: KubeObject, uid = 'u-1'): object {
  const [group = '', version = ''] = (object.apiVersion ?? '').split('/');
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid,
      kind: { group, version, kind: object.kind },
      resource: { group, version, resource: `${object.kind?.toLowerCase() ?? ''}s` },
      name: object.metadata.name,
      namespace: object.metadata.namespace,
      operation: oldObject === undefined ? 'CREATE' : 'UPDATE',
      userInfo: { username: 'jane', groups: ['system:authenticated'] },
      object,
      oldObject: oldObject ?? null,
      dryRun: false,
      options: {},
    },
  };
}
