// Keeps one CSIStorageCapacity for each place and class equal to what the driver says of its room: asked again on
// every poll, and at once when classes, nodes or volumes have changed. Written only when it is news.
import {
  RESERVED_PARAMETER_PREFIX,
  formatBytes,
  isBeingDeleted,
  keyOf,
  type KubeObject,
  type OwnerReference,
  type PersistentVolume,
  type StorageClass,
} from '@snapshot-stack/api-types';
import {
  Controller,
  Informer,
  WorkQueue,
  done,
  every,
  guarded,
  isAlreadyExists,
  isNotFound,
  type Client,
  type Clock,
  type Log,
  type Metrics,
  type Random,
  type Result,
} from '@snapshot-stack/runtime';
import type { Cluster } from '../cluster.ts';
import type { Driver } from '../driver.ts';
import { csiStorageCapacities, type CsiStorageCapacity } from '../kinds.ts';
import type { CapacityOptions, ProvisionerOptions } from '../options.ts';
import { keyOfSpot, nameOf, placesOf, spotOf, spotOfKey, spotsOf, tells, type Room, type Spot } from './decide.ts';
import { ownersAt } from './owner.ts';

export interface CapacityParts {
  client: Client;
  cluster: Cluster;
  driver: Driver;
  options: ProvisionerOptions;
  capacity: CapacityOptions;
  clock: Clock;
  random: Random;
  log: Log;
  metrics: Metrics;
}

export interface CapacityWork {
  /** Runs until the signal aborts. The caches of the cluster must be filled. */
  run(signal: AbortSignal): Promise<void>;
}

/** @throws Error when the driver cannot tell its capacity */
export function createCapacity(parts: CapacityParts): CapacityWork {
  const { driver } = parts;
  if (!driver.abilities.capacity) throw new Error(`--enable-capacity needs GET_CAPACITY, which the driver ${driver.name} lacks; leave the flag out`);
  return new Capacity(parts);
}

// A burst of volumes is told of in one write per second, not in one for each volume.
const VOLUMES_PAUSE_MS = 1_000;

/** A label's value has at most 63 characters. */
function managedByOf(node: string | undefined): string {
  return node === undefined ? 'external-provisioner' : `external-provisioner-${node}`.slice(0, 63).replace(/[^A-Za-z0-9]+$/, '');
}

class Capacity implements CapacityWork {
  readonly #parts: CapacityParts;
  readonly #labels: Record<string, string>;
  readonly #managedBy: string;
  readonly #objects: Informer<CsiStorageCapacity>;
  readonly #queue: WorkQueue;
  #owners: readonly OwnerReference[] = [];
  /** The keys of the spots that there should be objects for, as of the last refresh. */
  #wanted: ReadonlySet<string> = new Set();
  #isRunning = false;

