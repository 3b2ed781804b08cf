// Replicas of the webhook with certificates of their own making, behind one Service of an API server that really calls
// them over TLS. One replica can be told to lie about time, to die at a write, or to be gone.
import { customResourceDefinitions, secrets, snapshotCrds, volumeSnapshotClasses, type KubeObject, type Secret } from '@snapshot-stack/api-types';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { createClient, createMetrics, isNotFound, systemClock, type Client, type Clock, type Log, type Metrics } from '@snapshot-stack/runtime';
import { createWebhook } from '@snapshot-stack/webhook';
import { selfMadeCertificates, type SelfMadeOptions } from '../src/certificates/index.ts';
import { SERVICE, allRules, configurationFor, waitFor, webhookConfigurations } from './support/scene.ts';

export { waitFor, webhookConfigurations };
export const SECRET = { namespace: SERVICE.namespace, name: 'snapshot-webhook-certificates' };
export const CONFIGURATION = 'validation-webhook.snapshot.storage.k8s.io';
export const CRD = 'volumegroupsnapshotcontents.groupsnapshot.storage.k8s.io';

export interface ReplicaOptions {
  readonly policy?: SelfMadeOptions['policy'];
  readonly clock?: Clock;
  readonly time?: SelfMadeOptions['time'];
  readonly wrap?: (client: Client) => Client;
}

export interface Replica {
  readonly metrics: Metrics;
  /** Undefined while it may get reviews. */
  trouble(): string | undefined;
  /** Whether reviews may be sent to it. */
  isReady(): boolean;
  /** Resolves when it has ended. */
  stop(): Promise<void>;
}

export interface CertificateScene {
  readonly api: ApiServer;
  /** An administrator's. */
  readonly client: Client;
  /** Everything that replicas have logged, in debug detail. */
  readonly lines: string[];
  start(options?: ReplicaOptions): Replica;
  ready(...replicas: Replica[]): Promise<void>;
  secret(): Promise<Secret | undefined>;
  /** The caBundle of the configuration and of the CRD, decoded. */
  bundles(): Promise<[string, string]>;
  setBundle(caBundle: string): Promise<void>;
  /** Has the webhook judge an object. Rejects when API server and webhook do not understand each other. */
  review(): Promise<void>;
  stop(): Promise<void>;
}

function logInto(lines: string[]): Log {
  const line = (message: string, fields: object = {}): void => {
    const text = Object.entries(fields).map(
      ([key, value]) => `${key}=${value instanceof Error ? `${value.message} ${String(value.cause)} ${value.stack}` : JSON.stringify(value)}`,
    );
    lines.push([message, ...text].join(' '));
  };
  return { debug: line, info: line, warn: line, error: line, with: () => logInto(lines) };
}

/** The text of a PEM value of a Secret. */
export function text(secret: Secret | undefined, name: string): string {
  return Buffer.from(secret?.data?.[name] ?? '', 'base64').toString('utf8');
}

