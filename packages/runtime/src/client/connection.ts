// How to reach an API server: from a kubeconfig file, from inside a pod, or from client-node's KubeConfig.
// The common kubeconfig forms are read here; those that need a program (exec plugins) are left to client-node,
// which is only then loaded: it would triple the memory of an idle sidecar.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { KubeConfig } from '@kubernetes/client-node';

export interface TlsOptions {
  ca?: string;
  cert?: string;
  key?: string;
  insecure?: boolean;
  serverName?: string;
}

export interface Connection {
  /** Base URL, for example `https://10.96.0.1:443`. */
  server: string;
  /** The namespace of the context, or of the pod. */
  namespace: string;
  /** PEM texts. */
  tls: TlsOptions;
  /** Asked before each request; answers from memory, and reads the file again when it may have changed. */
  token?: () => Promise<string | undefined>;
}

const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';
// Projected tokens are rotated well before they expire; client-go re-reads at the same pace.
const TOKEN_FRESH_MS = 60_000;

interface NamedEntry {
  name: string;
}
interface ClusterEntry extends NamedEntry {
  cluster: Record<string, string | boolean | undefined>;
}
interface UserEntry extends NamedEntry {
  user: Record<string, unknown>;
}
interface ContextEntry extends NamedEntry {
  context: { cluster: string; user?: string; namespace?: string };
}
interface KubeConfigFile {
  'current-context'?: string;
  clusters?: ClusterEntry[];
  users?: UserEntry[];
  contexts?: ContextEntry[];
}

export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
}

function tokenFromFile(path: string): () => Promise<string | undefined> {
  let token: string | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - readAt > TOKEN_FRESH_MS) {
      token = (await readFile(path, 'utf8')).trim();
      readAt = performance.now();
    }
    return token;
  };
}

async function inCluster(env: Readonly<Record<string, string | undefined>>): Promise<Connection> {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'] ?? '443';
  if (host === undefined || !existsSync(`${SERVICE_ACCOUNT_DIR}/token`)) {
    throw new ConnectionError('no API server is known: give --kubeconfig, set KUBECONFIG, or run in a pod with a service account');
  }
  const namespace = await readFile(`${SERVICE_ACCOUNT_DIR}/namespace`, 'utf8').catch(() => 'default');
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: namespace.trim(),
    tls: { ca: await readFile(`${SERVICE_ACCOUNT_DIR}/ca.crt`, 'utf8') },
    token: tokenFromFile(`${SERVICE_ACCOUNT_DIR}/token`),
  };
}

function named<E extends NamedEntry>(entries: readonly E[] | undefined, name: string | undefined, kind: string, path: string): E {
  const found = entries?.find((entry) => entry.name === name);
  if (found === undefined)
    throw new ConnectionError(`kubeconfig ${path} has no ${kind} "${name ?? ''}"; it has ${entries?.map((entry) => `"${entry.name}"`).join(', ') || 'none'}`);
  return found;
}

/** `<field>` names a file relative to the kubeconfig, `<field>-data` holds the same in base64. */
async function pem(entry: Record<string, unknown>, field: string, path: string): Promise<string | undefined> {
  const data = entry[`${field}-data`];
  if (typeof data === 'string' && data !== '') return Buffer.from(data, 'base64').toString('utf8');
  const file = entry[field];
  if (typeof file !== 'string' || file === '') return undefined;
  return readFile(resolve(dirname(path), file), 'utf8').catch((error: Error) => {
    throw new ConnectionError(`kubeconfig ${path} names the ${field} ${file}, which cannot be read: ${error.message}`, { cause: error });
  });
}

async function fromFile(path: string): Promise<Connection> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new ConnectionError(`the kubeconfig ${path} cannot be read: ${error.message}`, { cause: error });
  });
  const { parse } = await import('yaml');
  let file: KubeConfigFile;
  try {
    file = (parse(text) ?? {}) as KubeConfigFile;
  } catch (error) {
    throw new ConnectionError(`the kubeconfig ${path} is no YAML: ${(error as Error).message}`, { cause: error });
  }
  const { context } = named(file.contexts, file['current-context'], 'context', path);
  const { cluster } = named(file.clusters, context.cluster, 'cluster', path);
  const user = context.user === undefined ? {} : named(file.users, context.user, 'user', path).user;
  if (user['exec'] !== undefined || user['auth-provider'] !== undefined) return throughClientNode(path);
  if (cluster['proxy-url'] !== undefined)
    throw new ConnectionError(`kubeconfig ${path} asks for the proxy ${String(cluster['proxy-url'])}; proxies are not supported, connect directly`);
  const server = cluster['server'];
  if (typeof server !== 'string') throw new ConnectionError(`kubeconfig ${path}: cluster "${context.cluster}" has no server`);
  return {
    server,
    namespace: context.namespace ?? 'default',
    tls: await tlsOf(cluster, user, path),
    ...tokenOf(user, path),
  };
}

async function tlsOf(cluster: Record<string, unknown>, user: Record<string, unknown>, path: string): Promise<TlsOptions> {
  const [ca, cert, key] = [await pem(cluster, 'certificate-authority', path), await pem(user, 'client-certificate', path), await pem(user, 'client-key', path)];
  const serverName = cluster['tls-server-name'];
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(cluster['insecure-skip-tls-verify'] === true ? { insecure: true } : {}),
    ...(typeof serverName === 'string' ? { serverName } : {}),
  };
}

function tokenOf(user: Record<string, unknown>, path: string): Pick<Connection, 'token'> {
  const file = user['tokenFile'];
  if (typeof file === 'string') return { token: tokenFromFile(resolve(dirname(path), file)) };
  const token = user['token'];
  return typeof token === 'string' ? { token: () => Promise.resolve(token) } : {};
}

async function throughClientNode(path: string): Promise<Connection> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromFile(path);
  return connectionFromKubeConfig(config);
}

/** A connection from client-node's KubeConfig, with whatever authentication that knows. */
export async function connectionFromKubeConfig(config: KubeConfig): Promise<Connection> {
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new ConnectionError('the KubeConfig has no current cluster; call setCurrentContext first');
  const context = config.getContextObject(config.getCurrentContext());
  const options: { ca?: unknown; cert?: unknown; key?: unknown; headers?: Record<string, string> } = {};
  await config.applyToHTTPSOptions(options as Parameters<KubeConfig['applyToHTTPSOptions']>[0]);
  const text = (value: unknown): string | undefined => (value === undefined || value === null ? undefined : Buffer.from(value as string).toString('utf8'));
  const tls: TlsOptions = { insecure: cluster.skipTLSVerify };
  for (const field of ['ca', 'cert', 'key'] as const) {
    const value = text(options[field]);
    if (value !== undefined) tls[field] = value;
  }
  const token = async (): Promise<string | undefined> => {
    const fresh: { headers?: Record<string, string> } = {};
    await config.applyToHTTPSOptions(fresh as Parameters<KubeConfig['applyToHTTPSOptions']>[0]);
    return fresh.headers?.['Authorization']?.replace(/^Bearer /, '');
  };
  return { server: cluster.server, namespace: context?.namespace ?? 'default', tls, token };
}

/**
 * The connection to use: the given kubeconfig, else the file that KUBECONFIG names, else the pod's service account.
 * @throws ConnectionError naming the file and what is wrong with it
 */
export async function loadConnection(options: { kubeconfig?: string; env?: Readonly<Record<string, string | undefined>> } = {}): Promise<Connection> {
  const env = options.env ?? process.env;
  const path = options.kubeconfig || env['KUBECONFIG'] || '';
  return path === '' ? inCluster(env) : fromFile(path);
}
