// A webhook that a real API server calls over TLS, as it does in a cluster: registered by configurations, found by its
// Service. Only the service network is missing, so the API server is told where the Service is.
import { customResourceDefinitions, snapshotCrds, type KubeObject, type Resource } from '@snapshot-stack/api-types';
import { startApiServer, type ApiServer, type ApiServerOptions } from '@snapshot-stack/apiserver';
import { createClient, createMetrics, silentLog, systemClock, type Client, type Metrics } from '@snapshot-stack/runtime';
import { createWebhook, type Webhook, type WebhookOptions } from '@snapshot-stack/webhook';
import { fixedSource, makeAuthority, type TestAuthority } from './certificate.ts';

export const SERVICE = { namespace: 'kube-system', name: 'snapshot-validation-service' };

export const webhookConfigurations: Resource<KubeObject & { webhooks?: object[] }> = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'validatingwebhookconfigurations',
  kind: 'ValidatingWebhookConfiguration',
  namespaced: false,
};

export interface SceneOptions {
  readonly webhook?: Partial<WebhookOptions>;
  readonly api?: ApiServerOptions;
  readonly failurePolicy?: 'Fail' | 'Ignore';
  /** Puts hooks around the webhook's own client, or gives it another. */
  readonly wrap?: (own: Client, admin: ApiServer['adminConnection']) => Client;
  /** Does not wait for the webhook's caches. */
  readonly unsynced?: boolean;
  /** Leaves the configurations to the test. */
  readonly unregistered?: boolean;
}

export interface Scene {
  readonly api: ApiServer;
  /** An administrator's. */
  readonly client: Client;
  readonly webhook: Webhook;
  readonly authority: TestAuthority;
  readonly certificates: ReturnType<typeof fixedSource>;
  readonly metrics: Metrics;
  readonly port: number;
  /** A client with a user's token; see `tokens`. */
  clientOf(token: string): Client;
  /** Asks the webhook to end; resolves when it has. */
  stopWebhook(): Promise<void>;
  stop(): Promise<void>;
}

export function configurationFor(caBundle: string, failurePolicy: 'Fail' | 'Ignore', rules: object[], path = '/validate'): KubeObject & { webhooks: object[] } {
  return {
    metadata: { name: 'validation-webhook.snapshot.storage.k8s.io' },
    webhooks: [
      {
        name: 'validation-webhook.snapshot.storage.k8s.io',
        clientConfig: { service: { ...SERVICE, path }, caBundle },
        rules,
        failurePolicy,
        sideEffects: 'None',
        admissionReviewVersions: ['v1'],
        timeoutSeconds: 5,
      },
    ],
  };
}

export const allRules = [
  {
    operations: ['CREATE', 'UPDATE'],
    apiGroups: ['snapshot.storage.k8s.io', 'groupsnapshot.storage.k8s.io'],
    apiVersions: ['v1'],
    resources: ['*/*'],
  },
];

export async function startScene(options: SceneOptions = {}): Promise<Scene> {
  let port = 0;
  const resolveService = (): string | undefined => (port === 0 ? undefined : `https://127.0.0.1:${port}`);
  const api = await startApiServer({ crds: snapshotCrds(), resolveService, ...options.api });
  const client = createClient(api.adminConnection, { userAgent: 'admin/1' });
  const own = createClient(api.adminConnection, { userAgent: 'snapshot-webhook/1' });
  const authority = await makeAuthority([`${SERVICE.name}.${SERVICE.namespace}.svc`, 'localhost']);
  const certificates = fixedSource(await authority.issue());
  const metrics = createMetrics();
  const webhook = createWebhook({
    client: options.wrap?.(own, api.adminConnection) ?? own,
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    metrics,
    certificates,
    port: 0,
    host: '127.0.0.1',
    drainMs: 0,
    preventVolumeModeConversion: true,
    ...options.webhook,
  });
  const end = new AbortController();
  const running = webhook.run(end.signal);
  port = await webhook.serving;
  if (options.unsynced !== true) await webhook.synced(AbortSignal.timeout(10_000));
  if (options.unregistered !== true) await register(client, authority, options.failurePolicy ?? 'Fail');
  const stopWebhook = async (): Promise<void> => {
    end.abort();
    await running;
  };
  const others: Client[] = [];
  return {
    api,
    client,
    webhook,
    authority,
    certificates,
    metrics,
    port,
    clientOf: (token) => {
      const { server, namespace, tls } = api.adminConnection;
      const other = createClient({ server, namespace, tls: { ca: tls.ca }, token: () => Promise.resolve(token) }, { userAgent: 'user/1' });
      others.push(other);
      return other;
    },
    stopWebhook,
    stop: async () => {
      await stopWebhook();
      for (const one of [client, own, ...others]) one.close();
      await api.stop();
    },
  };
}

async function register(client: Client, authority: TestAuthority, failurePolicy: 'Fail' | 'Ignore'): Promise<void> {
  await client.create(webhookConfigurations, configurationFor(authority.caBundle, failurePolicy, allRules));
  const conversion = {
    strategy: 'Webhook',
    webhook: { conversionReviewVersions: ['v1'], clientConfig: { service: { ...SERVICE, path: '/convert' }, caBundle: authority.caBundle } },
  };
  const name = 'volumegroupsnapshotcontents.groupsnapshot.storage.k8s.io';
  await client.patch(customResourceDefinitions, { name }, { kind: 'merge', body: { spec: { conversion } } });
}

/** Waits for a condition, looking again every few milliseconds; fails after 10 s. */
export async function waitFor(condition: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const end = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`waited ${timeoutMs} ms in vain for: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
