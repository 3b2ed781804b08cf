// What every component does around its own work: log, client and metrics first, then health over HTTP, then waiting
// for what it cannot do without, then the work, as leader where replicas share it.
import { hostname } from 'node:os';
import type { Resource } from '@snapshot-stack/api-types';
import { selfCheckAccess, type AccessRule } from '../access/self-check.ts';
import { waitForResources } from '../access/wait-for-resources.ts';
import { createClient, type Client } from '../client/client.ts';
import { loadConnection, type Connection } from '../client/connection.ts';
import { LeaderElection, uniqueIdentity } from '../controller/leader-election.ts';
import {
  createLog,
  createMetrics,
  levelOf,
  startHttpEndpoint,
  systemClock,
  type HttpAnswer,
  type HttpEndpoint,
  type Log,
  type Metrics,
} from '../process/index.ts';
import type { ComponentOptions } from './component-options.ts';

/** What a component gets to build its work from. */
export interface ComponentParts {
  readonly client: Client;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Of the pod, or of the machine. */
  readonly host: string;
  readonly signal: AbortSignal;
  /** Says on /readyz what is waited for. */
  waitsFor(what: string): void;
  /** Has `close` called at the end, however it comes. */
  atEnd(close: () => void): void;
}

/** The work itself. */
export interface ComponentWork {
  /** Name of the Lease that replicas wait for each other by. */
  readonly leaseName: string;
  /** Must be served before the work begins. */
  readonly resources: readonly Resource[];
  /** What the account must be allowed; what is missing is said in the log. */
  readonly access: readonly AccessRule[];
  /** Works until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** True once caches equal the cluster and work is being done. */
  isReady(): boolean;
}

export interface Component {
  readonly name: string;
  readonly version: string;
  readonly options: ComponentOptions;
  /** Longest pause between two looks for resources that are not served yet. */
  readonly resourcesRetryMaxMs?: number;
  readonly start: (parts: ComponentParts) => ComponentWork | Promise<ComponentWork>;
}

const RESOURCES_RETRY_MAX_MS = 30_000;

/** What the HTTP server tells; filled in as the process comes up. */
interface Standing {
  waitsFor: string | undefined;
  work: ComponentWork | undefined;
  election: LeaderElection | undefined;
}

/** Runs a component until the signal aborts. Resolves with the exit code: 1 when leadership was lost, else 0. */
export async function runComponent(component: Component, signal: AbortSignal): Promise<number> {
  const { name, version, options } = component;
  const log = createLog({ name, level: levelOf(options.verbosity), format: options.logFormat });
  const connection = await loadConnection({ kubeconfig: options.kubeconfig });
  const client = createClient(connection, { userAgent: `${name}/${version}`, qps: options.qps, burst: options.burst });
  const metrics = createMetrics({ processMetrics: options.httpEndpoint !== '' });
  const standing: Standing = { waitsFor: 'starting', work: undefined, election: undefined };
  const closings: (() => void)[] = [() => client.close()];
  const http = await serveHttp(options, metrics, standing, log);
  log.info('started', { version, server: connection.server });
  try {
    const work = await component.start({
      client,
      log,
      metrics,
      host: hostName(),
      signal,
      waitsFor: (what) => void (standing.waitsFor = what),
      atEnd: (close) => void closings.unshift(close),
    });
    standing.work = work;
    if (options.leaderElection !== undefined) {
      // A client of its own: the Lease must not wait behind a --kube-api-qps limit.
      const leaseClient = createClient(connection, { userAgent: `${name}/${version}` });
      closings.unshift(() => leaseClient.close());
      standing.election = electionFor(component, work, { client: leaseClient, connection, metrics, log, signal });
    }
    await waitForResources({
      client,
      resources: work.resources,
      clock: systemClock,
      log,
      maxMs: component.resourcesRetryMaxMs ?? RESOURCES_RETRY_MAX_MS,
      onMissing: (missing) => void (standing.waitsFor = missing.length === 0 ? undefined : missing.join('; ')),
      signal,
    });
    await checkAccess(client, work.access, log, signal);
    if (standing.election !== undefined) return (await standing.election.run()) === 'lost' ? 1 : 0;
    await work.run(signal);
    return 0;
  } catch (error) {
    if (signal.aborted) return 0;
    throw error;
  } finally {
    await http?.close();
    for (const close of closings) close();
  }
}

/** Pods of the host network share the machine's name. */
function hostName(): string {
  return process.env['POD_NAME'] || hostname();
}

interface ElectionParts {
  client: Client;
  connection: Connection;
  metrics: Metrics;
  log: Log;
  signal: AbortSignal;
}

function electionFor({ options }: Component, work: ComponentWork, { client, connection, metrics, log, signal }: ElectionParts): LeaderElection | undefined {
  const settings = options.leaderElection;
  if (settings === undefined) return undefined;
  const { namespace, labels, ...times } = settings;
  return new LeaderElection({
    ...times,
    client,
    clock: systemClock,
    random: Math.random,
    log,
    metrics,
    lease: { name: work.leaseName, namespace: namespace || process.env['POD_NAMESPACE'] || connection.namespace, labels },
    identity: uniqueIdentity(hostName(), Math.random),
    lead: (leading) => work.run(leading),
    signal,
  });
}

async function checkAccess(client: Client, access: readonly AccessRule[], log: Log, signal: AbortSignal): Promise<void> {
  try {
    for (const permission of await selfCheckAccess(client, access, signal))
      log.error(`RBAC does not allow: ${permission}. Add it to this account's ClusterRole`);
  } catch (error) {
    log.warn('permissions could not be checked; going on', { error });
  }
}

// A standby is ready as soon as it could lead: rollouts wait for readiness.
function readiness({ waitsFor, work, election }: Standing): HttpAnswer {
  if (waitsFor !== undefined) return { status: 503, body: `not ready: ${waitsFor}\n` };
  const isWorking = election === undefined || election.isLeader;
  return isWorking && work?.isReady() !== true ? { status: 503, body: 'not ready: caches are not in sync yet\n' } : { status: 200, body: 'ok' };
}

async function serveHttp(options: ComponentOptions, metrics: Metrics, standing: Standing, log: Log): Promise<HttpEndpoint | undefined> {
  if (options.httpEndpoint === '') return undefined;
  const leaderElection = (): HttpAnswer => {
    const late = standing.election?.health();
    return late === undefined ? { status: 200, body: 'ok' } : { status: 500, body: `${late}\n` };
  };
  const routes = {
    [options.metricsPath]: async (): Promise<HttpAnswer> => ({ status: 200, body: await metrics.text(), contentType: metrics.contentType }),
    '/readyz': () => readiness(standing),
    '/healthz': (): HttpAnswer => ({ status: 200, body: 'ok' }),
    ...(options.leaderElection === undefined ? {} : { '/healthz/leader-election': leaderElection }),
  };
  return startHttpEndpoint({ address: options.httpEndpoint, routes, log });
}
