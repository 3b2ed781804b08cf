// The components as processes, each with a token of its chart's ServiceAccount and nothing more: a snapshot is taken,
// restored and deleted, under the webhook's eyes. A verb that the charts forget fails this test.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  persistentVolumeClaims,
  storageClasses,
  volumeSnapshotClasses,
  volumeSnapshotContents,
  volumeSnapshots,
  type KubeObject,
} from '@snapshot-stack/api-types';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { ManagedProcess, commandOf, instancesOf, paths, removeRemains, type ComponentName, type StackLayout } from '@snapshot-stack/local-stack';
import { createClient, type Client } from '@snapshot-stack/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { HELM_PIN, findOrBuildHelm, runHelm } from '../src/charts/helm.ts';
import { applied, foreignCrds } from './charts-cluster.ts';

const found = await findOrBuildHelm();
const root = process.getuid?.() === 0 ? '' : 'mounts need root';
const missing = found.kind === 'missing' ? found.why : root;
const NAMESPACE = 'kube-system';
const DRIVER = 'hostpath.csi.k8s.io';
const WEBHOOK_PORT = 20_000 + (process.pid % 20_000);

/** Which account each component has in the charts. */
const ACCOUNTS: Partial<Record<ComponentName, string>> = {
  'snapshot-controller': 'snapshot-controller',
  webhook: 'snapshot-webhook',
  'csi-snapshotter': 'csi-hostpath',
  provisioner: 'csi-hostpath',
};

/** As the charts have them. */
const OWN_FLAGS: Readonly<Record<string, readonly string[]>> = {
  'snapshot-controller': ['--leader-election', `--leader-election-namespace=${NAMESPACE}`],
  webhook: ['--converted-crd='],
};

function rendered(chart: string, ...args: string[]): KubeObject[] {
  const path = fileURLToPath(new URL(`../../charts/${chart}`, import.meta.url));
  const { stdout } = runHelm(found.kind === 'found' ? found.helm : '', [
    'template',
    'test',
    path,
    '--namespace',
    NAMESPACE,
    '--kube-version',
    HELM_PIN.kubernetes,
    ...args,
  ]);
  return parseAllDocuments(stdout)
    .map((document) => document.toJS() as KubeObject | null)
    .filter((object) => object !== null);
}

