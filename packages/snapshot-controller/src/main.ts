// The snapshot-controller as a process: options → wire → run → exit code.
import { hostname } from 'node:os';
import { persistentVolumeClaims, persistentVolumes, volumeSnapshotClasses, volumeSnapshotContents, volumeSnapshots } from '@snapshot-stack/api-types';
import {
  LeaderElection,
  createClient,
  createLog,
  createMetrics,
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
} from '@snapshot-stack/runtime';
import { accessNeeded } from './access.ts';
import { readOptions, type Options } from './options.ts';
import { createSnapshotController, type SnapshotController } from './wire.ts';

const NAME = 'snapshot-controller';
const VERSION = '0.1.0';
const RESOURCES = [volumeSnapshots, volumeSnapshotContents, volumeSnapshotClasses, persistentVolumeClaims, persistentVolumes];

async function checkAccess(client: Client, distributed: boolean, log: Log, signal: AbortSignal): Promise<void> {
  try {
    const missing = await selfCheckAccess(client, accessNeeded({ distributed }), signal);
    for (const permission of missing) log.error(`RBAC does not allow: ${permission}. Add it to this account's ClusterRole`);
  } catch (error) {
    log.warn('permissions could not be checked; going on', { error });
  }
}

function electionFor(options: Options, connection: Connection, controller: SnapshotController, log: Log, signal: AbortSignal): LeaderElection | undefined {
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
    lease: { name: `${NAME}-leader`, namespace: namespace || process.env['POD_NAMESPACE'] || connection.namespace, labels },
    identity: uniqueIdentity(hostname(), Math.random),
    lead: (leading) => controller.run(leading),
    signal,
  });
}

async function main(signal: AbortSignal): Promise<number> {
  const options = readOptions(NAME, VERSION);
  const log = createLog({ name: NAME, level: levelOf(options.verbosity), format: options.logFormat });
  const connection = await loadConnection({ kubeconfig: options.kubeconfig });
  const client = createClient(connection, { userAgent: `${NAME}/${VERSION}`, qps: options.qps, burst: options.burst });
  const metrics = createMetrics({ processMetrics: options.httpEndpoint !== '' });
  const controller = createSnapshotController({ client, clock: systemClock, random: Math.random, log, metrics, ...options });
  const election = electionFor(options, connection, controller, log, signal);
  let missing: readonly string[] = ['the API server was not asked yet'];
  // A standby is ready as soon as it could lead: rollouts wait for readiness.
  const readiness = (): HttpAnswer => {
    if (missing.length > 0) return { status: 503, body: `not ready: ${missing.join('; ')}\n` };
    const isWorking = election === undefined || election.isLeader;
    return isWorking && !controller.ready ? { status: 503, body: 'not ready: caches are not in sync yet\n' } : { status: 200, body: 'ok' };
  };
  const health = (): HttpAnswer => {
    const late = election?.health();
    return late === undefined ? { status: 200, body: 'ok' } : { status: 500, body: `${late}\n` };
  };
  const routes = {
    [options.metricsPath]: async (): Promise<HttpAnswer> => ({ status: 200, body: await metrics.text(), contentType: metrics.contentType }),
    '/readyz': readiness,
    '/healthz': (): HttpAnswer => ({ status: 200, body: 'ok' }),
    ...(election === undefined ? {} : { '/healthz/leader-election': health }),
  };
  const http = options.httpEndpoint === '' ? undefined : await startHttpEndpoint({ address: options.httpEndpoint, routes, log });
  log.info('started', { version: VERSION, server: connection.server });
  try {
    await waitForResources({
      client,
      resources: RESOURCES,
      clock: systemClock,
      log,
      maxMs: options.crdRetryMaxMs,
      onMissing: (names) => (missing = names),
      signal,
    });
    await checkAccess(client, options.distributed, log, signal);
    if (election !== undefined) return (await election.run()) === 'lost' ? 1 : 0;
    await controller.run(signal);
    return 0;
  } catch (error) {
    if (signal.aborted) return 0;
    throw error;
  } finally {
    await http?.close();
    client.close();
  }
}

await runMain(main);
