// The webhook as a process: options → certificates → wire → run → exit code.
import {
  createClient,
  createLog,
  createMetrics,
  levelOf,
  loadConnection,
  runMain,
  selfCheckAccess,
  startHttpEndpoint,
  systemClock,
  type Client,
  type HttpAnswer,
  type HttpEndpoint,
  type Log,
  type Metrics,
} from '@snapshot-stack/runtime';
import { accessNeeded } from './access.ts';
import { certificateAccess, certificatesFromFiles, selfMadeCertificates, type CertificateSource } from './certificates/index.ts';
import { readOptions, type Options } from './options.ts';
import { createWebhook, type Webhook } from './wire.ts';

const NAME = 'snapshot-webhook';
const VERSION = '0.1.0';
/** Reviews wait for few questions, and a question that takes longer is of no use to them. */
const CLIENT_TIMEOUT_MS = 10_000;

interface Parts {
  client: Client;
  log: Log;
  metrics: Metrics;
  /** Of the Secret and of the Service. */
  namespace: string;
}

const makesCertificates = ({ certificates }: Options): boolean => certificates === 'self-made';

function certificatesFor(options: Options, { client, log, metrics, namespace }: Parts): CertificateSource {
  const { certFile, keyFile, certificateSecret: secretName, serviceName, webhookConfigurations, convertedCrds } = options;
  if (!makesCertificates(options)) return certificatesFromFiles({ certFile, keyFile, clock: systemClock, log, metrics });
  const parts = { client, clock: systemClock, random: Math.random, log, metrics };
  return selfMadeCertificates({ ...parts, namespace, secretName, serviceName, webhookConfigurations, convertedCrds });
}

/** Says in the log what RBAC does not allow; serving does not wait for it. */
async function checkAccess(options: Options, { client, log, namespace }: Parts, signal: AbortSignal): Promise<void> {
  const needed = [...accessNeeded, ...(makesCertificates(options) ? certificateAccess(namespace, { ...options, secretName: options.certificateSecret }) : [])];
  try {
    for (const permission of await selfCheckAccess(client, needed, signal))
      log.error(`RBAC does not allow: ${permission}. Add it to the roles of this account`);
  } catch (error) {
    if (!signal.aborted) log.warn('permissions could not be checked; going on', { error });
  }
}

async function servePlainly({ httpEndpoint, metricsPath }: Options, webhook: Webhook, { metrics, log }: Parts): Promise<HttpEndpoint | undefined> {
  if (httpEndpoint === '') return undefined;
  const routes = {
    [metricsPath]: async (): Promise<HttpAnswer> => ({ status: 200, body: await metrics.text(), contentType: metrics.contentType }),
    '/readyz': () => webhook.readiness(),
    '/healthz': (): HttpAnswer => ({ status: 200, body: 'ok' }),
  };
  return startHttpEndpoint({ address: httpEndpoint, routes, log });
}

async function main(signal: AbortSignal): Promise<number> {
  const options = readOptions(NAME, VERSION);
  const log = createLog({ name: NAME, level: levelOf(options.verbosity), format: options.logFormat });
  const connection = await loadConnection({ kubeconfig: options.kubeconfig });
  const { qps, burst } = options;
  const client = createClient(connection, { userAgent: `${NAME}/${VERSION}`, qps, burst, timeoutMs: CLIENT_TIMEOUT_MS });
  const parts = { client, log, metrics: createMetrics({ processMetrics: true }), namespace: options.namespace || connection.namespace };
  const certificates = certificatesFor(options, parts);
  const { maxBodyBytes, maxConnections } = options;
  const { port, drainMs, preventVolumeModeConversion } = options;
  const limits = { maxBodyBytes, maxConnections };
  const webhook = createWebhook({ ...parts, clock: systemClock, random: Math.random, certificates, port, limits, drainMs, preventVolumeModeConversion });
  const http = await servePlainly(options, webhook, parts);
  log.info('started', { version: VERSION, server: connection.server });
  const checking = checkAccess(options, parts, signal);
  try {
    await webhook.run(signal);
    return 0;
  } finally {
    await http?.close();
    await checking;
    client.close();
  }
}

await runMain(main);
