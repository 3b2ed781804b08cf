// Adds and removes the protecting finalizers of claims and volumes.
import { persistentVolumeClaims, persistentVolumes, pods, type KubeObject, type Resource } from '@snapshot-stack/api-types';
import type { Cache } from '@snapshot-stack/runtime';
import { claimKeysOf, Index, patchSeen, refOf, type Context } from '../context.ts';
import type { Plan } from '../plan.ts';
import { protectClaim, protectVolume, type ProtectionAction } from './decide.ts';

/** A claim that is about to be let go is checked against the API server's pods, as a pod may be newer than the cache. */
export async function planForClaim(key: string, context: Context, signal: AbortSignal): Promise<Plan<ProtectionAction>> {
  const claim = context.caches.claims.get(key);
  const cached = context.caches.pods.byIndex(Index.claim, key).some((pod) => Boolean(pod.spec.nodeName));
  const plan = protectClaim(claim, cached);
  const releases = plan.kind === 'act' && plan.actions.some(({ kind }) => kind === 'release');
  return releases ? protectClaim(claim, await isUsedByAnyPod(key, context, signal)) : plan;
}

async function isUsedByAnyPod(key: string, { client }: Context, signal: AbortSignal): Promise<boolean> {
  const { items } = await client.list(pods, { namespace: refOf(key).namespace, signal });
  return items.some((pod) => Boolean(pod.spec.nodeName) && claimKeysOf(pod).includes(key));
}

export function planForVolume(name: string, { caches }: Context): Plan<ProtectionAction> {
  return protectVolume(caches.volumes.get(name));
}

export async function protectClaimObject(action: ProtectionAction, context: Context, signal: AbortSignal): Promise<void> {
  await write(action, context, persistentVolumeClaims, context.caches.claims, signal);
}

export async function protectVolumeObject(action: ProtectionAction, context: Context, signal: AbortSignal): Promise<void> {
  await write(action, context, persistentVolumes, context.caches.volumes, signal);
}

async function write<T extends KubeObject>(
  { kind, object, finalizer }: ProtectionAction,
  context: Context,
  resource: Resource<T>,
  cache: Cache<T>,
  signal: AbortSignal,
): Promise<void> {
  const others = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer);
  const finalizers = kind === 'hold' ? [...others, finalizer] : others;
  await patchSeen(context, resource, cache, object, { metadata: { finalizers } }, { signal });
}
