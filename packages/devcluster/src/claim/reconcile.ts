// Observes a claim with all that might be bound to it, and carries out what was decided.
import {
  Annotation,
  annotationOf,
  persistentVolumeClaims,
  persistentVolumes,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
} from '@snapshot-stack/api-types';
import { Index, patchSeen, type Context, type PatchBody } from '../context.ts';
import type { ClaimAction, ClaimSeen } from './decide.ts';

export function observeClaim(key: string, { caches }: Context): ClaimSeen {
  const claim = caches.claims.get(key);
  const node = claim && annotationOf(claim, Annotation.selectedNode);
  return {
    claim,
    volume: claim?.spec.volumeName ? caches.volumes.get(claim.spec.volumeName) : undefined,
    volumes: caches.volumes.list(),
    storageClass: claim?.spec.storageClassName ? caches.classes.get(claim.spec.storageClassName) : undefined,
    defaultClass: defaultClass(caches.classes.list()),
    waitingPod: caches.pods.byIndex(Index.claim, key).find((pod) => !pod.spec.nodeName)?.metadata.name,
    nodeLabels: node === undefined ? undefined : caches.nodes.get(node)?.metadata.labels,
  };
}

// Of several defaults the newest counts, then the first by name, as in Kubernetes.
function defaultClass(classes: readonly StorageClass[]): StorageClass | undefined {
  const order = (a: StorageClass, b: StorageClass) =>
    (b.metadata.creationTimestamp ?? '').localeCompare(a.metadata.creationTimestamp ?? '') || (a.metadata.name ?? '').localeCompare(b.metadata.name ?? '');
  return classes.filter((candidate) => annotationOf(candidate, Annotation.isDefaultStorageClass) === 'true').toSorted(order)[0];
}

export async function performOnClaim(action: ClaimAction, context: Context, signal: AbortSignal): Promise<void> {
  const { claim } = action;
  const patch = (body: PatchBody, subresource?: 'status') =>
    patchSeen(context, persistentVolumeClaims, context.caches.claims, claim, body, { signal, ...(subresource && { subresource }) });
  switch (action.kind) {
    case 'setClass':
      return await patch({ spec: { storageClassName: action.className } });
    case 'reserveVolume':
      return await reserve(action.volume, claim, context, signal);
    case 'bindClaim':
      return await patch({ spec: { volumeName: action.volume.metadata.name }, metadata: { annotations: bindAnnotations(claim) } });
    case 'setBound':
      return await patch({ status: { phase: 'Bound', accessModes: action.volume.spec.accessModes, capacity: action.volume.spec.capacity } }, 'status');
    case 'setLost':
      return await patch({ status: { phase: 'Lost' } }, 'status');
    case 'askProvisioner': {
      const annotations = { [Annotation.storageProvisioner]: action.provisioner, [Annotation.storageProvisionerBeta]: action.provisioner };
      return await patch({ metadata: { annotations } });
    }
    case 'report':
      return context.report.binder(persistentVolumeClaims, claim, action.type, action.reason, action.message);
  }
}

/** The annotation tells that the binder wrote the reference, so that the binder may take it back. */
async function reserve(volume: PersistentVolume, claim: PersistentVolumeClaim, context: Context, signal: AbortSignal): Promise<void> {
  const { namespace, name, uid, resourceVersion } = claim.metadata;
  const claimRef = { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid, resourceVersion };
  const byUs = volume.spec.claimRef === undefined ? { metadata: { annotations: { [Annotation.boundByController]: 'yes' } } } : {};
  await patchSeen(context, persistentVolumes, context.caches.volumes, volume, { spec: { claimRef }, ...byUs }, { signal });
}

function bindAnnotations(claim: PersistentVolumeClaim): Record<string, string> {
  const byUs = claim.spec.volumeName ? {} : { [Annotation.boundByController]: 'yes' };
  return { [Annotation.bindCompleted]: 'yes', ...byUs };
}
