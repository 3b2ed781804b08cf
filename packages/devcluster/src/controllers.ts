// Every controller of the dev cluster: its queue, its three steps, how many keys it works on at once.
import { Controller, type Log } from '@snapshot-stack/runtime';
import { decideAttachment } from './attachment/decide.ts';
import { observeAttachment, performOnAttachment } from './attachment/reconcile.ts';
import { decideClaim } from './claim/decide.ts';
import { observeClaim, performOnClaim } from './claim/reconcile.ts';
import { decideCollection } from './collector/decide.ts';
import type { ObjectGraph } from './collector/graph.ts';
import { observeOwnership, performCollection } from './collector/reconcile.ts';
import type { Context } from './context.ts';
import { decideExpansion } from './expansion/decide.ts';
import { observeExpansion, performExpansion } from './expansion/reconcile.ts';
import { decideNamespace } from './namespace/decide.ts';
import { observeNamespace, performOnNamespace } from './namespace/reconcile.ts';
import { decidePod } from './pod/decide.ts';
import type { Mounter } from './pod/mount.ts';
import { observePod, performOnPod } from './pod/reconcile.ts';
import { planForClaim, planForVolume, protectClaimObject, protectVolumeObject } from './protection/reconcile.ts';
import { reconciler, type Steps } from './reconciler.ts';
import { decideScheduling } from './scheduler/decide.ts';
import { PodBinder } from './scheduler/pod-binder.ts';
import { observeScheduling, performScheduling } from './scheduler/reconcile.ts';
import { decideVolume } from './volume/decide.ts';
import { observeVolume, performOnVolume } from './volume/reconcile.ts';
import type { Queues } from './wake.ts';

const WORKERS = 4;
/** How soon a namespace is looked at again while things in it are on their way out. */
const NAMESPACE_AGAIN_MS = 200;

/** A further node has only those of a node: what concerns the whole cluster is done by the first. */
export function makeControllers(context: Context, queues: Queues, mounter: Mounter, graph: ObjectGraph | undefined): Controller[] {
  if (graph === undefined) return nodeControllers(context, queues, mounter);
  return [...storageControllers(context, queues), ...nodeControllers(context, queues, mounter), ...cleaners(context, queues, graph)];
}

function storageControllers(context: Context, queues: Queues): Controller[] {
  return [
    controller(context.log, queues, 'claims', {
      observe: (key) => observeClaim(key, context),
      decide: decideClaim,
      perform: (action, signal) => performOnClaim(action, context, signal),
    }),
    controller(context.log, queues, 'volumes', {
      observe: (key, signal) => observeVolume(key, context, signal),
      decide: decideVolume,
      perform: (action, signal) => performOnVolume(action, context, signal),
    }),
    controller(context.log, queues, 'claimProtection', {
      observe: (key, signal) => planForClaim(key, context, signal),
      decide: (plan) => plan,
      perform: (action, signal) => protectClaimObject(action, context, signal),
    }),
    controller(context.log, queues, 'volumeProtection', {
      observe: (key) => planForVolume(key, context),
      decide: (plan) => plan,
      perform: (action, signal) => protectVolumeObject(action, context, signal),
    }),
  ];
}

function nodeControllers(context: Context, queues: Queues, mounter: Mounter): Controller[] {
  const binder = new PodBinder();
  return [
    controller(context.log, queues, 'scheduling', {
      observe: (key) => observeScheduling(key, context),
      decide: decideScheduling,
      perform: (action, signal) => performScheduling(action, context, binder, signal),
    }),
    controller(context.log, queues, 'pods', {
      observe: (key) => observePod(key, context, mounter),
      decide: decidePod,
      perform: async (action, signal) => {
        await performOnPod(action, context, mounter, signal);
        // Mounting moves nothing in the API; these two wait for it.
        for (const attachment of context.caches.attachments.list()) queues.attachments.add(attachment.metadata.name ?? '');
        for (const claim of claimsTouched(action)) queues.expansion.add(claim);
      },
      againMs: 0,
    }),
    controller(context.log, queues, 'attachments', {
      observe: (key) => observeAttachment(key, context),
      decide: decideAttachment,
      perform: (action, signal) => performOnAttachment(action, context, signal),
    }),
    controller(context.log, queues, 'expansion', {
      observe: (key) => observeExpansion(key, context),
      decide: decideExpansion,
      perform: (action, signal) => performExpansion(action, context, signal),
    }),
  ];
}

function claimsTouched(action: Parameters<typeof performOnPod>[0]): string[] {
  if (action.kind !== 'mount') return [];
  const { namespace, name } = action.mounting.claim.metadata;
  return [`${namespace}/${name}`];
}

function cleaners(context: Context, queues: Queues, graph: ObjectGraph): Controller[] {
  const { client, log } = context;
  return [
    controller(log, queues, 'namespaces', {
      observe: (key, signal) => observeNamespace(key, context, signal),
      decide: decideNamespace,
      perform: (action, signal) => performOnNamespace(action, context, signal),
      againMs: NAMESPACE_AGAIN_MS,
    }),
    controller(log, queues, 'garbage', {
      observe: (uid, signal) => observeOwnership(uid, graph, client, signal),
      decide: decideCollection,
      perform: (action, signal) => performCollection(action, graph, client, signal),
    }),
  ];
}

function controller<Seen, Action extends { readonly kind: string }>(log: Log, queues: Queues, name: keyof Queues, steps: Steps<Seen, Action>): Controller {
  return new Controller({ name, queue: queues[name], workers: WORKERS, reconcile: reconciler(steps, log.with({ controller: name })), log });
}
