// npm run bench -- snapshots --n 500 [--json]
//
// Takes n snapshots of one claim at once, waits until all are ready, deletes them all, and tells how long that
// took and what it cost: through the real processes of controller, sidecar and driver. The API server runs in
// this process, so that its request log can be counted; with --kubeconfig a cluster's own server, class and
// claim are used, and only the times are known.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import {
  Finalizer,
  nanosToTimestamp,
  persistentVolumeClaims,
  persistentVolumes,
  volumeSnapshotClasses,
  volumeSnapshotContents,
  volumeSnapshots,
} from '@snapshot-stack/api-types';
import { connectCsi } from '@snapshot-stack/csi';
import { paths, startLocalStack, type LocalStack } from '@snapshot-stack/local-stack';
import { createClient, defineFlags, loadConnection, type Client } from '@snapshot-stack/runtime';
import { usageOf, type ProcessUsage } from './process-usage.ts';

const flags = defineFlags({
  help: { type: 'bool', default: false, help: 'Print this and exit' },
  n: { type: 'int', default: 500, help: 'How many snapshots' },
  json: { type: 'bool', default: false, help: 'Print one JSON object' },
  kubeconfig: { type: 'string', default: '', help: 'Use this cluster instead of an own one' },
  namespace: { type: 'string', default: 'default', help: 'Namespace of the claim, with --kubeconfig' },
  claim: { type: 'string', default: 'data', help: 'Claim to snapshot, with --kubeconfig' },
  class: { type: 'string', default: 'bench', help: 'VolumeSnapshotClass, with --kubeconfig' },
  existing: { type: 'int', default: 0, help: 'Ready snapshots that are there before; only with an own cluster' },
  timeout: { type: 'duration', default: 300_000, help: 'When to give up' },
});

const DEFAULT_DRIVER = 'hostpath.csi.k8s.io';

export interface SnapshotsReport {
  n: number;
  /** Snapshots that were there before, and how long from starting the processes to the first new one being ready. */
  existing?: number;
  startToFirstReadyMs?: number;
  /** From creating a VolumeSnapshot to its being ready. */
  readyMs: { p50: number; p99: number; max: number };
  /** From deleting a VolumeSnapshot to its being gone. */
  goneMs: { p50: number; p99: number; max: number };
  snapshotsPerSecond: number;
  deletionsPerSecond: number;
  /** Object writes per snapshot by all our components; events not counted. Undefined with --kubeconfig. */
  writesPerCreate: number | undefined;
  writesPerDelete: number | undefined;
  readsPerCreate: number | undefined;
  readsPerDelete: number | undefined;
  /** Per snapshot, by client: `create`, `delete` phases. */
  byClient: Record<string, { writesPerCreate: number; readsPerCreate: number; writesPerDelete: number; readsPerDelete: number }>;
  components: Record<string, ProcessUsage>;
}

interface Target {
  client: Client;
  namespace: string;
  claim: string;
  className: string;
}

interface Own {
  api: ApiServer;
  stack: LocalStack;
}

/** Runs the bench and prints its report. @returns the exit code */
export async function benchSnapshots(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const options = flags.parse(argv);
  if (options.help) {
    process.stdout.write(flags.usage('bench snapshots'));
    return 0;
  }
  const report = options.kubeconfig === '' ? await onOwnStack(options, signal) : await onCluster(options);
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describe(report));
  return 0;
}

async function onCluster(options: {
  n: number;
  kubeconfig: string;
  namespace: string;
  claim: string;
  class: string;
  timeout: number;
}): Promise<SnapshotsReport> {
  const client = createClient(await loadConnection({ kubeconfig: options.kubeconfig }), { userAgent: 'bench/1', maxSockets: 32 });
  try {
    return await measure({ client, namespace: options.namespace, claim: options.claim, className: options.class }, options.n, options.timeout, undefined);
  } finally {
    client.close();
  }
}

