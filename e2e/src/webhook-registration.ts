// Registers the webhook with the embedded API server, as the chart does in a cluster: without a caBundle, which the
// webhook writes itself.
import { GROUP_SNAPSHOT_GROUP, SNAPSHOT_GROUP, snapshotKinds, type KubeObject, type Resource } from '@snapshot-stack/api-types';
import { WEBHOOK_SERVICE } from '@snapshot-stack/local-stack';
import type { Client } from '@snapshot-stack/runtime';
import { until } from './wait.ts';

type Configuration = KubeObject & { webhooks?: { name: string; clientConfig: { service: object; caBundle?: string } }[] };

const configurations: Resource<Configuration> = {
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  plural: 'validatingwebhookconfigurations',
  kind: 'ValidatingWebhookConfiguration',
  namespaced: false,
};

function configurationFor(group: string): Configuration {
  const name = `validation-webhook.${group}`;
  const resources = snapshotKinds.filter((kind) => kind.group === group).map(({ plural }) => plural);
  const webhook = {
    name,
    clientConfig: { service: { ...WEBHOOK_SERVICE, path: '/validate' } },
    rules: [{ apiGroups: [group], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources }],
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    failurePolicy: 'Ignore',
  };
  return { metadata: { name }, webhooks: [webhook] };
}

/** Resolves when the API server trusts the webhook. */
export async function registerWebhook(client: Client): Promise<void> {
  for (const group of [SNAPSHOT_GROUP, GROUP_SNAPSHOT_GROUP]) {
    const configuration = await client.create(configurations, configurationFor(group));
    const ref = { name: configuration.metadata.name ?? '' };
    await until(
      client,
      configurations,
      ref,
      'trusted',
      (object) => object?.webhooks?.every(({ clientConfig }) => clientConfig.caBundle !== undefined) === true,
    );
  }
}
