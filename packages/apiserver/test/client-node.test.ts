// The client that most controllers in TypeScript have, as a service account with the rights of its role and no more.
import { CoreV1Api, KubeConfig, RbacAuthorizationV1Api, makeInformer, type V1ConfigMap } from '@kubernetes/client-node';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { afterAll, beforeAll, expect, it } from 'vitest';

let api: ApiServer;
let admin: KubeConfig;

beforeAll(async () => {
  api = await startApiServer();
  admin = new KubeConfig();
  admin.loadFromString(api.kubeconfig);
});
afterAll(() => api.stop());

/** A kubeconfig of a new service account that may do this with config maps of the default namespace. */
async function accountWith(name: string, verbs: string[]): Promise<KubeConfig> {
  const core = admin.makeApiClient(CoreV1Api);
  const rbac = admin.makeApiClient(RbacAuthorizationV1Api);
  await core.createNamespacedServiceAccount({ namespace: 'default', body: { metadata: { name } } });
  await rbac.createNamespacedRole({ namespace: 'default', body: { metadata: { name }, rules: [{ apiGroups: [''], resources: ['configmaps'], verbs }] } });
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name };
  await rbac.createNamespacedRoleBinding({
    namespace: 'default',
    body: { metadata: { name }, roleRef, subjects: [{ kind: 'ServiceAccount', name, namespace: 'default' }] },
  });
  const { status } = await core.createNamespacedServiceAccountToken({ namespace: 'default', name, body: { spec: { audiences: [] } } });
  const cluster = admin.getCurrentCluster();
  const config = new KubeConfig();
  config.loadFromOptions({
    clusters: [cluster],
    users: [{ name, token: status?.token }],
    contexts: [{ name, cluster: cluster?.name, user: name }],
    currentContext: name,
  });
  return config;
}

it('an informer follows additions, changes and deletions', async () => {
  const config = await accountWith('watcher', ['list', 'watch']);
  const core = config.makeApiClient(CoreV1Api);
  const seen: string[] = [];
  const informer = makeInformer<V1ConfigMap>(config, '/api/v1/namespaces/default/configmaps', () => core.listNamespacedConfigMap({ namespace: 'default' }));
  for (const event of ['add', 'update', 'delete'] as const)
    informer.on(event, (object) => void seen.push(`${event} ${object.metadata?.name ?? ''} ${object.data?.['a'] ?? ''}`));
  informer.on('error', (error: unknown) => void seen.push(`error ${String(error)}`));
  await informer.start();
  const writer = admin.makeApiClient(CoreV1Api);
  await writer.createNamespacedConfigMap({ namespace: 'default', body: { metadata: { name: 'one' }, data: { a: '1' } } });
  await writer.replaceNamespacedConfigMap({ namespace: 'default', name: 'one', body: { metadata: { name: 'one' }, data: { a: '2' } } });
  await writer.deleteNamespacedConfigMap({ namespace: 'default', name: 'one' });
  await expect.poll(() => seen, { timeout: 10_000 }).toEqual(['add one 1', 'update one 2', 'delete one 2']);
  await informer.stop();
});

it('a client without the right to write is told so', async () => {
  const config = await accountWith('reader', ['get']);
  const core = config.makeApiClient(CoreV1Api);
  const refused = core.createNamespacedConfigMap({ namespace: 'default', body: { metadata: { name: 'two' } } });
  await expect(refused).rejects.toMatchObject({ code: 403 });
  await expect(core.readNamespacedConfigMap({ namespace: 'default', name: 'two' })).rejects.toMatchObject({ code: 404 });
});
