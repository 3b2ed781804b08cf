// The only place that constructs the controller's collaborators.
import { Controller, WorkQueue, createEventRecorder, done, every, type Client, type Clock, type Log, type Metrics, type Random } from '@snapshot-stack/runtime';
import { BoundedSet } from './bounded-set.ts';
import { ClaimProtection } from './claim/execute.ts';
import { createCluster, informersOf, type Cluster } from './cluster.ts';
import { decideContent } from './content/decide.ts';
import { executeContent } from './content/execute.ts';
import { observeContent } from './content/observe.ts';
import { Operations } from './operations.ts';
import { reconcileSnapshot } from './snapshot/reconcile.ts';
import { connectTriggers, resync, type Queues } from './triggers.ts';

export interface SnapshotControllerOptions {
  client: Client;
  clock: Clock;
  random: Random;
  log: Log;
  metrics: Metrics;
  /** Snapshots, contents and claims each are worked on by so many workers. */
  workers: number;
  retryStartMs: number;
  retryMaxMs: number;
  resyncMs: number;
  /** Label contents with the node whose sidecar handles them. */
  distributed: boolean;
  /** Record the source's volume mode in contents. */
  recordVolumeMode: boolean;
}

export interface SnapshotController {
  /** Runs until the signal aborts; resolves when all work in hand has ended. Once only. */
  run(signal: AbortSignal): Promise<void>;
  /** True once the caches equal the cluster and work is being done. */
  readonly ready: boolean;
  readonly cluster: Cluster;
  readonly queues: Queues;
}

const COMPONENT = 'snapshot-controller';
const EVENTS_FLUSH_MS = 2_000;

export function createSnapshotController(options: SnapshotControllerOptions): SnapshotController {
  const { client, clock, random, log, metrics } = options;
  const cluster = createCluster({ client, clock, random, log, watchNodes: options.distributed });
  const queueOf = (kind: string): WorkQueue =>
    new WorkQueue({ name: `${COMPONENT}-${kind}`, clock, random, metrics, startMs: options.retryStartMs, maxMs: options.retryMaxMs });
  const queues: Queues = { snapshots: queueOf('snapshot'), contents: queueOf('content'), claims: queueOf('claim') };
  const operations = new Operations(metrics, clock);
  connectTriggers(cluster, queues, operations);
  const events = createEventRecorder({ client, component: COMPONENT, clock, log });
  const claims = new ClaimProtection(client, cluster);
  const told = new BoundedSet();
  const snapshotParts = {
    client,
    cluster,
    claims,
    events,
    clock,
    log,
    operations,
    recordVolumeMode: options.recordVolumeMode,
    failures: (key: string) => queues.snapshots.failures(key),
  };
  const controllers = [
    new Controller({
      name: 'snapshot',
      queue: queues.snapshots,
      workers: options.workers,
      log,
      reconcile: (key, signal) => reconcileSnapshot(key, snapshotParts, signal),
    }),
    new Controller({
      name: 'content',
      queue: queues.contents,
      workers: options.workers,
      log,
      reconcile: async (key, signal) => {
        const plan = decideContent(await observeContent(key, cluster, client, signal));
        await executeContent(plan, { client, cluster, events, told }, signal);
        return done;
      },
    }),
    new Controller({
      name: 'claim',
      queue: queues.claims,
      workers: options.workers,
      log,
      reconcile: async (key, signal) => {
        const why = await claims.releaseIfUnneeded(key, signal);
        log.debug('claim looked at', { key, why });
        return done;
      },
    }),
  ];
  let ready = false;
  return {
    cluster,
    queues,
    get ready() {
      return ready;
    },
    run: async (signal) => {
      const start = clock.now();
      const watching = informersOf(cluster).map((informer) => informer.run(signal));
      try {
        await Promise.all(informersOf(cluster).map((informer) => informer.synced(signal)));
      } catch (error) {
        if (!signal.aborted) throw error;
        await Promise.all(watching);
        return;
      }
      log.info('caches are in sync', { inMs: clock.now() - start, snapshots: cluster.snapshots.cache.size, contents: cluster.contents.cache.size });
      ready = true;
      const resyncing = every(options.resyncMs, clock, signal, () => resync(cluster, queues));
      await Promise.all([...controllers.map((controller) => controller.run(signal)), ...watching, resyncing]);
      ready = false;
      await events.flush(EVENTS_FLUSH_MS);
    },
  };
}
