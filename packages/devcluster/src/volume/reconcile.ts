// Observes a volume with its claim, and writes its phase.
import { Annotation, persistentVolumeClaims, persistentVolumes, type PersistentVolumeClaim } from '@snapshot-stack/api-types';
import { claimKeyOf, patchSeen, refOf, type Context } from '../context.ts';
import type { VolumeAction, VolumeSeen } from './decide.ts';

export async function observeVolume(name: string, context: Context, signal: AbortSignal): Promise<VolumeSeen> {
  const volume = context.caches.volumes.get(name);
  const key = volume && claimKeyOf(volume);
  if (volume === undefined || key === undefined) return { volume, claim: undefined };
  const known = context.caches.claims.get(key);
  const isTheOne = known !== undefined && known.metadata.uid === volume.spec.claimRef?.uid;
  return { volume, claim: isTheOne ? known : await readClaim(key, context, signal) };
}

// Released is for good, and the cache may lag behind a claim that was made a moment ago.
async function readClaim(key: string, { client }: Context, signal: AbortSignal): Promise<PersistentVolumeClaim | undefined> {
  return await client.find(persistentVolumeClaims, refOf(key), { signal });
}

export async function performOnVolume(action: VolumeAction, context: Context, signal: AbortSignal): Promise<void> {
  const { volumes } = context.caches;
  switch (action.kind) {
    case 'setPhase':
      return await patchSeen(context, persistentVolumes, volumes, action.volume, { status: { phase: action.phase } }, { subresource: 'status', signal });
    case 'unreserve': {
      const body = { spec: { claimRef: null }, metadata: { annotations: { [Annotation.boundByController]: null } } };
      return await patchSeen(context, persistentVolumes, volumes, action.volume, body, { signal });
    }
  }
}
