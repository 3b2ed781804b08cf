// How to reach an API server: from a kubeconfig file, from inside a pod, or from client-node's KubeConfig.
// The common kubeconfig forms are read here; those that need a program (exec plugins) are left to client-node,
// which is only then loaded: it would triple the memory of an idle sidecar.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { delimiter, dirname, resolve } from 'node:path';
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

type Environment = Readonly<Record<string, string | undefined>>;

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

/** Reads the token now and then anew. While the file cannot be read, the token that was read last is used on. */
function tokenFromFile(path: string): () => Promise<string | undefined> {
  let token: string | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - readAt <= TOKEN_FRESH_MS) return token;
    try {
      token = (await readFile(path, 'utf8')).trim();
    } catch (error) {
      if (token === undefined) throw new ConnectionError(`the token file ${path} cannot be read: ${(error as Error).message}`, { cause: error });
    }
    readAt = performance.now();
    return token;
  };
}

async function inCluster(env: Environment, directory: string): Promise<Connection> {
  const host = env['KUBERNETES_SERVICE_HOST'];
  const port = env['KUBERNETES_SERVICE_PORT'] ?? '443';
  if (host === undefined || host === '' || !existsSync(`${directory}/token`)) {
    throw new ConnectionError('no API server is known: give --kubeconfig, set KUBECONFIG, or run in a pod with a service account');
  }
  const namespace = await readFile(`${directory}/namespace`, 'utf8').catch(() => 'default');
  const ca = await readFile(`${directory}/ca.crt`, 'utf8').catch((error: Error) => {
    throw new ConnectionError(`the service account's ${directory}/ca.crt cannot be read: ${error.message}`, { cause: error });
  });
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: namespace.trim(),
    tls: { ca },
    token: tokenFromFile(`${directory}/token`),
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
  const file = entry[field];
  let text: string;
  if (typeof data === 'string' && data !== '') text = Buffer.from(data, 'base64').toString('utf8');
  else if (typeof file === 'string' && file !== '') {
    text = await readFile(resolve(dirname(path), file), 'utf8').catch((error: Error) => {
      throw new ConnectionError(`kubeconfig ${path} names the ${field} ${file}, which cannot be read: ${error.message}`, { cause: error });
    });
  } else return undefined;
  if (!text.includes('-----BEGIN ')) throw new ConnectionError(`kubeconfig ${path}: the ${field} is no PEM text; look at ${field} and ${field}-data`);
  return text;
}

async function parsed(path: string): Promise<KubeConfigFile> {
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new ConnectionError(`the kubeconfig ${path} cannot be read: ${error.message}`, { cause: error });
  });
  const { parse } = await import('yaml');
  try {
    return (parse(text) ?? {}) as KubeConfigFile;
  } catch (error) {
    throw new ConnectionError(`the kubeconfig ${path} is no YAML: ${(error as Error).message}`, { cause: error });
  }
}

async function fromFile(path: string): Promise<Connection> {
  const file = await parsed(path);
  const contextName = file['current-context'];
  const { context } = named(file.contexts, contextName, 'context', path);
  const where = `${path} (context "${contextName ?? ''}")`;
  const { cluster } = named(file.clusters, context.cluster, 'cluster', where);
  const user = context.user === undefined || context.user === '' ? {} : named(file.users, context.user, 'user', where).user;
  if (user['exec'] !== undefined || user['auth-provider'] !== undefined) return throughClientNode(path);
  refuseUnsupported(cluster, user, where);
  return {
    server: serverOf(cluster, context.cluster, where),
    namespace: context.namespace ?? 'default',
    tls: await tlsOf(cluster, user, path),
    ...tokenOf(user, path),
  };
}

/** What would silently act differently if it were ignored. */
function refuseUnsupported(cluster: Record<string, unknown>, user: Record<string, unknown>, where: string): void {
  const { 'proxy-url': proxy } = cluster;
  const { as: other } = user;
  if (proxy !== undefined)
    throw new ConnectionError(`kubeconfig ${where} asks for the proxy ${JSON.stringify(proxy)}; proxies are not supported, connect directly`);
  if (other !== undefined) throw new ConnectionError(`kubeconfig ${where} asks to act as ${JSON.stringify(other)}; impersonation is not supported`);
}

function serverOf(cluster: Record<string, unknown>, name: string, where: string): string {
  const server = cluster['server'];
  if (typeof server !== 'string' || server === '') throw new ConnectionError(`kubeconfig ${where}: cluster "${name}" has no server`);
  const url = URL.parse(server);
  if (url?.protocol !== 'https:' && url?.protocol !== 'http:')
    throw new ConnectionError(`kubeconfig ${where}: the server "${server}" of cluster "${name}" is no http or https URL`);
  return server;
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
  if (typeof file === 'string' && file !== '') return { token: tokenFromFile(resolve(dirname(path), file)) };
  const token = user['token'];
  return typeof token === 'string' && token !== '' ? { token: () => Promise.resolve(token) } : {};
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
export async function loadConnection(options: { kubeconfig?: string; env?: Environment; serviceAccountDir?: string } = {}): Promise<Connection> {
  const env = options.env ?? process.env;
  const path = options.kubeconfig || env['KUBECONFIG'] || '';
  if (path === '') return inCluster(env, options.serviceAccountDir ?? SERVICE_ACCOUNT_DIR);
  if (path.includes(delimiter) && !existsSync(path))
    throw new ConnectionError(`KUBECONFIG names several files (${path}); only one is supported, name the one to use`);
  return fromFile(path);
}