describe.skipIf(missing !== '')(`components with their charts' permissions${missing === '' ? '' : ` (not possible here: ${missing})`}`, () => {
  let dir: string;
  let api: ApiServer;
  let admin: Client;
  let layout: StackLayout;
  let processes: ManagedProcess[] = [];

  async function kubeconfigFor(account: string): Promise<string> {
    const { body } = await admin.raw('POST', `/api/v1/namespaces/${NAMESPACE}/serviceaccounts/${account}/token`, {
      body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 3_600 } },
    });
    const { token } = (body as { status: { token: string } }).status;
    const cluster = { server: api.url, 'certificate-authority-data': Buffer.from(api.adminConnection.tls.ca).toString('base64') };
    const path = join(dir, `${account}.kubeconfig`);
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'c',
      clusters: [{ name: 'c', cluster }],
      users: [{ name: 'c', user: { token } }],
      contexts: [{ name: 'c', context: { cluster: 'c', user: 'c', namespace: NAMESPACE } }],
    };
    await writeFile(path, JSON.stringify(config), { mode: 0o600 });
    return path;
  }

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'rbac-'));
    const crds = [fileURLToPath(new URL('../../packages/api-types/crds', import.meta.url)), ...foreignCrds];
    api = await startApiServer({ dir: join(dir, 'apiserver'), crds, resolveService: () => `https://127.0.0.1:${WEBHOOK_PORT}` });
    admin = createClient(api.adminConnection, { userAgent: 'admin' });
    // The definitions are there already, as they come from the same source.
    const objects = [
      ...rendered('snapshot-controller', '--set', 'crds.enabled=false,webhook.failurePolicy=Fail'),
      ...rendered('csi-hostpath', '--set', 'mode=single'),
    ];
    await applied(admin, objects);
    const extraFlags: StackLayout['extraFlags'] = {};
    for (const [component, account] of Object.entries(ACCOUNTS)) {
      const flags = [`--kubeconfig=${await kubeconfigFor(account)}`, ...(OWN_FLAGS[component] ?? [])];
      extraFlags[component as ComponentName] = flags;
    }
    layout = {
      dir,
      stateDir: join(dir, 'state'),
      port: 0,
      webhookPort: WEBHOOK_PORT,
      nodes: ['node'],
      driverName: DRIVER,
      replicas: {},
      extraFlags,
      programs: {},
    };
    await mkdir(dirname(paths.socket(layout)), { recursive: true });
    processes = instancesOf(layout, ['hostpath-driver', 'devcluster', 'snapshot-controller', 'csi-snapshotter', 'provisioner', 'webhook']).map(
      (instance) =>
        new ManagedProcess({
          name: instance.name,
          command: commandOf(instance, layout),
          logPath: paths.log(layout, instance.name),
          detached: false,
          onUnexpectedExit: () => {},
        }),
    );
    for (const process of processes) process.start();
  }, 60_000);
  afterAll(async () => {
    for (const process of processes) await process.stop(5_000);
    admin?.close();
    await api?.stop();
    await removeRemains(dir);
    await rm(dir, { recursive: true, force: true });
  }, 60_000);

  const ref = (name: string): { name: string; namespace: string } => ({ name, namespace: 'default' });
  const claim = (name: string, from?: string): KubeObject =>
    ({
      metadata: ref(name),
      spec: {
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'immediate',
        resources: { requests: { storage: '1Mi' } },
        ...(from === undefined ? {} : { dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: from } }),
      },
    }) as KubeObject;
  const soon = { timeout: 30_000, interval: 100 };
  const bound = (name: string): Promise<void> =>
    expect.poll(async () => (await admin.get(persistentVolumeClaims, ref(name))).status?.phase, soon).toBe('Bound');

  it('can do all that a snapshot needs from its beginning to its end', { timeout: 120_000 }, async () => {
    await admin.create(storageClasses, { metadata: { name: 'immediate' }, provisioner: DRIVER, reclaimPolicy: 'Delete' });
    await admin.create(persistentVolumeClaims, claim('data'));
    await bound('data');
    // Refused until the webhook has made its certificate and is trusted: failurePolicy is Fail.
    await expect
      .poll(
        () =>
          admin.create(volumeSnapshots, { metadata: ref('snap'), spec: { source: { persistentVolumeClaimName: 'data' } } }).then(
            () => 'made',
            () => 'refused',
          ),
        soon,
      )
      .toBe('made');
    await expect.poll(async () => (await admin.get(volumeSnapshots, ref('snap'))).status?.readyToUse, soon).toBe(true);
    await admin.create(persistentVolumeClaims, claim('restored', 'snap'));
    await bound('restored');
    await expect(
      admin.create(volumeSnapshotClasses, {
        metadata: { name: 'second', annotations: { 'snapshot.storage.kubernetes.io/is-default-class': 'true' } },
        driver: DRIVER,
        deletionPolicy: 'Delete',
      }),
    ).rejects.toThrow(/already exists for driver/);
    for (const name of ['restored', 'data']) await admin.delete(persistentVolumeClaims, ref(name));
    await admin.delete(volumeSnapshots, ref('snap'));
    await expect.poll(async () => admin.find(volumeSnapshots, ref('snap')), soon).toBeUndefined();
    await expect.poll(async () => (await admin.list(volumeSnapshotContents)).items.length, soon).toBe(0);
    await expect.poll(async () => (await admin.list(persistentVolumeClaims)).items.length, soon).toBe(0);
  });

  it('asked for nothing that is not granted, and found nothing missing at start', async () => {
    const refused = api.requests.filter(({ status, user }) => status === 403 && user.startsWith('system:serviceaccount:'));
    expect(refused.map(({ verb, resource, subresource, user }) => `${user}: ${verb} ${resource}${subresource === '' ? '' : `/${subresource}`}`)).toEqual([]);
    for (const process of processes) expect(await readFile(paths.log(layout, process.name as ComponentName), 'utf8')).not.toContain('RBAC does not allow');
    const users = new Set(api.requests.map(({ user }) => user));
    for (const account of Object.values(ACCOUNTS)) expect(users).toContain(`system:serviceaccount:${NAMESPACE}:${account}`);
  });
});
