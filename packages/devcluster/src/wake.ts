// Which event wakes which controller. Keys only: what is true is read when the key is worked on.
import { jsonEqual, keyOf, type PersistentVolume, type PersistentVolumeClaim, type Pod } from '@snapshot-stack/api-types';
import { WorkQueue, type Clock, type Informer, type Random } from '@snapshot-stack/runtime';
import type { KubeObject } from '@snapshot-stack/api-types';
import { claimKeyOf, claimKeysOf, Index, type Context } from './context.ts';
import type { Informers } from './informers.ts';

export interface Queues {
  readonly claims: WorkQueue;
  readonly volumes: WorkQueue;
  readonly claimProtection: WorkQueue;
  readonly volumeProtection: WorkQueue;
  readonly scheduling: WorkQueue;
  /** By uid. */
  readonly pods: WorkQueue;
  readonly attachments: WorkQueue;
  readonly expansion: WorkQueue;
  readonly namespaces: WorkQueue;
  /** By uid, of any object. */
  readonly garbage: WorkQueue;
}

const RETRY_START_MS = 100;
const RETRY_MAX_MS = 10_000;

export function makeQueues(clock: Clock, random: Random): Queues {
  const queue = (name: string) => new WorkQueue({ name, clock, random, startMs: RETRY_START_MS, maxMs: RETRY_MAX_MS });
  return {
    claims: queue('claims'),
    volumes: queue('volumes'),
    claimProtection: queue('claim-protection'),
    volumeProtection: queue('volume-protection'),
    scheduling: queue('scheduling'),
    pods: queue('pods'),
    attachments: queue('attachments'),
    expansion: queue('expansion'),
    namespaces: queue('namespaces'),
    garbage: queue('garbage'),
  };
}

export function wakeOnEvents(informers: Informers, queues: Queues, context: Context): void {
  const { caches } = context;
  const unboundClaims = () => caches.claims.list().filter(({ status }) => status?.phase !== 'Bound');

  on(informers.claims, (claim) => {
    const key = keyOf(claim);
    for (const queue of [queues.claims, queues.claimProtection, queues.expansion]) queue.add(key);
    for (const volume of volumesOf(claim, context)) queues.volumes.add(keyOf(volume));
    for (const pod of caches.pods.byIndex(Index.claim, key)) wakePod(pod, queues);
  });

  on(informers.volumes, (volume) => {
    queues.volumes.add(keyOf(volume));
    queues.volumeProtection.add(keyOf(volume));
    const key = claimKeyOf(volume);
    if (key === undefined) for (const claim of unboundClaims()) queues.claims.add(keyOf(claim));
    else for (const queue of [queues.claims, queues.expansion]) queue.add(key);
    for (const pod of key === undefined ? [] : caches.pods.byIndex(Index.claim, key)) wakePod(pod, queues);
    for (const attachment of caches.attachments.list()) {
      if (attachment.spec.source.persistentVolumeName === volume.metadata.name) queues.attachments.add(keyOf(attachment));
    }
  });

  on(informers.pods, (pod) => {
    wakePod(pod, queues);
    for (const key of claimKeysOf(pod)) for (const queue of [queues.claimProtection, queues.expansion, queues.claims]) queue.add(key);
    for (const attachment of caches.attachments.list()) queues.attachments.add(keyOf(attachment));
  });

  on(informers.attachments, (attachment) => {
    queues.attachments.add(keyOf(attachment));
    const volume = caches.volumes.get(attachment.spec.source.persistentVolumeName ?? '');
    const key = volume && claimKeyOf(volume);
    for (const pod of key === undefined ? [] : caches.pods.byIndex(Index.claim, key)) wakePod(pod, queues);
  });

  on(informers.classes, () => {
    for (const claim of caches.claims.list()) for (const queue of [queues.claims, queues.expansion]) queue.add(keyOf(claim));
    for (const pod of caches.pods.list()) wakePod(pod, queues);
  });
  // A driver's topology comes as labels of the node, which may be what a pod waits for. Its status changes all the time.
  const wakeWaiting = () => {
    for (const pod of caches.pods.list()) if (!pod.spec.nodeName) wakePod(pod, queues);
    for (const claim of unboundClaims()) queues.claims.add(keyOf(claim));
  };
  informers.nodes.on({
    added: wakeWaiting,
    updated: (node, old) => {
      if (!jsonEqual(node.metadata.labels ?? {}, old.metadata.labels ?? {})) wakeWaiting();
    },
  });
  on(informers.namespaces, (namespace) => queues.namespaces.add(keyOf(namespace)));
}

/** A driver has registered: all that waited for it goes on, also uses whose pods are gone and only the journal knows. */
export async function wakeForDriver(queues: Queues, { caches, journal }: Context): Promise<void> {
  for (const pod of caches.pods.list()) wakePod(pod, queues);
  for (const { podUid } of await journal.all()) queues.pods.add(podUid);
  for (const attachment of caches.attachments.list()) queues.attachments.add(keyOf(attachment));
  for (const claim of caches.claims.list()) queues.expansion.add(keyOf(claim));
}

function on<T extends KubeObject>(informer: Informer<T>, wake: (object: T) => void): void {
  informer.on({ added: wake, updated: wake, deleted: wake });
}

function wakePod(pod: Pod, queues: Queues): void {
  if (pod.spec.nodeName) queues.pods.add(pod.metadata.uid ?? '');
  else queues.scheduling.add(keyOf(pod));
}

/** The volume that a claim names, and those that are kept for it. */
function volumesOf(claim: PersistentVolumeClaim, { caches }: Context): PersistentVolume[] {
  const named = claim.spec.volumeName ? caches.volumes.get(claim.spec.volumeName) : undefined;
  return [...(named ? [named] : []), ...caches.volumes.byIndex(Index.claim, keyOf(claim))];
}
