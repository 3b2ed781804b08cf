// The collaborators that the controllers of this package share; wire.ts constructs them, once.
import type {
  CsiDriver,
  KubeObject,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  Resource,
  StorageClass,
  VolumeAttachment,
} from '@snapshot-stack/api-types';
import { guarded, type Cache, type Client, type Clock, type Log, type Random } from '@snapshot-stack/runtime';
import type { Drivers } from './node/drivers.ts';
import type { Journal } from './node/journal.ts';
import type { Paths } from './node/paths.ts';

export interface Caches {
  readonly claims: Cache<PersistentVolumeClaim>;
  readonly volumes: Cache<PersistentVolume>;
  readonly classes: Cache<StorageClass>;
  readonly pods: Cache<Pod>;
  readonly nodes: Cache<Node>;
  readonly csiDrivers: Cache<CsiDriver>;
  readonly attachments: Cache<VolumeAttachment>;
  readonly namespaces: Cache<Namespace>;
}

/** Says something about an object as an event that `kubectl describe` shows. */
export type Report = (resource: Resource, object: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string) => void;

export interface Context {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly nodeName: string;
  readonly paths: Paths;
  readonly journal: Journal;
  readonly drivers: Drivers;
  readonly caches: Caches;
  readonly report: { readonly binder: Report; readonly scheduler: Report; readonly kubelet: Report };
}

/** Names of the indexes that the informers keep. */
export const Index = {
  /** Pods by `namespace/name` of the claims they use; volumes by that of the claim they are for. */
  claim: 'claim',
  uid: 'uid',
} as const;

export function claimKeysOf(pod: Pod): string[] {
  const names = (pod.spec.volumes ?? []).map((volume) => volume.persistentVolumeClaim?.claimName).filter((name) => name !== undefined);
  return [...new Set(names)].map((name) => `${pod.metadata.namespace}/${name}`);
}

/** The claim that a volume is for, as a key. */
export function claimKeyOf(volume: PersistentVolume): string | undefined {
  const ref = volume.spec.claimRef;
  return ref?.name === undefined ? undefined : `${ref.namespace}/${ref.name}`;
}

/** The members of a merge patch; null removes one. */
export interface PatchBody {
  metadata?: object;
  spec?: object;
  status?: object;
}

/** Patches an object that must still be as it was seen, and puts the answer into the cache, for the next pass to read. */
export async function patchSeen<T extends KubeObject>(
  context: Pick<Context, 'client'>,
  resource: Resource<T>,
  cache: Cache<T> | undefined,
  object: KubeObject,
  body: PatchBody,
  options: { subresource?: 'status'; signal?: AbortSignal } = {},
): Promise<void> {
  const { namespace, name = '' } = object.metadata;
  const patched = await context.client.patch(resource, { name, ...(namespace !== undefined && { namespace }) }, guarded(object, body), options);
  // A patch that takes the last finalizer of a deleted object is answered with the object, which is gone.
  const gone = patched.metadata.deletionTimestamp !== undefined && (patched.metadata.finalizers ?? []).length === 0;
  if (!gone) cache?.remember(patched);
}

/** namespace and name from a key; undefined namespace for cluster-scoped objects. */
export function refOf(key: string): { name: string; namespace?: string } {
  const [first = '', second] = key.split('/');
  return second === undefined ? { name: first } : { namespace: first, name: second };
}