async function onOwnStack({ n, existing, timeout }: { n: number; existing: number; timeout: number }, signal: AbortSignal): Promise<SnapshotsReport> {
  const dir = await mkdtemp(join(tmpdir(), 'bench-snapshots-'));
  const crds = fileURLToPath(new URL('../../../packages/api-types/crds', import.meta.url));
  const api = await startApiServer({ crds: [crds], dir: join(dir, 'apiserver') });
  let stack: LocalStack | undefined;
  try {
    const client = createClient(api.adminConnection, { userAgent: 'bench/1', maxSockets: 32 });
    await addExisting(client, existing);
    const failed = Promise.withResolvers<never>();
    signal.addEventListener('abort', () => failed.reject(signal.reason as Error), { once: true });
    const start = performance.now();
    stack = await startLocalStack({ dir, components: ['hostpath-driver', 'snapshot-controller', 'csi-snapshotter'] }, failed.reject);
    const target = await Promise.race([prepare(client, stack), failed.promise]);
    const startToFirstReadyMs = Math.round(performance.now() - start);
    const report = await Promise.race([measure(target, n, timeout, { api, stack }), failed.promise]);
    client.close();
    return { ...report, existing, startToFirstReadyMs };
  } finally {
    await stack?.stop();
    await api.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

/** Snapshots as they are long after they were taken: ready, bound, held. The driver is never asked about them. */
async function addExisting(client: Client, count: number): Promise<void> {
  const CONCURRENT = 32;
  let next = 0;
  const add = async (): Promise<void> => {
    for (let index = next++; index < count; index = next++) await addReady(client, `existing-${index}`);
  };
  await Promise.all(Array.from({ length: CONCURRENT }, add));
}

async function addReady(client: Client, name: string): Promise<void> {
  const namespace = 'default';
  const { metadata } = await client.create(volumeSnapshots, {
    metadata: { name, namespace, finalizers: [Finalizer.snapshotAsSource, Finalizer.snapshotBound] },
    spec: { source: { persistentVolumeClaimName: 'old' }, volumeSnapshotClassName: 'bench' },
  });
  const content = `snapcontent-${metadata.uid}`;
  await client.create(volumeSnapshotContents, {
    metadata: { name: content, finalizers: [Finalizer.content] },
    spec: {
      deletionPolicy: 'Delete',
      driver: DEFAULT_DRIVER,
      source: { volumeHandle: 'old' },
      volumeSnapshotClassName: 'bench',
      volumeSnapshotRef: { name, namespace, uid: metadata.uid ?? '' },
    },
  });
  const creationTime = 1_700_000_000_000_000_000n;
  const handle = { snapshotHandle: name, creationTime, restoreSize: 1_048_576, readyToUse: true };
  await client.patch(volumeSnapshotContents, { name: content }, { kind: 'merge', body: { status: handle } }, { subresource: 'status' });
  const status = { boundVolumeSnapshotContentName: content, creationTime: nanosToTimestamp(creationTime), restoreSize: '1Mi', readyToUse: true };
  await client.patch(volumeSnapshots, { name, namespace }, { kind: 'merge', body: { status } }, { subresource: 'status' });
}

/** A class, and a claim bound to a volume that the driver really has. */
async function prepare(client: Client, stack: LocalStack): Promise<Target> {
  const { driverName } = stack.layout;
  const csi = connectCsi({ endpoint: paths.socket(stack.layout) });
  await csi.ready(20_000);
  const capability = { accessType: { $case: 'mount' as const, value: { fsType: '', mountFlags: [], volumeMountGroup: '' } }, accessMode: { mode: 1 as const } };
  const { volume } = await csi.controller.createVolume(
    { name: 'bench', volumeCapabilities: [capability], capacityRange: { requiredBytes: 1n << 20n, limitBytes: 0n } },
    { timeoutMs: 20_000 },
  );
  csi.close();
  const [namespace, claim, className] = ['default', 'data', 'bench'];
  await client.create(volumeSnapshotClasses, { metadata: { name: className }, driver: driverName, deletionPolicy: 'Delete' });
  const { metadata } = await client.create(persistentVolumeClaims, {
    metadata: { name: claim, namespace },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } }, volumeName: 'bench' },
  });
  await client.create(persistentVolumes, {
    metadata: { name: 'bench' },
    spec: {
      capacity: { storage: '1Mi' },
      accessModes: ['ReadWriteOnce'],
      claimRef: { kind: 'PersistentVolumeClaim', namespace, name: claim, uid: metadata.uid ?? '' },
      csi: { driver: driverName, volumeHandle: volume?.volumeId ?? '' },
    },
  });
  await client.patch(persistentVolumeClaims, { name: claim, namespace }, { kind: 'merge', body: { status: { phase: 'Bound' } } }, { subresource: 'status' });
  const target = { client, namespace, claim, className };
  // The first one waits for the processes to come up; it is not measured.
  await createAll(target, ['warm-up'], 60_000);
  await deleteAll(target, ['warm-up'], 60_000);
  return target;
}

