// Node-local mode: takes a claim that is bound at once for this node, when its turn has come and there is room for it.
import { Annotation, keyOf, persistentVolumeClaims, type PersistentVolumeClaim, type StorageClass } from '@snapshot-stack/api-types';
import { CsiError } from '@snapshot-stack/csi';
import { done, guarded, type Result } from '@snapshot-stack/runtime';
import type { Hands } from '../hands.ts';
import { ParameterError, resolveParameters } from '../parameters.ts';
import { capabilitiesOf, requestedBytes } from './request.ts';

export async function own(
  { claim, storageClass, node }: { claim: PersistentVolumeClaim; storageClass: StorageClass; node: string },
  hands: Hands,
  signal: AbortSignal,
): Promise<Result> {
  const { bids, client, cluster } = hands;
  const [key, uid = ''] = [keyOf(claim), claim.metadata.uid];
  const ms = bids.waitMs(key, uid);
  if (ms > 0) return { kind: 'after', ms, why: 'another node may take the claim first' };
  if (!(await hasRoom(claim, storageClass, hands, signal))) return { kind: 'after', ms: bids.pass(key, uid), why: `node ${node} has no room for the claim` };
  const { name = '', namespace } = claim.metadata;
  // Guarded: of several nodes that write at once, one wins, and the others meet a conflict and look again.
  const patch = guarded(claim, { metadata: { annotations: { [Annotation.selectedNode]: node } } });
  cluster.claims.cache.remember(await client.patch(persistentVolumeClaims, { name, namespace }, patch, { signal }));
  return done;
}

/** Where it cannot be told, the claim is taken all the same: only who has it can tell its user what is wrong. */
async function hasRoom(claim: PersistentVolumeClaim, storageClass: StorageClass, { driver, options, log }: Hands, signal: AbortSignal): Promise<boolean> {
  if (!driver.abilities.capacity) return true;
  try {
    const parameters = resolveParameters(storageClass.parameters ?? {}, claim, '');
    const volumeCapabilities = capabilitiesOf({
      claim,
      storageClass,
      parameters,
      defaultFsType: options.parsed['default-fstype'],
      singleNodeMultiWriter: driver.abilities.singleNodeMultiWriter,
    });
    const request = { parameters: parameters.forDriver, volumeCapabilities, accessibleTopology: { segments: { ...driver.place } } };
    const { availableCapacity } = await driver.csi.controller.getCapacity(request, { timeoutMs: driver.timeoutMs, signal });
    return availableCapacity >= requestedBytes(claim);
  } catch (error) {
    if (!(error instanceof CsiError || error instanceof ParameterError)) throw error;
    log.warn('the room for a claim cannot be told; taking it all the same', { claim: keyOf(claim), error });
    return true;
  }
}
