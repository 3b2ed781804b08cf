// The only place that constructs collaborators, and their order at the start.
import { mkdir, realpath } from 'node:fs/promises';
import { createEventRecorder, systemClock, type Client, type Clock, type Log, type Random } from '@snapshot-stack/runtime';
import { discover } from './collector/discovery.ts';
import { ObjectGraph } from './collector/graph.ts';
import type { Context } from './context.ts';
import { makeControllers } from './controllers.ts';
import { cachesOf, makeInformers, type Informers } from './informers.ts';
import { Drivers } from './node/drivers.ts';
import { Journal } from './node/journal.ts';
import { pathsBelow } from './node/paths.ts';
import { registerNode } from './node/register.ts';
import { Mounter } from './pod/mount.ts';
import { makeQueues, wakeForDriver, wakeOnEvents, type Queues } from './wake.ts';

export interface DevClusterOptions {
  readonly client: Client;
  readonly log: Log;
  readonly nodeName: string;
  /** Directory for pods' volumes; made when it is not there. */
  readonly root: string;
  /** Sockets of the CSI drivers on this node. */
  readonly csiEndpoints: readonly string[];
  /** This is a further node of a cluster whose claims, volumes and garbage another process looks after. */
  readonly nodeOnly?: boolean;
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  readonly random?: Random;
}

export interface DevCluster {
  /** Resolves when all caches are filled and the node is registered; drivers may come later. */
  readonly ready: Promise<void>;
  /** Resolves when, after the signal, all work has ended. What is mounted stays mounted; the next start takes it over. */
  readonly stopped: Promise<void>;
}

/** Starts everything in this process. @throws when the root directory cannot be made */
export async function startDevCluster(options: DevClusterOptions): Promise<DevCluster> {
  const { client, log, signal } = options;
  const clock = options.clock ?? systemClock;
  const random = options.random ?? Math.random;
  await mkdir(options.root, { recursive: true });

  const informers = makeInformers({ client, clock, random, log });
  const queues = makeQueues(clock, random);
  // The kernel lists mounts by their real paths.
  const context = makeContext(options, informers, clock, random, await realpath(options.root));
  const graph = options.nodeOnly === true ? undefined : new ObjectGraph({ client, clock, random, log, touch: (uid) => queues.garbage.add(uid) });
  const controllers = makeControllers(context, queues, new Mounter(context), graph);

  wakeOnEvents(informers, queues, context);
  const followResources = graph === undefined ? () => Promise.resolve() : resourceFollower(context, graph, informers, signal);
  const watching = Object.values(informers).map((informer) => informer.run(signal));
  const ready = prepare(context, informers, queues, signal).then(followResources);
  // Workers start with full caches: half a cache looks like objects that are gone.
  const working = ready.then(() => Promise.all([context.drivers.run(signal), ...controllers.map((controller) => controller.run(signal))]));
  return { ready, stopped: Promise.allSettled([...watching, working]).then(() => {}) };
}

function makeContext({ client, log, nodeName, csiEndpoints }: DevClusterOptions, informers: Informers, clock: Clock, random: Random, root: string): Context {
  const paths = pathsBelow(root);
  const recorder = (component: string) => {
    const events = createEventRecorder({ client, component, clock, log });
    return events.record.bind(events);
  };
  return {
    client,
    clock,
    random,
    log,
    nodeName,
    paths,
    journal: new Journal(paths),
    drivers: new Drivers({ endpoints: csiEndpoints, clock, log }),
    caches: cachesOf(informers),
    report: { binder: recorder('persistentvolume-controller'), scheduler: recorder('default-scheduler'), kubelet: recorder('kubelet') },
  };
}

async function prepare(context: Context, informers: Informers, queues: Queues, signal: AbortSignal): Promise<void> {
  await Promise.all(Object.values(informers).map((informer) => informer.synced(signal)));
  await registerNode(context, signal);
  context.drivers.onRegistered((driver) => {
    void Promise.all([registerNode(context, signal), wakeForDriver(queues, context)]).catch((error: unknown) => {
      if (!signal.aborted) context.log.error('cannot take up a driver that registered', { driver: driver.name, error });
    });
  });
  // Pods that went while this process was away are known by the journal only.
  for (const { podUid } of await context.journal.all()) queues.pods.add(podUid);
}

/** Asks which resources there are, now and whenever a CRD changes; one question after the other. */
function resourceFollower({ client, log }: Context, graph: ObjectGraph, { definitions }: Informers, signal: AbortSignal): () => Promise<void> {
  let current: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  // However many changes come while a question is open, one more question follows it.
  const follow = (): Promise<void> => {
    next ??= current
      .catch(() => {})
      .then(async () => {
        current = next ?? current;
        next = undefined;
        await graph.follow(await discover(client, signal), signal);
      });
    return next;
  };
  const followLater = () => {
    if (!definitions.hasSynced) return;
    void follow().catch((error: unknown) => {
      if (!signal.aborted) log.warn('cannot ask which resources there are; garbage of new kinds stays until the next change of a CRD', { error });
    });
  };
  definitions.on({ added: followLater, updated: followLater, deleted: followLater });
  return follow;
}
