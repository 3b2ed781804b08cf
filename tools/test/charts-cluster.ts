// Applies rendered objects as Argo CD does: server-side, with every field checked.
import type { KubeObject } from '@snapshot-stack/api-types';
import type { Client } from '@snapshot-stack/runtime';

export interface Applied {
  /** Path of each object → its resourceVersion afterwards. */
  versions: Record<string, string>;
  paths: string[];
  /** What the server warned of, but for PodSecurity. */
  warnings: string[];
  podSecurity: string[];
}

interface ApiResource {
  name: string;
  kind: string;
  namespaced: boolean;
}

async function pathOf(client: Client, { apiVersion = 'v1', kind, metadata }: KubeObject): Promise<string> {
  const base = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const { body } = await client.raw('GET', base);
  const resource = (body as { resources: ApiResource[] }).resources.find((one) => one.kind === kind && !one.name.includes('/'));
  if (resource === undefined) throw new Error(`${apiVersion} ${kind} is not served`);
  return `${base}${resource.namespaced ? `/namespaces/${metadata.namespace ?? 'default'}` : ''}/${resource.name}/${metadata.name}`;
}

/** @throws KubeError for an object that the server does not take */
export async function applied(client: Client, objects: readonly KubeObject[]): Promise<Applied> {
  const result: Applied = { versions: {}, paths: [], warnings: [], podSecurity: [] };
  for (const object of objects) {
    const path = await pathOf(client, object);
    const query = { fieldManager: 'argocd', force: 'true', fieldValidation: 'Strict' };
    const { body, headers } = await client.raw('PATCH', path, { query, body: object, contentType: 'application/apply-patch+yaml' });
    const warning = String(headers['warning'] ?? '');
    if (warning !== '') (warning.includes('PodSecurity') ? result.podSecurity : result.warnings).push(`${path}: ${warning}`);
    result.versions[path] = (body as KubeObject).metadata.resourceVersion ?? '';
    result.paths.push(path);
  }
  return result;
}

const text = { type: 'string' };
const labels = { type: 'object', additionalProperties: text };
const selector = { type: 'object', properties: { matchLabels: labels } };

function definition(group: string, version: string, kind: string, plural: string, spec: object): object {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [{ name: version, served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', properties: { spec } } } }],
    },
  };
}

const endpoint = {
  type: 'object',
  properties: {
    port: text,
    path: text,
    interval: text,
    scheme: { enum: ['http', 'https'], type: 'string' },
    tlsConfig: { type: 'object', properties: { insecureSkipVerify: { type: 'boolean' } } },
  },
};
const endpoints = { type: 'array', items: endpoint };
const rule = { type: 'object', required: ['expr'], properties: { alert: text, expr: text, for: text, labels, annotations: labels } };

/** What the charts use of the Prometheus operator and of cert-manager, field by field: a misspelt one is refused. */
export const foreignCrds: readonly object[] = [
  definition('monitoring.coreos.com', 'v1', 'ServiceMonitor', 'servicemonitors', {
    type: 'object',
    required: ['endpoints', 'selector'],
    properties: { selector, endpoints },
  }),
  definition('monitoring.coreos.com', 'v1', 'PodMonitor', 'podmonitors', {
    type: 'object',
    required: ['selector'],
    properties: { selector, podMetricsEndpoints: endpoints },
  }),
  definition('monitoring.coreos.com', 'v1', 'PrometheusRule', 'prometheusrules', {
    type: 'object',
    properties: { groups: { type: 'array', items: { type: 'object', required: ['name'], properties: { name: text, rules: { type: 'array', items: rule } } } } },
  }),
  definition('cert-manager.io', 'v1', 'Issuer', 'issuers', { type: 'object', properties: { selfSigned: { type: 'object' } } }),
  definition('cert-manager.io', 'v1', 'Certificate', 'certificates', {
    type: 'object',
    required: ['issuerRef', 'secretName'],
    properties: {
      secretName: text,
      dnsNames: { type: 'array', items: text },
      privateKey: { type: 'object', properties: { algorithm: text, size: { type: 'integer' }, rotationPolicy: text } },
      issuerRef: { type: 'object', required: ['name'], properties: { name: text, kind: text, group: text } },
    },
  }),
];
