// The provisioner as a process: options → driver → wire → run → exit code.
import { hostname } from 'node:os';
import { CsiError, connectCsi, type CsiConnection } from '@snapshot-stack/csi';
import {
  CSI_OPERATION_BUCKETS,
  LeaderElection,
  createClient,
  createLog,
  createMetrics,
  leaseNameOf,
  levelOf,
  loadConnection,
  readFlags,
  runMain,
  startHttpEndpoint,
  systemClock,
  uniqueIdentity,
  type HttpAnswer,
  type Log,
} from '@snapshot-stack/runtime';
import { connectDriver } from './driver.ts';
import { checkOptions, flags } from './options.ts';
import { createProvisioner, type Provisioner } from './wire.ts';

const NAME = 'csi-provisioner';
const VERSION = '0.1.0';
const PROBE_PERIOD_MS = 1_000;
const CONNECT_TIMEOUT_MS = 30_000;

async function waitForDriver(csi: CsiConnection, address: string, timeoutMs: number, log: Log, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await csi.ready(CONNECT_TIMEOUT_MS);
      const { ready } = await csi.identity.probe({}, { timeoutMs, signal });
      if (ready !== false) return;
      log.info('the CSI driver is not ready yet', { address });
    } catch (error) {
      signal.throwIfAborted();
      const { code, message } = CsiError.from(error);
      if (code !== 'DEADLINE_EXCEEDED' && code !== 'UNAVAILABLE') throw error;
      log.warn('still waiting for the CSI driver', { address, code, message });
    }
    await systemClock.sleep(PROBE_PERIOD_MS, signal);
  }
}

async function main(signal: AbortSignal): Promise<number> {
  const options = checkOptions(readFlags(flags, NAME, VERSION), process.env);
  const { parsed } = options;
  const log = createLog({ name: NAME, level: levelOf(parsed.v), format: parsed['logging-format'] === 'json' ? 'json' : 'text' });
  const connection = await loadConnection({ kubeconfig: parsed.kubeconfig });
  const userAgent = `${NAME}/${VERSION}`;
  const client = createClient(connection, { userAgent, qps: parsed['kube-api-qps'], burst: parsed['kube-api-burst'], maxSockets: 32 });
  const httpAddress = parsed['http-endpoint'] || parsed['metrics-address'];
  const metrics = createMetrics({ processMetrics: httpAddress !== '' });
  const calls = metrics.histogram({
    name: 'csi_sidecar_operations_seconds',
    help: '[ALPHA] Container Storage Interface operation duration with gRPC error code status total',
    labels: ['driver_name', 'method_name', 'grpc_status_code'],
    buckets: CSI_OPERATION_BUCKETS,
  });
  let driverName = 'unknown-driver';
  const csi = connectCsi({
    endpoint: parsed['csi-address'],
    onCall: ({ method, code, seconds }) => calls.observe({ driver_name: driverName, method_name: method, grpc_status_code: code }, seconds),
  });
  let provisioner: Provisioner | undefined;
  let election: LeaderElection | undefined;
  const readyz = (): HttpAnswer => {
    const idle = election !== undefined && !election.isLeader;
    return provisioner?.ready === true || (provisioner !== undefined && idle)
      ? { status: 200, body: 'ok' }
      : { status: 503, body: 'not ready: waiting for the driver, or for caches\n' };
  };
  const http =
    httpAddress === ''
      ? undefined
      : await startHttpEndpoint({
          address: httpAddress,
          log,
          routes: {
            [parsed['metrics-path']]: async () => ({ status: 200, body: await metrics.text(), contentType: metrics.contentType }),
            '/readyz': readyz,
            ...(parsed['leader-election']
              ? {
                  '/healthz/leader-election': () =>
                    election?.health() === undefined ? { status: 200, body: 'ok' } : { status: 500, body: `${election.health() ?? ''}\n` },
                }
              : {}),
          },
        });
  try {
    await waitForDriver(csi, parsed['csi-address'], parsed.timeout, log, signal);
    const driver = await connectDriver(csi, parsed.timeout, signal);
    driverName = driver.name;
    log.info('the CSI driver is ready', { driver: driver.name, ...driver.abilities });
    const host = hostname();
    provisioner = createProvisioner({
      client,
      driver,
      options,
      clock: systemClock,
      random: Math.random,
      log,
      metrics,
      host,
    });
    if (!parsed['leader-election']) {
      await provisioner.run(signal);
      return 0;
    }
    election = new LeaderElection({
      client: createClient(connection, { userAgent }),
      clock: systemClock,
      random: Math.random,
      log,
      lease: {
        name: leaseNameOf(driver.name),
        namespace: parsed['leader-election-namespace'] || process.env['POD_NAMESPACE'] || connection.namespace,
        labels: parsed['leader-election-labels'],
      },
      identity: uniqueIdentity(host, Math.random),
      leaseDurationMs: parsed['leader-election-lease-duration'],
      renewDeadlineMs: parsed['leader-election-renew-deadline'],
      retryPeriodMs: parsed['leader-election-retry-period'],
      releaseOnExit: parsed['feature-gates']['ReleaseLeaderElectionOnExit'] !== 'false',
      lead: provisioner.run,
      signal,
    });
    return (await election.run()) === 'lost' ? 1 : 0;
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
