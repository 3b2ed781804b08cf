// Puts the server together: store, resources, authentication, HTTPS. Everything it is made of can be had apart;
// this is the only place that knows all of it.
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { KubeObject } from '@snapshot-stack/api-types';
import { builtinAdmission } from './admission/builtin.ts';
import { chainAdmission } from './admission/chain.ts';
import { podSecurity } from './admission/pod-security/pod-security.ts';
import { serviceAddresses } from './admission/service-address.ts';
import { Webhooks } from './admission/webhooks.ts';
import { Access } from './auth/access.ts';
import { Authenticator } from './auth/authenticator.ts';
import { bootstrapClusterRoleBindings, bootstrapClusterRoles } from './auth/bootstrap-roles.ts';
import { isUsable, issue, makeAuthority, type KeyPair } from './auth/certificates.ts';
import { escalationAdmission } from './auth/escalation.ts';
import { Rbac } from './auth/rbac.ts';
import { Reviews } from './auth/reviews.ts';
import { ServiceAccountTokens, makeSigningKey } from './auth/service-account-tokens.ts';
import { builtinResources } from './builtin/resources.ts';
import { Faults } from './faults/faults.ts';
import { callWebhook } from './http/call-webhook.ts';
import { refuseClient } from './http/client-error.ts';
import { Handler } from './http/handler.ts';
import { ManagedFields } from './managed-fields/managed-fields.ts';
import { RequestLog, type RequestRecord } from './http/request-log.ts';
import { DEFINITIONS, Definitions } from './crd/definitions.ts';
import { Presenter } from './crd/presenter.ts';
import { Catalogue } from './registry/catalogue.ts';
import type { CustomResourceDefinition } from './registry/custom.ts';
import { Writer, type User } from './registry/writer.ts';
import { makeDurable } from './store/sqlite-journal.ts';
import { Store } from './store/store.ts';
import { StatusError } from './status.ts';

/** Source: kube-apiserver gives a conversion webhook 30 seconds. */
const CONVERSION_TIMEOUT_MS = 30_000;
const SYSTEM_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];
const ADMIN: User = { name: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] };

export interface ApiServerOptions {
  /** CustomResourceDefinitions: objects, YAML or JSON files, or folders of such files. */
  crds?: readonly (string | object)[];
  /** 0, the default, picks a free port. */
  port?: number;
  /** Where certificates and the kubeconfig are written (and found again); nowhere by default. */
  dir?: string;
  /** Where objects are kept; in memory by default. */
  dataDir?: string;
  /** Changes per resource that watches can resume over. */
  historySize?: number;
  /**
   * Where a Service that a webhook's clientConfig names is to be reached, as `https://127.0.0.1:8443`: there is no
   * service network here. undefined refuses the call.
   */
  resolveService?: (service: { namespace: string; name: string; path?: string; port?: number }) => string | undefined;
  /** Bearer tokens and whom they stand for. */
  tokens?: ReadonlyMap<string, User>;
}

export interface ApiServer {
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  /** An administrator's kubeconfig, as YAML. */
  readonly kubeconfig: string;
  /** Its file, where a folder was given. */
  readonly kubeconfigPath: string | undefined;
  /** The same as values: base URL, namespace and PEM texts. */
  readonly adminConnection: { server: string; namespace: string; tls: { ca: string; cert: string; key: string } };
  /** The last requests, oldest first. */
  readonly requests: readonly RequestRecord[];
  clearRequests(): void;
  readonly faults: Faults;
  stop(): Promise<void>;
}

interface Identity {
  authority: KeyPair;
  serving: KeyPair;
  admin: KeyPair;
}

async function makeIdentity(authority: KeyPair | undefined, now: Date): Promise<Identity> {
  const ca = authority ?? (await makeAuthority('snapshot-stack-apiserver', now));
  const serving = issue(ca, {
    commonName: 'kube-apiserver',
    dnsNames: ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc'],
    addresses: ['127.0.0.1', '::1'],
    now,
  });
  const admin = issue(ca, { commonName: ADMIN.name, organizations: ['system:masters'], now });
  return { authority: ca, serving: await serving, admin: await admin };
}

