// Gathers all that one decision about a claim needs, from the caches.
import { persistentVolumeClaims, referenceGrants, type PersistentVolumeClaim } from '@snapshot-stack/api-types';
import { KubeError } from '@snapshot-stack/runtime';
import { classNameOf, dataSourceOf, type DataSource } from '../cluster.ts';
import type { Hands } from '../hands.ts';
import { volumeNameFor, type SeenClaim } from './decide.ts';

export async function observeClaim(key: string, hands: Hands, signal: AbortSignal): Promise<SeenClaim> {
  const { cluster, driver, options } = hands;
  const { parsed } = options;
  const claim = cluster.claims.cache.get(key);
  const source = claim === undefined ? undefined : dataSourceOf(claim);
  const sourceKey = source === undefined ? '' : `${source.namespace}/${source.name}`;
  const snapshot = source?.kind === 'VolumeSnapshot' ? cluster.snapshots?.cache.get(sourceKey) : undefined;
  const sourceClaim = source?.kind === 'PersistentVolumeClaim' ? cluster.claims.cache.get(sourceKey) : undefined;
  const name = claim === undefined ? '' : volumeNameFor(claim, parsed['volume-name-prefix'], parsed['volume-name-uuid-length']);
  return {
    claim,
    storageClass: cluster.classes.cache.get(claim === undefined ? '' : (classNameOf(claim) ?? '')),
    driver: driver.name,
    abilities: driver.abilities,
    volumeName: name,
    volume: cluster.volumes.cache.get(name),
    source,
    snapshot,
    content: cluster.contents?.cache.get(snapshot?.status?.boundVolumeSnapshotContentName ?? ''),
    sourceClaim,
    sourceVolume: cluster.volumes.cache.get(sourceClaim?.spec.volumeName ?? ''),
    sourceGranted: claim !== undefined && source !== undefined && options.crossNamespace ? await isGranted(claim, source, hands, signal) : false,
    crossNamespace: options.crossNamespace,
    preventModeConversion: parsed['prevent-volume-mode-conversion'],
    node: options.node,
    labels: driver.place,
    nodeTakesImmediate: parsed['node-deployment-immediate-binding'],
    attributesClass: cluster.attributesClasses?.cache.get(claim?.spec.volumeAttributesClassName ?? ''),
    honoursAttributes: options.attributesClasses,
  };
}

/**
 * Asked of the API server, not of a cache: grants are rare, and one that was taken back must not be honoured.
 * Source: https://gateway-api.sigs.k8s.io/api-types/referencegrant/
 */
async function isGranted(claim: PersistentVolumeClaim, source: DataSource, { client }: Hands, signal: AbortSignal): Promise<boolean> {
  const { namespace = '' } = claim.metadata;
  if (source.namespace === namespace) return true;
  try {
    const { items } = await client.list(referenceGrants, { namespace: source.namespace, signal });
    return items.some(({ spec }) => {
      const from = spec.from.some((one) => one.group === '' && one.kind === persistentVolumeClaims.kind && one.namespace === namespace);
      return (
        from &&
        spec.to.some((one) => one.group === source.group && one.kind === source.kind && (one.name === undefined || one.name === '' || one.name === source.name))
      );
    });
  } catch (error) {
    if (KubeError.from(error).code === 'NotFound') return false; // the CRD is not installed: nothing is granted
    throw error;
  }
}