export async function startCertificateScene(): Promise<CertificateScene> {
  const lines: string[] = [];
  const replicas: (Replica & { port: number; ownClient: Client })[] = [];
  let turn = 0;
  // Endpoints of a Service: the replicas that are ready, in turns.
  const resolveService = (): string | undefined => {
    const behind = replicas.filter((one) => one.port !== 0 && one.isReady());
    const next = behind[turn++ % Math.max(1, behind.length)];
    return next === undefined ? undefined : `https://127.0.0.1:${next.port}`;
  };
  const api = await startApiServer({ crds: snapshotCrds(), resolveService });
  const client = createClient(api.adminConnection, { userAgent: 'admin/1' });
  await client.create(webhookConfigurations, configurationFor('', 'Fail', allRules));
  const conversion = { strategy: 'Webhook', webhook: { conversionReviewVersions: ['v1'], clientConfig: { service: { ...SERVICE, path: '/convert' } } } };
  await client.patch(customResourceDefinitions, { name: CRD }, { kind: 'merge', body: { spec: { conversion } } });
  const secret = (): Promise<Secret | undefined> => client.find(secrets, SECRET);
  let reviews = 0;
  const scene: CertificateScene = {
    api,
    client,
    lines,
    start: (options = {}) => {
      const replica = startReplica(api, lines, options);
      replicas.push(replica);
      return replica;
    },
    ready: async (...which) => waitFor(() => which.every((one) => one.isReady())),
    secret,
    bundles: async () => {
      const configuration = (await client.get(webhookConfigurations, { name: CONFIGURATION })) as KubeObject & {
        webhooks: { clientConfig: { caBundle?: string } }[];
      };
      const crd = (await client.get(customResourceDefinitions, { name: CRD })) as KubeObject & {
        spec: { conversion: { webhook: { clientConfig: { caBundle?: string } } } };
      };
      const decode = (value: string | undefined): string => Buffer.from(value ?? '', 'base64').toString('utf8');
      return [decode(configuration.webhooks[0]?.clientConfig.caBundle), decode(crd.spec.conversion.webhook.clientConfig.caBundle)];
    },
    setBundle: async (caBundle) => {
      const body = [{ op: 'add' as const, path: '/webhooks/0/clientConfig/caBundle', value: Buffer.from(caBundle).toString('base64') }];
      await client.patch(webhookConfigurations, { name: CONFIGURATION }, { kind: 'json', body });
    },
    review: async () => {
      const aClass = { metadata: { name: `class-${reviews++}` }, driver: 'hostpath.csi.k8s.io', deletionPolicy: 'Delete' as const };
      await client.create(volumeSnapshotClasses, aClass, { dryRun: true });
    },
    stop: async () => {
      await Promise.all(replicas.map((one) => one.stop()));
      client.close();
      await api.stop();
    },
  };
  return scene;
}

function startReplica(
  api: ApiServer,
  lines: string[],
  { policy, clock = systemClock, time, wrap }: ReplicaOptions,
): Replica & { port: number; ownClient: Client } {
  const log = logInto(lines);
  const metrics = createMetrics();
  const ownClient = createClient(api.adminConnection, { userAgent: 'snapshot-webhook/1' });
  const client = wrap?.(ownClient) ?? ownClient;
  const certificates = selfMadeCertificates({
    client,
    clock,
    random: Math.random,
    log,
    metrics,
    namespace: SECRET.namespace,
    secretName: SECRET.name,
    serviceName: SERVICE.name,
    webhookConfigurations: [CONFIGURATION, 'validation-webhook.groupsnapshot.storage.k8s.io'],
    convertedCrds: [CRD],
    ...(policy === undefined ? {} : { policy }),
    ...(time === undefined ? {} : { time }),
  });
  const webhook = createWebhook({
    client: ownClient,
    clock: systemClock,
    random: Math.random,
    log,
    metrics,
    certificates,
    port: 0,
    host: '127.0.0.1',
    drainMs: 0,
    preventVolumeModeConversion: true,
  });
  const end = new AbortController();
  const running = webhook.run(end.signal);
  const replica = {
    metrics,
    port: 0,
    ownClient,
    trouble: () => certificates.trouble(),
    isReady: () => !end.signal.aborted && webhook.readiness().status === 200,
    stop: async () => {
      end.abort();
      await running;
      ownClient.close();
    },
  };
  webhook.serving.then(
    (port) => (replica.port = port),
    () => {}, // it was stopped before; `stop` tells of anything else
  );
  return replica;
}

/** Reviews without a pause until the returned function is called, which tells how many there were and what failed. */
export function reviewAllTheTime(scene: CertificateScene): () => Promise<{ reviews: number; failures: string[] }> {
  const seen = { reviews: 0, failures: [] as string[] };
  let isOver = false;
  const lane = async (): Promise<void> => {
    while (!isOver) {
      await scene.review().catch((error: unknown) => seen.failures.push((error as Error).message));
      seen.reviews++;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const lanes = Promise.all([lane(), lane()]);
  return async () => {
    isOver = true;
    await lanes;
    return seen;
  };
}

export async function deleteSecret(client: Client): Promise<void> {
  await client.delete(secrets, SECRET).catch((error: unknown) => {
    if (!isNotFound(error)) throw error;
  });
}
