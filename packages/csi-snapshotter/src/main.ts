// The csi-snapshotter sidecar as a process: options → driver → wire → run → exit code.
import { hostname } from 'node:os';
import { volumeSnapshotClasses, volumeSnapshotContents } from '@snapshot-stack/api-types';
import { CsiError, connectCsi, type CsiCallRecord, type CsiConnection } from '@snapshot-stack/csi';
import {
  CSI_OPERATION_BUCKETS,
  LeaderElection,
  createClient,
  createLog,
  createMetrics,
  leaseNameOf,
  levelOf,
  loadConnection,
  runMain,
  selfCheckAccess,
  startHttpEndpoint,
  systemClock,
  uniqueIdentity,
  waitForResources,
  type Client,
  type Connection,
  type HttpAnswer,
  type Log,
  type Metrics,
} from '@snapshot-stack/runtime';
import { accessNeeded } from './access.ts';
import { connectDriver, type Driver } from './driver.ts';
import { readOptions, type Options } from './options.ts';
import { createSnapshotter, type Snapshotter } from './wire.ts';

const NAME = 'csi-snapshotter';
const VERSION = '0.1.0';
const PROBE_PERIOD_MS = 1_000;
const CONNECT_TIMEOUT_MS = 30_000;
const CRD_RETRY_MAX_MS = 30_000;

/** `DEADLINE_EXCEEDED` as Go spells it in metrics: `DeadlineExceeded`. */
function goCode(code: string): string {
  if (code === 'OK') return code;
  if (code === 'CANCELLED') return 'Canceled';
  return code.toLowerCase().replaceAll(/(?:^|_)([a-z])/g, (_all, letter: string) => letter.toUpperCase());
}

function callRecorder(metrics: Metrics, driverName: () => string): (record: CsiCallRecord) => void {
  const histogram = metrics.histogram({
    name: 'csi_sidecar_operations_seconds',
    help: '[ALPHA] Container Storage Interface operation duration with gRPC error code status total',
    labels: ['driver_name', 'method_name', 'grpc_status_code'],
    buckets: CSI_OPERATION_BUCKETS,
  });
  return ({ method, code, seconds }) => histogram.observe({ driver_name: driverName(), method_name: method, grpc_status_code: goCode(code) }, seconds);
}

/** Waits until the driver says that it is ready; a driver that answers late is asked again. */
async function waitUntilReady(csi: CsiConnection, timeoutMs: number, log: Log, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      const { ready } = await csi.identity.probe({}, { timeoutMs, signal });
      if (ready !== false) return;
      log.info('the CSI driver is not ready yet');
    } catch (error) {
      signal.throwIfAborted();
      const { code, message } = CsiError.from(error);
      if (code !== 'DEADLINE_EXCEEDED' && code !== 'UNAVAILABLE') throw error;
      log.warn('the CSI driver does not answer Probe; asking again', { code, message });
    }
    await systemClock.sleep(PROBE_PERIOD_MS, signal);
  }
}

async function waitForSocket(csi: CsiConnection, options: Options, log: Log, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await csi.ready(CONNECT_TIMEOUT_MS);
      return;
    } catch (error) {
      signal.throwIfAborted();
      log.warn('still waiting for the CSI driver', { address: options.csiAddress, error });
    }
  }
}

async function checkAccess(client: Client, log: Log, signal: AbortSignal): Promise<void> {
  try {
    for (const permission of await selfCheckAccess(client, accessNeeded, signal))
      log.error(`RBAC does not allow: ${permission}. Add it to this account's ClusterRole`);
  } catch (error) {
    log.warn('permissions could not be checked; going on', { error });
  }
}

function electionFor(
  options: Options,
  connection: Connection,
  driver: Driver,
  snapshotter: Snapshotter,
  log: Log,
  signal: AbortSignal,
): LeaderElection | undefined {
  const settings = options.leaderElection;
  if (settings === undefined) return undefined;
  const { namespace, labels, ...times } = settings;
  return new LeaderElection({
    ...times,
    // A client of its own: the Lease must not wait behind a --kube-api-qps limit.
    client: createClient(connection, { userAgent: `${NAME}/${VERSION}` }),
    clock: systemClock,
    random: Math.random,
    log,
    lease: {
      name: leaseNameOf(`external-snapshotter-leader-${driver.name}`),
      namespace: namespace || process.env['POD_NAMESPACE'] || connection.namespace,
      labels,
    },
    identity: uniqueIdentity(hostname(), Math.random),
    lead: (leading) => snapshotter.run(leading),
    signal,
  });
}