async function readPair(dir: string, name: string): Promise<KeyPair | undefined> {
  const [cert, key] = [join(dir, `${name}.crt`), join(dir, `${name}.key`)];
  if (!existsSync(cert) || !existsSync(key)) return undefined;
  return { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
}

/** The identity kept in a folder, so that a kubeconfig stays good over a restart; made where it is missing. */
async function loadIdentity(dir: string | undefined, now: Date): Promise<Identity> {
  if (dir === undefined) return makeIdentity(undefined, now);
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const [authority, serving, admin] = [await readPair(dir, 'ca'), await readPair(dir, 'apiserver'), await readPair(dir, 'admin')];
  if (authority !== undefined && serving !== undefined && admin !== undefined && isUsable(serving, authority, now) && isUsable(admin, authority, now))
    return { authority, serving, admin };
  const made = await makeIdentity(authority, now);
  for (const [name, pair] of [
    ['ca', made.authority],
    ['apiserver', made.serving],
    ['admin', made.admin],
  ] as const) {
    await writeFile(join(dir, `${name}.crt`), pair.cert, { mode: 0o644 });
    await writeFile(join(dir, `${name}.key`), pair.key, { mode: 0o600 });
  }
  return made;
}

/** The key of service-account tokens, kept beside the certificates so that tokens outlive a restart. */
async function loadSigningKey(dir: string | undefined): Promise<string> {
  if (dir === undefined) return makeSigningKey();
  const path = join(dir, 'sa.key');
  if (existsSync(path)) return readFile(path, 'utf8');
  const key = makeSigningKey();
  await writeFile(path, key, { mode: 0o600 });
  return key;
}

function kubeconfigFor(url: string, { authority, admin }: Identity): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  return `apiVersion: v1
kind: Config
clusters:
- name: snapshot-stack
  cluster:
    server: ${url}
    certificate-authority-data: ${base64(authority.cert)}
users:
- name: admin
  user:
    client-certificate-data: ${base64(admin.cert)}
    client-key-data: ${base64(admin.key)}
contexts:
- name: snapshot-stack
  context:
    cluster: snapshot-stack
    user: admin
current-context: snapshot-stack
`;
}

/** @throws Error naming the file that cannot be read or holds no CustomResourceDefinition */
async function loadDefinitions(sources: readonly (string | object)[]): Promise<CustomResourceDefinition[]> {
  const found: CustomResourceDefinition[] = [];
  for (const source of sources) {
    if (typeof source !== 'string') {
      found.push(source as CustomResourceDefinition);
      continue;
    }
    const files = (await stat(source)).isDirectory()
      ? (await readdir(source)).filter((name) => /\.(ya?ml|json)$/.test(name)).map((name) => join(source, name))
      : [source];
    const { parseAllDocuments } = await import('yaml');
    for (const file of files.sort()) {
      for (const document of parseAllDocuments(await readFile(file, 'utf8'))) {
        const object = document.toJS() as KubeObject | null;
        if (object?.kind === 'CustomResourceDefinition') found.push(object as CustomResourceDefinition);
      }
    }
  }
  return found;
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1');
  const failed = new Promise<never>((_resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new Error(`port ${port} is in use; choose another with --port, or 0 for a free one`, { cause: error }) : error);
    });
  });
  await Promise.race([once(server, 'listening'), failed]);
  return (server.address() as AddressInfo).port;
}

/**
 * Starts an API server on 127.0.0.1. It serves when the promise resolves.
 * @throws Error when the port is in use, or a definition or the data folder cannot be read
 */
