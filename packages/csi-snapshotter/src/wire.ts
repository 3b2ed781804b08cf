// The only place that constructs the sidecar's collaborators.
import { Label, keyOf, volumeSnapshotClasses, volumeSnapshotContents, type VolumeSnapshotClass, type VolumeSnapshotContent } from '@snapshot-stack/api-types';
import {
  Controller,
  Informer,
  WorkQueue,
  createEventRecorder,
  every,
  type Client,
  type Clock,
  type Log,
  type Metrics,
  type Random,
} from '@snapshot-stack/runtime';
import { Answered } from './content/answered.ts';
import { decideContent } from './content/decide.ts';
import { execute } from './content/execute.ts';
import { isRelevantChange } from './content/relevance.ts';
import type { Driver } from './driver.ts';

export interface SnapshotterOptions {
  client: Client;
  driver: Driver;
  clock: Clock;
  random: Random;
  log: Log;
  metrics: Metrics;
  workers: number;
  retryStartMs: number;
  retryMaxMs: number;
  resyncMs: number;
  /** The driver-side name is `<prefix>-<uid>`; the uid is whole for -1, else its first characters without dashes. */
  naming: { prefix: string; uuidLength: number };
  extraCreateMetadata: boolean;
  /** Only contents labelled for this node, in node-local mode. */
  node: string | undefined;
}

export interface Snapshotter {
  /** Runs until the signal aborts; resolves when all work in hand has ended. Once only. */
  run(signal: AbortSignal): Promise<void>;
  /** True once the caches equal the cluster and work is being done. */
  readonly ready: boolean;
  readonly queue: WorkQueue;
  readonly contents: Informer<VolumeSnapshotContent>;
}

const EVENTS_FLUSH_MS = 2_000;
/** A snapshot that became ready is known no later than this. */
const POLL_MAX_MS = 30_000;

function isUnready(content: VolumeSnapshotContent): boolean {
  return content.status?.readyToUse !== true;
}

export function createSnapshotter(options: SnapshotterOptions): Snapshotter {
  const { client, driver, clock, random, log, metrics, node } = options;
  const contents = new Informer<VolumeSnapshotContent>({
    client,
    resource: volumeSnapshotContents,
    ...(node === undefined ? {} : { labelSelector: `${Label.managedBy}=${node}` }),
    indexers: { unreadyByClass: (content) => (isUnready(content) ? [content.spec.volumeSnapshotClassName ?? ''] : []) },
    transform: ({ metadata: { managedFields: _fields, ...metadata }, ...content }) => ({ ...content, metadata }),
    clock,
    random,
    log,
  });
  const classes = new Informer<VolumeSnapshotClass>({ client, resource: volumeSnapshotClasses, clock, random, log });
  const queue = new WorkQueue({ name: 'csi-snapshotter-content', clock, random, metrics, startMs: options.retryStartMs, maxMs: options.retryMaxMs });
  const isOurs = ({ spec }: VolumeSnapshotContent): boolean => spec.driver === driver.name;
  const answered = new Answered();
  contents.on({
    added: (content) => {
      if (isOurs(content)) queue.add(keyOf(content));
    },
    updated: (content, old) => {
      if (isOurs(content) && isRelevantChange(content, old)) queue.add(keyOf(content));
    },
    deleted: (content) => {
      answered.delete(content);
      queue.forget(keyOf(content));
    },
  });
  const wake = ({ metadata }: VolumeSnapshotClass): void => {
    for (const content of contents.cache.byIndex('unreadyByClass', metadata.name ?? '')) if (isOurs(content)) queue.add(keyOf(content));
  };
  classes.on({ added: wake, updated: wake });
  const events = createEventRecorder({ client, component: `csi-snapshotter ${driver.name}`, clock, log });
  const hands = {
    client,
    driver,
    contents: contents.cache,
    classes: classes.cache,
    events,
    clock,
    log,
    answered,
    naming: options.naming,
    extraCreateMetadata: options.extraCreateMetadata,
    pollMinMs: options.retryStartMs,
    pollMaxMs: Math.max(options.retryStartMs, Math.min(options.retryMaxMs, POLL_MAX_MS)),
  };
  const controller = new Controller({
    name: 'content',
    queue,
    workers: options.workers,
    log,
    reconcile: (key, signal) => {
      const content = contents.cache.get(key);
      const createAnswered = content !== undefined && answered.has(content);
      const plan = decideContent({ content, driver: driver.name, abilities: driver.abilities, createAnswered });
      log.debug('decided', { key, plan: plan.kind, ...('why' in plan ? { why: plan.why } : {}) });
      return execute(plan, hands, signal);
    },
  });
  let ready = false;
  return {
    queue,
    contents,
    get ready() {
      return ready;
    },
    run: async (signal) => {
      const start = clock.now();
      const watching = [contents.run(signal), classes.run(signal)];
      try {
        await Promise.all([contents.synced(signal), classes.synced(signal)]);
      } catch (error) {
        if (!signal.aborted) throw error;
        await Promise.all(watching);
        return;
      }
      log.info('caches are in sync', { inMs: clock.now() - start, contents: contents.cache.size });
      ready = true;
      const resyncing = every(options.resyncMs, clock, signal, () => {
        for (const content of contents.cache.list()) if (isOurs(content)) queue.add(keyOf(content));
      });
      await Promise.all([controller.run(signal), ...watching, resyncing]);
      ready = false;
      await events.flush(EVENTS_FLUSH_MS);
    },
  };
}