/** What the HTTP server tells; filled in as the process comes up. */
interface Standing {
  waitsFor: string | undefined;
  election: LeaderElection | undefined;
  snapshotter: Snapshotter | undefined;
}

function readiness({ waitsFor, election, snapshotter }: Standing): HttpAnswer {
  if (waitsFor !== undefined) return { status: 503, body: `not ready: ${waitsFor}\n` };
  const isWorking = election === undefined || election.isLeader;
  return isWorking && snapshotter?.ready !== true ? { status: 503, body: 'not ready: caches are not in sync yet\n' } : { status: 200, body: 'ok' };
}

async function serveHttp(options: Options, metrics: Metrics, standing: Standing, log: Log): Promise<{ close(): Promise<void> } | undefined> {
  if (options.httpEndpoint === '') return undefined;
  const health = (): HttpAnswer => {
    const late = standing.election?.health();
    return late === undefined ? { status: 200, body: 'ok' } : { status: 500, body: `${late}\n` };
  };
  const routes = {
    [options.metricsPath]: async (): Promise<HttpAnswer> => ({ status: 200, body: await metrics.text(), contentType: metrics.contentType }),
    '/readyz': () => readiness(standing),
    '/healthz': (): HttpAnswer => ({ status: 200, body: 'ok' }),
    ...(options.leaderElection === undefined ? {} : { '/healthz/leader-election': health }),
  };
  return startHttpEndpoint({ address: options.httpEndpoint, routes, log });
}

async function main(signal: AbortSignal): Promise<number> {
  const options = readOptions(NAME, VERSION);
  const log = createLog({ name: NAME, level: levelOf(options.verbosity), format: options.logFormat });
  const connection = await loadConnection({ kubeconfig: options.kubeconfig });
  const client = createClient(connection, { userAgent: `${NAME}/${VERSION}`, qps: options.qps, burst: options.burst });
  const metrics = createMetrics({ processMetrics: options.httpEndpoint !== '' });
  let driverName = 'unknown-driver';
  const csi = connectCsi({ endpoint: options.csiAddress, onCall: callRecorder(metrics, () => driverName) });
  const standing: Standing = { waitsFor: `the CSI driver on ${options.csiAddress}`, election: undefined, snapshotter: undefined };
  const http = await serveHttp(options, metrics, standing, log);
  log.info('started', { version: VERSION, server: connection.server, driver: options.csiAddress });
  try {
    await waitForSocket(csi, options, log, signal);
    await waitUntilReady(csi, options.timeoutMs, log, signal);
    const driver = await connectDriver(csi, options.timeoutMs, signal);
    driverName = driver.name;
    log.info('the CSI driver is ready', { driver: driver.name, ...driver.abilities });
    const snapshotter = createSnapshotter({ client, driver, clock: systemClock, random: Math.random, log, metrics, ...options });
    const election = electionFor(options, connection, driver, snapshotter, log, signal);
    Object.assign(standing, { election, snapshotter });
    const onMissing = (missing: readonly string[]): void => void (standing.waitsFor = missing.length === 0 ? undefined : missing.join('; '));
    await waitForResources({
      client,
      resources: [volumeSnapshotContents, volumeSnapshotClasses],
      clock: systemClock,
      log,
      maxMs: CRD_RETRY_MAX_MS,
      onMissing,
      signal,
    });
    await checkAccess(client, log, signal);
    if (election !== undefined) return (await election.run()) === 'lost' ? 1 : 0;
    await snapshotter.run(signal);
    return 0;
  } catch (error) {
    if (signal.aborted) return 0;
    throw error;
  } finally {
    await http?.close();
    csi.close();
    client.close();
  }
}

await runMain(main);