async function measure(target: Target, n: number, timeoutMs: number, own: Own | undefined): Promise<SnapshotsReport> {
  const names = Array.from({ length: n }, (_, index) => `bench-${index}`);
  own?.api.clearRequests();
  const before = await usages(own);
  const createStart = performance.now();
  const ready = await createAll(target, names, timeoutMs);
  const createMs = performance.now() - createStart;
  await settle(own);
  const created = requestsByClient(own);
  own?.api.clearRequests();
  const deleteStart = performance.now();
  const gone = await deleteAll(target, names, timeoutMs);
  const deleteMs = performance.now() - deleteStart;
  await settle(own);
  const deleted = requestsByClient(own);
  const after = await usages(own);
  return {
    n,
    readyMs: percentiles(ready),
    goneMs: percentiles(gone),
    snapshotsPerSecond: round((n * 1_000) / createMs),
    deletionsPerSecond: round((n * 1_000) / deleteMs),
    ...totals(created, deleted, n, own !== undefined),
    byClient: Object.fromEntries(
      [...new Set([...created.keys(), ...deleted.keys()])].map((client) => [
        client,
        {
          writesPerCreate: round((created.get(client)?.writes ?? 0) / n),
          readsPerCreate: round((created.get(client)?.reads ?? 0) / n),
          writesPerDelete: round((deleted.get(client)?.writes ?? 0) / n),
          readsPerDelete: round((deleted.get(client)?.reads ?? 0) / n),
        },
      ]),
    ),
    components: Object.fromEntries(
      [...after].map(([name, usage]) => [name, { cpuSeconds: round(usage.cpuSeconds - (before.get(name)?.cpuSeconds ?? 0)), rssMiB: usage.rssMiB }]),
    ),
  };
}

interface Counts {
  writes: number;
  reads: number;
}

function totals(
  created: Map<string, Counts>,
  deleted: Map<string, Counts>,
  n: number,
  known: boolean,
): Pick<SnapshotsReport, 'writesPerCreate' | 'writesPerDelete' | 'readsPerCreate' | 'readsPerDelete'> {
  const sum = (counts: Map<string, Counts>, field: keyof Counts): number | undefined =>
    known ? round([...counts.values()].reduce((total, each) => total + each[field], 0) / n) : undefined;
  return {
    writesPerCreate: sum(created, 'writes'),
    writesPerDelete: sum(deleted, 'writes'),
    readsPerCreate: sum(created, 'reads'),
    readsPerDelete: sum(deleted, 'reads'),
  };
}

/** Object writes and reads of our components; events, leases, watches and the bench's own do not count. */
function requestsByClient(own: Own | undefined): Map<string, Counts> {
  const counts = new Map<string, Counts>();
  for (const { userAgent, verb, resource } of own?.api.requests ?? []) {
    const client = userAgent.split('/')[0] ?? '';
    if (resource === '' || resource === 'events' || resource === 'leases' || verb === 'watch' || client === 'bench' || client === 'local-stack') continue;
    const entry = counts.get(client) ?? { writes: 0, reads: 0 };
    if (verb === 'get' || verb === 'list') entry.reads++;
    else entry.writes++;
    counts.set(client, entry);
  }
  return counts;
}

