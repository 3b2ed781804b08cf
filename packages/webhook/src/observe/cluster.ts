// What the cross-object rules know of the cluster: caches kept by informers, holding only what a rule reads, and a
// client for the few questions that need the present state.
import {
  csiDrivers,
  volumeSnapshotClasses,
  volumeSnapshotContents,
  volumeSnapshots,
  type CsiDriver,
  type KubeObject,
  type ObjectMeta,
  type VolumeSnapshot,
  type VolumeSnapshotClass,
  type VolumeSnapshotContent,
} from '@snapshot-stack/api-types';
import { every, type Client, type Clock, type Log, type Random } from '@snapshot-stack/runtime';
import { Cached } from './cached.ts';

export interface ClusterOptions {
  client: Client;
  clock: Clock;
  random: Random;
  log: Log;
}

/** So often freshness is looked at, that its age is right to this much. */
const FRESHNESS_MS = 1_000;

export class Cluster {
  readonly client: Client;
  readonly snapshots: Cached<VolumeSnapshot>;
  readonly contents: Cached<VolumeSnapshotContent>;
  readonly classes: Cached<VolumeSnapshotClass>;
  readonly drivers: Cached<CsiDriver>;
  readonly #clock: Clock;

  constructor({ client, clock, random, log }: ClusterOptions) {
    const parts = { client, clock, random, log };
    this.client = client;
    this.#clock = clock;
    this.snapshots = new Cached<VolumeSnapshot>({ ...parts, resource: volumeSnapshots, transform: slimSnapshot });
    this.contents = new Cached<VolumeSnapshotContent>({
      ...parts,
      resource: volumeSnapshotContents,
      transform: slimContent,
      indexers: { byHandle: handleKeysOf, bySnapshot: ({ spec }) => [snapshotKeyOf(spec?.volumeSnapshotRef)] },
    });
    this.classes = new Cached<VolumeSnapshotClass>({ ...parts, resource: volumeSnapshotClasses, transform: slim });
    this.drivers = new Cached<CsiDriver>({ ...parts, resource: csiDrivers, transform: ({ metadata }) => ({ metadata: slimMeta(metadata), spec: {} }) });
  }

  get all(): readonly Cached<KubeObject>[] {
    return [this.snapshots, this.contents, this.classes, this.drivers] as unknown as readonly Cached<KubeObject>[];
  }

  /** Keeps the caches until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const watching = every(FRESHNESS_MS, this.#clock, signal, () => this.all.forEach((cached) => cached.freshness()));
    await Promise.all([watching, ...this.all.map((cached) => cached.run(signal))]);
  }

  /** Resolves when all caches have been filled; rejects when the signal aborts before. */
  async synced(signal: AbortSignal): Promise<void> {
    await Promise.all(this.all.map((cached) => cached.synced(signal)));
  }
}

/** The key of the snapshot that a content refers to. */
export function snapshotKeyOf(ref: { namespace?: string; name?: string } | undefined): string {
  return `${ref?.namespace ?? ''}/${ref?.name ?? ''}`;
}

/** `driver^handle` of the snapshot at the storage system, as far as it is known. */
export function handleKeysOf({ spec, status }: VolumeSnapshotContent): string[] {
  const handles = new Set([spec?.source?.snapshotHandle, status?.snapshotHandle]);
  return [...handles].filter((handle) => handle !== undefined && handle !== '').map((handle) => `${spec.driver}^${handle}`);
}

/** Objects of old CRDs may lack what their types promise: nothing here relies on it. */
function slimMeta({ name, namespace, uid, resourceVersion, deletionTimestamp, finalizers, annotations }: ObjectMeta): ObjectMeta {
  return {
    ...(name !== undefined && { name }),
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
    ...(finalizers !== undefined && { finalizers }),
    ...(annotations !== undefined && { annotations }),
  };
}

function slim<T extends KubeObject>(object: T): T {
  return { ...object, metadata: slimMeta(object.metadata) };
}

function slimSnapshot({ metadata, spec, status }: VolumeSnapshot): VolumeSnapshot {
  const { annotations: _annotations, ...meta } = slimMeta(metadata);
  const bound = status?.boundVolumeSnapshotContentName;
  return {
    metadata: meta,
    spec: { source: spec?.source ?? {} },
    ...(bound === undefined ? {} : { status: { boundVolumeSnapshotContentName: bound } }),
  };
}

function slimContent({ metadata, spec, status }: VolumeSnapshotContent): VolumeSnapshotContent {
  const { annotations: _annotations, finalizers: _finalizers, ...meta } = slimMeta(metadata);
  const handle = status?.snapshotHandle;
  const { driver, deletionPolicy, source, volumeSnapshotRef } = (spec ?? {}) as Partial<VolumeSnapshotContent['spec']>;
  const { namespace, name, uid } = volumeSnapshotRef ?? {};
  return {
    metadata: meta,
    spec: {
      driver: driver ?? '',
      deletionPolicy: deletionPolicy ?? 'Retain',
      source: source?.snapshotHandle === undefined ? {} : { snapshotHandle: source.snapshotHandle },
      volumeSnapshotRef: { ...(namespace !== undefined && { namespace }), ...(name !== undefined && { name }), ...(uid !== undefined && { uid }) },
    },
    ...(handle === undefined ? {} : { status: { snapshotHandle: handle } }),
  };
}