export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const now = (): Date => new Date();
  // Keys are made while definitions are read.
  const [identity, crds] = await Promise.all([loadIdentity(options.dir, now()), loadDefinitions(options.crds ?? [])]);
  const store = new Store(options.historySize === undefined ? {} : { historySize: options.historySize });
  if (options.dataDir !== undefined) makeDurable(store, options.dataDir);
  const catalogue = new Catalogue();
  for (const definition of builtinResources) catalogue.add(definition);
  const fields = new ManagedFields(now);
  const rbac = new Rbac(store);
  const serviceAccounts = new ServiceAccountTokens({ key: await loadSigningKey(options.dir), store, now });
  const authenticator = new Authenticator({ tokens: options.tokens ?? new Map(), serviceAccounts });
  const services = options.resolveService === undefined ? {} : { resolveService: options.resolveService };
  const presenter = new Presenter((webhook, review) =>
    callWebhook({ config: webhook.clientConfig ?? {}, body: review, timeoutMs: CONVERSION_TIMEOUT_MS, ...services }),
  );
  const writer = new Writer({
    store,
    presenter,
    admission: chainAdmission([
      builtinAdmission(store),
      serviceAddresses(store),
      escalationAdmission(rbac),
      podSecurity(store),
      new Webhooks({ store, catalogue, resolveService: options.resolveService }),
    ]),
    fields,
    now,
    random: Math.random,
  });
  const log = new RequestLog(Date.now);
  const faults = new Faults(store);
  const definitions = new Definitions(store, catalogue, now);
  let port = options.port ?? 0;
  const handler = new Handler({
    store,
    presenter,
    catalogue,
    writer,
    fields,
    access: new Access({ authenticator, rbac }),
    reviews: new Reviews({ rbac, authenticator, serviceAccounts, store, now }),
    log,
    faults,
    address: () => `127.0.0.1:${port}`,
    onDefinitions: () => definitions.refresh(),
  });
  await bootstrap(writer, catalogue, store, crds);
  await definitions.refresh();
  const tls = { cert: identity.serving.cert, key: identity.serving.key, ca: identity.authority.cert, requestCert: true, rejectUnauthorized: false };
  const server = createServer(
    { ...tls, keepAliveTimeout: 120_000, headersTimeout: 10_000, requestTimeout: 60_000, maxHeaderSize: 64 * 1024 },
    (request, response) => void handler.handle(request, response),
  );
  server.on('clientError', refuseClient);
  port = await listen(server, port);
  const url = `https://127.0.0.1:${port}`;
  const kubeconfig = kubeconfigFor(url, identity);
  const kubeconfigPath = options.dir === undefined ? undefined : join(options.dir, 'kubeconfig');
  if (kubeconfigPath !== undefined) await writeFile(kubeconfigPath, kubeconfig, { mode: 0o600 });
  return {
    url,
    kubeconfig,
    kubeconfigPath,
    adminConnection: { server: url, namespace: 'default', tls: { ca: identity.authority.cert, cert: identity.admin.cert, key: identity.admin.key } },
    get requests() {
      return log.all();
    },
    clearRequests: () => log.clear(),
    faults,
    stop: async () => {
      faults.clear();
      faults.breakWatches();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      store.close();
    },
  };
}

/** What a cluster has from its first moment: the system's namespaces, and the given definitions. */
async function bootstrap(writer: Writer, catalogue: Catalogue, store: Store, crds: readonly CustomResourceDefinition[]): Promise<void> {
  const context = { user: ADMIN, dryRun: false, fieldManager: 'kube-apiserver', options: {}, warn: () => {} };
  const namespaces = catalogue.find('', 'v1', 'namespaces');
  const crdResource = catalogue.find('apiextensions.k8s.io', 'v1', 'customresourcedefinitions');
  if (namespaces === undefined || crdResource === undefined) throw new Error('the built-in resources lack namespaces or customresourcedefinitions');
  for (const name of SYSTEM_NAMESPACES) {
    if (store.collection('/namespaces').get(name) !== undefined) continue;
    await writer.create(namespaces, undefined, { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }, context);
  }
  for (const [plural, objects] of [
    ['clusterroles', bootstrapClusterRoles],
    ['clusterrolebindings', bootstrapClusterRoleBindings],
  ] as const) {
    const definition = catalogue.find('rbac.authorization.k8s.io', 'v1', plural);
    const collection = store.collection(`rbac.authorization.k8s.io/${plural}`);
    const missing = objects.filter((object) => collection.get(object.metadata.name ?? '') === undefined);
    if (definition !== undefined) await Promise.all(missing.map((object) => writer.create(definition, undefined, object, context)));
  }
  for (const crd of crds) {
    const name = crd.metadata.name ?? '';
    if (store.collection(DEFINITIONS).get(name) === undefined) await writer.create(crdResource, undefined, crd, context);
    else {
      await writer
        .update(crdResource, undefined, name, undefined, (current) => ({ ...current, spec: crd.spec }) as KubeObject, context)
        .catch((error: unknown) => {
          throw error instanceof StatusError ? new Error(`the definition ${name} cannot be used: ${error.message}`, { cause: error }) : error;
        });
    }
  }
}