/** Waits until our components have been silent for a moment: the last finalizer goes after the last "ready". */
async function settle(own: Own | undefined): Promise<void> {
  if (own === undefined) return;
  for (let last = -1; last !== own.api.requests.length;) {
    last = own.api.requests.length;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

async function usages(own: Own | undefined): Promise<Map<string, ProcessUsage>> {
  const found = new Map<string, ProcessUsage>();
  for (const [name, pid] of own?.stack.pids() ?? []) {
    const usage = await usageOf(pid);
    if (usage !== undefined) found.set(name, usage);
  }
  return found;
}

/** Milliseconds from each create to ready. */
function createAll(target: Target, names: readonly string[], timeoutMs: number): Promise<number[]> {
  const { client, namespace, claim, className } = target;
  const spec = { source: { persistentVolumeClaimName: claim }, volumeSnapshotClassName: className };
  return follow(
    target,
    names,
    timeoutMs,
    'become ready',
    (event) => event.type !== 'DELETED' && event.ready,
    async (name) => {
      await client.create(volumeSnapshots, { metadata: { name, namespace }, spec });
    },
  );
}

/** Milliseconds from each delete to gone. */
function deleteAll(target: Target, names: readonly string[], timeoutMs: number): Promise<number[]> {
  return follow(
    target,
    names,
    timeoutMs,
    'go',
    (event) => event.type === 'DELETED',
    (name) => target.client.delete(volumeSnapshots, { name, namespace: target.namespace }),
  );
}

interface Seen {
  type: string;
  ready: boolean;
}

async function follow(
  target: Target,
  names: readonly string[],
  timeoutMs: number,
  what: string,
  isDone: (event: Seen) => boolean,
  act: (name: string) => Promise<void>,
): Promise<number[]> {
  const { client, namespace } = target;
  const abort = new AbortController();
  const timeout = setTimeout(() => abort.abort(new Error(`not all ${names.length} snapshots did ${what} within ${timeoutMs} ms`)), timeoutMs);
  const started = new Map<string, number>();
  const took: number[] = [];
  const waiting = new Set(names);
  const { metadata } = await client.list(volumeSnapshots, { namespace, limit: 1 });
  const watching = (async () => {
    const version = metadata.resourceVersion;
    for await (const { type, object } of client.watch(volumeSnapshots, {
      namespace,
      ...(version === undefined ? {} : { resourceVersion: version }),
      signal: abort.signal,
    })) {
      const name = object.metadata.name ?? '';
      if (!waiting.has(name) || !isDone({ type, ready: object.status?.readyToUse === true })) continue;
      waiting.delete(name);
      took.push(performance.now() - (started.get(name) ?? performance.now()));
      if (waiting.size === 0) return;
    }
  })();
  try {
    await Promise.all([
      watching,
      ...names.map((name) => {
        started.set(name, performance.now());
        return act(name);
      }),
    ]);
  } finally {
    clearTimeout(timeout);
    abort.abort(new Error('done'));
    await watching.catch(() => {});
  }
  return took;
}

function percentiles(values: readonly number[]): { p50: number; p99: number; max: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function describe(report: SnapshotsReport): string {
  const lines = [
    `${report.n} snapshots of one claim, all asked for at once${report.existing ? `, beside ${report.existing} that were there` : ''}`,
    `  started        ${report.startToFirstReadyMs ?? '?'} ms from starting the processes to the first snapshot`,
    `  ready after    p50 ${report.readyMs.p50} ms, p99 ${report.readyMs.p99} ms; ${report.snapshotsPerSecond} per second`,
    `  gone after     p50 ${report.goneMs.p50} ms, p99 ${report.goneMs.p99} ms; ${report.deletionsPerSecond} per second`,
    `  API writes     ${report.writesPerCreate ?? '?'} per create, ${report.writesPerDelete ?? '?'} per delete`,
    `  API reads      ${report.readsPerCreate ?? '?'} per create, ${report.readsPerDelete ?? '?'} per delete`,
    ...Object.entries(report.components).map(([name, { cpuSeconds, rssMiB }]) => `  ${name.padEnd(20)} ${cpuSeconds} s CPU, ${rssMiB} MiB`),
  ];
  return `${lines.join('\n')}\n`;
}