  constructor(parts: CapacityParts) {
    const { client, driver, options, capacity, clock, random, log, metrics } = parts;
    const { parsed } = options;
    this.#parts = parts;
    this.#managedBy = managedByOf(options.node);
    this.#labels = { 'csi.storage.k8s.io/drivername': driver.name, 'csi.storage.k8s.io/managed-by': this.#managedBy };
    const labelSelector = Object.entries(this.#labels)
      .map(([label, value]) => `${label}=${value}`)
      .join(',');
    this.#objects = new Informer({
      client,
      resource: csiStorageCapacities,
      namespace: capacity.namespace,
      labelSelector,
      indexers: { bySpot: (object) => [keyOfSpot(spotOf(object))] },
      clock,
      random,
      log,
    });
    this.#queue = new WorkQueue({
      name: 'csistoragecapacity',
      clock,
      random,
      metrics,
      startMs: parsed['retry-interval-start'],
      maxMs: parsed['retry-interval-max'],
    });
    this.#connect();
    this.#count(metrics);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { client, options, capacity, clock, log } = this.#parts;
    const { parsed } = options;
    const watching = this.#objects.run(signal);
    try {
      await this.#objects.synced(signal);
      this.#owners = await ownersAt(parsed['capacity-ownerref-level'], { name: capacity.podName, namespace: capacity.namespace }, client, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      return watching;
    }
    this.#isRunning = true;
    this.#refresh();
    const controller = new Controller({
      name: 'capacity',
      queue: this.#queue,
      workers: Math.max(1, parsed['capacity-threads']),
      log,
      reconcile: (key, ending) => this.#reconcile(key, ending),
    });
    await Promise.all([watching, controller.run(signal), every(parsed['capacity-poll-interval'], clock, signal, () => this.#refresh())]);
  }

  get #spots(): Spot[] {
    const { cluster, driver, options } = this.#parts;
    const everywhere: Spot['segments'][] = [{}];
    const inCluster = (): Spot['segments'][] => placesOf(driver.name, cluster.nodes?.cache.list() ?? [], cluster.csiNodes?.cache.list() ?? []);
    const known = driver.abilities.topology ? inCluster() : everywhere;
    return spotsOf({
      driver: driver.name,
      classes: cluster.classes.cache.list(),
      places: options.node === undefined ? known : [driver.place],
      forImmediate: options.parsed['capacity-for-immediate-binding'],
    });
  }

  /** Looks at all that should be there, and at all that is. */
  #refresh(): void {
    if (!this.#isRunning) return;
    this.#wanted = new Set(this.#spots.map(keyOfSpot));
    for (const key of this.#wanted) this.#queue.add(key);
    for (const object of this.#objects.cache.list()) this.#queue.add(keyOfSpot(spotOf(object)));
  }

  #connect(): void {
    const { cluster } = this.#parts;
    const refresh = (): void => this.#refresh();
    cluster.classes.on({ added: refresh, updated: refresh, deleted: refresh });
    cluster.csiNodes?.on({ added: refresh, updated: refresh, deleted: refresh });
    cluster.nodes?.on({
      added: refresh,
      updated: (node, old) => {
        if (JSON.stringify(node.metadata.labels) !== JSON.stringify(old.metadata.labels)) refresh();
      },
      deleted: refresh,
    });
    // A volume more or less changes the room of its class; of others that share its pool the next poll tells.
    const usedUp = ({ spec }: PersistentVolume): void => {
      for (const key of this.#wanted) if (spotOfKey(key).className === spec.storageClassName) this.#queue.addAfter(key, VOLUMES_PAUSE_MS);
    };
    cluster.volumes.on({ added: usedUp, deleted: usedUp });
    const changed = (object: CsiStorageCapacity): void => this.#queue.add(keyOfSpot(spotOf(object)));
    this.#objects.on({ added: changed, deleted: changed });
  }

  #count(metrics: Metrics): void {
    const there = (): string[] => this.#objects.cache.list().map((object) => keyOfSpot(spotOf(object)));
    const gauge = (name: string, help: string, collect: () => number): void => void metrics.gauge({ name: `csistoragecapacities_${name}`, help, collect });
    gauge('desired_goal', 'Number of CSIStorageCapacity objects that are supposed to be managed automatically.', () => this.#wanted.size);
    gauge(
      'desired_current',
      'Number of CSIStorageCapacity objects that exist and are supposed to be managed automatically.',
      () => new Set(there().filter((key) => this.#wanted.has(key))).size,
    );
    gauge(
      'obsolete',
      'Number of CSIStorageCapacity objects that exist and will be deleted automatically.',
      () => there().filter((key) => !this.#wanted.has(key)).length,
    );
  }

  async #reconcile(key: string, signal: AbortSignal): Promise<Result> {
    const spot = spotOfKey(key);
    const found = this.#objects.cache.byIndex('bySpot', key).filter((object) => !isBeingDeleted(object));
    const isWanted = this.#wanted.has(key);
    const [first, ...doubles] = found;
    for (const object of isWanted ? doubles : found) await this.#remove(object, signal);
    const storageClass = this.#parts.cluster.classes.cache.get(spot.className);
    if (!isWanted || storageClass === undefined) return done;
    const room = await this.#ask(storageClass, spot, signal);
    if (first === undefined) await this.#create(spot, room, signal);
    else if (!tells(first, room, this.#owners)) await this.#update(first, room, signal);
    return done;
  }

  async #ask({ parameters = {} }: StorageClass, { segments }: Spot, signal: AbortSignal): Promise<Room> {
    const { driver } = this.#parts;
    const forDriver = Object.fromEntries(Object.entries(parameters).filter(([key]) => !key.startsWith(RESERVED_PARAMETER_PREFIX)));
    const accessibleTopology = Object.keys(segments).length === 0 ? undefined : { segments: { ...segments } };
    const answer = await driver.csi.controller.getCapacity({ parameters: forDriver, accessibleTopology }, { timeoutMs: driver.timeoutMs, signal });
    return { availableBytes: answer.availableCapacity, largestBytes: answer.maximumVolumeSize };
  }

  async #create(spot: Spot, room: Room, signal: AbortSignal): Promise<void> {
    const { client, capacity } = this.#parts;
    const metadata = { name: nameOf(spot, this.#managedBy), namespace: capacity.namespace, labels: this.#labels, ownerReferences: [...this.#owners] };
    const nodeTopology = Object.keys(spot.segments).length === 0 ? {} : { matchLabels: { ...spot.segments } };
    try {
      const made = await client.create(csiStorageCapacities, { metadata, storageClassName: spot.className, nodeTopology, ...sizesOf(room) }, { signal });
      this.#objects.cache.remember(made);
    } catch (error) {
      // Made a moment ago, and not in the cache yet: the watch brings it, and with it the next look.
      if (!isAlreadyExists(error)) throw error;
    }
  }

  async #update(object: CsiStorageCapacity, room: Room, signal: AbortSignal): Promise<void> {
    const body = { ...sizesOf(room), metadata: { ownerReferences: this.#owners } };
    this.#objects.cache.remember(await this.#parts.client.patch(csiStorageCapacities, refOf(object), guarded(object, body), { signal }));
  }

  async #remove(object: CsiStorageCapacity, signal: AbortSignal): Promise<void> {
    const { client, log } = this.#parts;
    try {
      await client.delete(csiStorageCapacities, refOf(object), { uid: object.metadata.uid, signal });
      log.info('removed the capacity of a class or place that is no more', { object: keyOf(object) });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

function refOf({ metadata }: KubeObject): { name: string; namespace: string | undefined } {
  return { name: metadata.name ?? '', namespace: metadata.namespace };
}

function sizesOf({ availableBytes, largestBytes }: Room): { capacity: string; maximumVolumeSize?: string } {
  return { capacity: formatBytes(availableBytes), ...(largestBytes === undefined ? {} : { maximumVolumeSize: formatBytes(largestBytes) }) };
}
