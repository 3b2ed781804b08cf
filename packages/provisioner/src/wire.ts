// The only place that constructs the provisioner's collaborators, and the one that says what wakes what.
import {
  Finalizer,
  hasFinalizer,
  keyOf,
  persistentVolumeClaims,
  volumeSnapshots,
  type PersistentVolumeClaim,
  type VolumeSnapshot,
} from '@snapshot-stack/api-types';
import {
  Controller,
  WorkQueue,
  createEventRecorder,
  done,
  every,
  type Client,
  type Clock,
  type Log,
  type Metrics,
  type Random,
  type Result,
} from '@snapshot-stack/runtime';
import { createCapacity } from './capacity/wire.ts';
import { Bids } from './claim/bids.ts';
import { decideClaim } from './claim/decide.ts';
import { executeClaim } from './claim/execute.ts';
import { observeClaim } from './claim/observe.ts';
import { createCluster, informersOf, lateInformersOf, type Cluster } from './cluster.ts';
import type { Driver } from './driver.ts';
import { removeFinalizer } from './finalizers.ts';
import type { Hands } from './hands.ts';
import { decideHold } from './hold/decide.ts';
import { provisionerMetrics } from './metrics.ts';
import type { ProvisionerOptions } from './options.ts';
import { connectTriggers, type Queues } from './triggers.ts';
import { decideVolume } from './volume/decide.ts';
import { executeVolume } from './volume/execute.ts';

export interface ProvisionerParts {
  client: Client;
  driver: Driver;
  options: ProvisionerOptions;
  clock: Clock;
  random: Random;
  log: Log;
  metrics: Metrics;
  host: string;
}

export interface Provisioner {
  /** Runs until the signal aborts; resolves when all work in hand has ended. Once only. */
  run(signal: AbortSignal): Promise<void>;
  /** True once the caches equal the cluster and work is being done. */
  readonly ready: boolean;
  readonly cluster: Cluster;
}

const EVENTS_FLUSH_MS = 2_000;
// Where the CRDs of snapshots or grants are not installed, all else goes on after this; they are noticed when they come.
const LATE_PATIENCE_MS = 5_000;

async function reconcileHold(key: string, { cluster, client }: Hands, signal: AbortSignal): Promise<Result> {
  const [kind, object = ''] = key.split(/:(.*)/s);
  const ofSnapshot = kind === 'snapshot';
  const plan = decideHold({
    object: ofSnapshot ? cluster.snapshots?.cache.get(object) : cluster.claims.cache.get(object),
    finalizer: ofSnapshot ? Finalizer.snapshotBeingRestored : Finalizer.claimBeingCloned,
    waiting: cluster.claims.cache.byIndex(ofSnapshot ? 'restoring' : 'cloning', object),
  });
  if (plan.kind === 'settled') return done;
  if (ofSnapshot) cluster.snapshots?.cache.remember(await removeFinalizer(client, volumeSnapshots, plan.object as VolumeSnapshot, plan.finalizer, signal));
  else cluster.claims.cache.remember(await removeFinalizer(client, persistentVolumeClaims, plan.object as PersistentVolumeClaim, plan.finalizer, signal));
  return done;
}

export function createProvisioner(parts: ProvisionerParts): Provisioner {
  const { client, driver, options, clock, random, log, metrics, host } = parts;
  const { parsed } = options;
  const interests = {
    snapshots: driver.abilities.snapshots,
    attachments: driver.abilities.attach,
    topology: driver.abilities.topology,
    grants: options.crossNamespace,
    attributesClasses: driver.abilities.modify && options.attributesClasses,
  };
  const cluster = createCluster({ client, clock, random, log, interests });
  const queueOf = (name: string): WorkQueue =>
    new WorkQueue({ name, clock, random, metrics, startMs: parsed['retry-interval-start'], maxMs: parsed['retry-interval-max'] });
  const queues: Queues = { claims: queueOf('claims'), volumes: queueOf('volumes'), holds: queueOf('holds') };
  connectTriggers(cluster, queues, driver.name);
  const identity = `${clock.now()}-${Math.floor(random() * 10_000)}-${driver.name}${options.node === undefined ? '' : `-${options.node}`}`;
  const events = createEventRecorder({ client, component: `${driver.name}_${host}`, clock, log });
  const bids = new Bids({ baseMs: parsed['node-deployment-base-delay'], maxMs: parsed['node-deployment-max-delay'], clock, random });
  const hands: Hands = { bids, client, cluster, driver, events, clock, log, metrics: provisionerMetrics(metrics, clock), options, identity };
  const controllers = [
    new Controller({
      name: 'claim',
      queue: queues.claims,
      workers: parsed['worker-threads'],
      log,
      reconcile: async (key, signal) => {
        const seen = await observeClaim(key, hands, signal);
        const plan = decideClaim(seen);
        log.debug('decided', { key, plan: plan.kind, ...('why' in plan ? { why: plan.why } : {}) });
        if (plan.kind !== 'own') bids.forget(key);
        return executeClaim(plan, hands, seen.claim, signal);
      },
    }),
    new Controller({
      name: 'volume',
      queue: queues.volumes,
      workers: parsed['worker-threads'],
      log,
      reconcile: (key, signal) => {
        const plan = decideVolume({
          volume: cluster.volumes.cache.get(key),
          driver: driver.name,
          attachments: cluster.attachments?.cache.byIndex('byVolume', key) ?? [],
          place: options.node === undefined ? undefined : driver.place,
        });
        log.debug('decided', { key, plan: plan.kind, ...('why' in plan ? { why: plan.why } : {}) });
        return executeVolume(plan, hands, signal);
      },
    }),
    new Controller({
      name: 'hold',
      queue: queues.holds,
      workers: Math.max(1, parsed['cloning-protection-threads']),
      log,
      reconcile: (key, signal) => reconcileHold(key, hands, signal),
    }),
  ];
  const capacity = options.capacity === undefined ? undefined : createCapacity({ ...parts, cluster, capacity: options.capacity });
  let ready = false;
  return {
    cluster,
    get ready() {
      return ready;
    },
    run: async (signal) => {
      const informers = informersOf(cluster);
      const watching = informers.map((informer) => informer.run(signal));
      const late = lateInformersOf(cluster);
      try {
        await Promise.all(informers.filter((informer) => !late.includes(informer)).map((informer) => informer.synced(signal)));
        const others = Promise.all(late.map((informer) => informer.synced(signal)));
        others.catch(() => {});
        await Promise.race([others, clock.sleep(LATE_PATIENCE_MS, signal)]);
        if (cluster.snapshots?.hasSynced === false)
          log.warn('VolumeSnapshots cannot be watched; claims from snapshots wait until they can', { error: cluster.snapshots.lastError });
      } catch (error) {
        if (!signal.aborted) throw error;
        await Promise.all(watching);
        return;
      }
      log.info('caches are in sync', { claims: cluster.claims.cache.size, volumes: cluster.volumes.cache.size });
      ready = true;
      const sweeping = every(parsed['snapshot-orphan-sweep-interval'], clock, signal, () => {
        for (const snapshot of cluster.snapshots?.cache.list() ?? [])
          if (hasFinalizer(snapshot, Finalizer.snapshotBeingRestored)) queues.holds.add(`snapshot:${keyOf(snapshot)}`);
      });
      await Promise.all([...controllers.map((controller) => controller.run(signal)), ...watching, sweeping, capacity?.run(signal)]);
      ready = false;
      await events.flush(EVENTS_FLUSH_MS);
    },
  };
}
