// The charts, rendered by real Helm: lint, every example, goldens, refusals of wrong values, and every object applied to
// the API server, strictly, twice: the second time nothing may change, or Argo CD would show a difference for ever.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { KubeObject } from '@snapshot-stack/api-types';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { flags as snapshotterFlags } from '@snapshot-stack/csi-snapshotter';
import { flags as driverFlags } from '@snapshot-stack/hostpath-driver';
import { flags as provisionerFlags } from '@snapshot-stack/provisioner';
import { createClient, type Client } from '@snapshot-stack/runtime';
import { flags as controllerFlags } from '@snapshot-stack/snapshot-controller';
import { flags as webhookFlags } from '@snapshot-stack/webhook';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { HELM_PIN, findOrBuildHelm, runHelm, runHelmBeside } from '../src/charts/helm.ts';
import { applied, foreignCrds } from './charts-cluster.ts';

const found = await findOrBuildHelm();
const helm = found.kind === 'found' ? found.helm : '';
const why = found.kind === 'found' ? '' : ` (not possible here: ${found.why})`;
const charts = fileURLToPath(new URL('../../charts/', import.meta.url));
const golden = fileURLToPath(new URL('golden/', import.meta.url));
const CHARTS = ['snapshot-controller', 'csi-hostpath'] as const;
const EXAMPLES = ['kind', 'k3s', 'production-ha'] as const;
const CASES = CHARTS.flatMap((chart) => EXAMPLES.map((example) => [chart, example] as const));

interface Container {
  name: string;
  args?: string[];
}
type Rendered = KubeObject & { spec?: { template?: { spec: { containers: Container[] } } } };

function render(chart: string, ...args: string[]): { objects: Rendered[]; text: string } {
  const { status, stdout, stderr } = runHelm(helm, [
    'template',
    'test',
    join(charts, chart),
    '--namespace',
    'kube-system',
    '--kube-version',
    HELM_PIN.kubernetes,
    ...args,
  ]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const objects = parseAllDocuments(stdout)
    .map((document) => document.toJS() as Rendered | null)
    .filter((object) => object !== null);
  return { objects, text: stdout };
}

const example = (chart: string, name: string): string[] => ['--values', join(charts, chart, 'examples', `${name}.yaml`)];
const isDefinition = ({ kind }: KubeObject): boolean => kind === 'CustomResourceDefinition';

describe.skipIf(helm === '')(`the charts${why}`, () => {
  it.each(CHARTS)('%s is what helm lint wants', (chart) => {
    const { status, stdout } = runHelm(helm, ['lint', '--strict', '--kube-version', HELM_PIN.kubernetes, join(charts, chart)]);
    expect({ status, stdout }).toMatchObject({ status: 0 });
  });

  it.each(CASES)('%s renders for %s as it did', async (chart, name) => {
    const { objects } = render(chart, ...example(chart, name));
    const shown = objects.filter((object) => !isDefinition(object));
    await expect(shown.map((object) => stringify(object)).join('---\n')).toMatchFileSnapshot(`${golden}${chart}-${name}.yaml`);
  });

  it('rendering is the same each time', () => expect(render('snapshot-controller').text).toBe(render('snapshot-controller').text));

  it.each<[string, string, string]>([
    ['snapshot-controller', 'webhook.failurePolicy=Maybe', 'failurePolicy'],
    ['snapshot-controller', 'controler.replicas=3', 'controler'],
    ['snapshot-controller', 'controller.replicas=-1', 'replicas'],
    ['snapshot-controller', 'webhook.certificates.mode=magic', 'mode'],
    ['snapshot-controller', 'snapshotClasses[0].name=a', 'driver'],
    ['csi-hostpath', 'mode=cluster', 'mode'],
    ['csi-hostpath', 'dataDir=relative', 'dataDir'],
  ])('%s refuses %s, and names it', (chart, value, named) => {
    const { status, stderr } = runHelm(helm, ['template', 'test', join(charts, chart), '--set', value, '--kube-version', HELM_PIN.kubernetes]);
    expect(status).not.toBe(0);
    expect(stderr).toContain(named);
  });

  it('a webhook with files of somebody else wants their authority', () => {
    const { status, stderr } = runHelm(helm, [
      'template',
      'test',
      join(charts, 'snapshot-controller'),
      '--set',
      'webhook.certificates.mode=files',
      '--kube-version',
      HELM_PIN.kubernetes,
    ]);
    expect({ status, stderr }).toMatchObject({ status: 1 });
    expect(stderr).toContain('webhook.certificates.caBundle is needed');
  });

  it.each(CASES)('%s for %s starts programs with flags that they know', (chart, name) => {
    const parsers: Record<string, { parse(argv: readonly string[], env?: Record<string, string>): unknown }> = {
      'snapshot-controller': controllerFlags,
      'snapshot-webhook': webhookFlags,
      'csi-snapshotter': snapshotterFlags,
      'csi-provisioner': provisionerFlags,
      'hostpath-driver': driverFlags,
    };
    const containers = render(chart, ...example(chart, name)).objects.flatMap(({ spec }) => spec?.template?.spec.containers ?? []);
    expect(containers.length).toBeGreaterThan(0);
    for (const container of containers) expect(() => parsers[container.name]?.parse(container.args ?? [], {})).not.toThrow();
    expect(containers.filter(({ name: own }) => parsers[own] === undefined)).toEqual([]);
  });

  it('alerts and dashboard ask for metrics that there are', () => {
    const known = readFileSync(fileURLToPath(new URL('../../docs/reference/metrics.md', import.meta.url)), 'utf8');
    const dashboard = readFileSync(join(charts, 'snapshot-controller/files/dashboard.json'), 'utf8');
    const alerts = parse(readFileSync(join(charts, 'snapshot-controller/files/alerts.yaml'), 'utf8')) as {
      rules: { expr: string; annotations: Record<string, string> }[];
    }[];
    const panels = (JSON.parse(dashboard) as { panels: { targets: { expr: string }[] }[] }).panels.flatMap(({ targets }) => targets);
    const rules = alerts.flatMap((group) => group.rules);
    const asked = [...panels, ...rules]
      .flatMap(({ expr }) => expr.match(/\b(?:snapshot|workqueue|csi|leader|process)_[a-z_]+/g) ?? [])
      .map((name) => name.replace(/_(bucket|count|sum)$/, ''));
    expect(asked.length).toBeGreaterThan(15);
    expect([...new Set(asked)].filter((name) => !known.includes(`\`${name}\``) && !name.startsWith('process_'))).toEqual([]);
    expect(rules.every(({ annotations }) => annotations['summary'] !== undefined && annotations['description'] !== undefined)).toBe(true);
  });
});

describe.skipIf(helm === '')(`the charts in a cluster${why}`, { timeout: 120_000 }, () => {
  let api: ApiServer;
  let client: Client;
  beforeAll(async () => {
    api = await startApiServer({ crds: foreignCrds });
    client = createClient(api.adminConnection, { userAgent: 'charts' });
    const labels = { 'pod-security.kubernetes.io/warn': 'restricted', 'pod-security.kubernetes.io/enforce': 'privileged' };
    await client.raw('PATCH', '/api/v1/namespaces/kube-system', { body: { metadata: { labels } }, contentType: 'application/merge-patch+json' });
  });
  afterAll(async () => {
    client.close();
    await api.stop();
  });

  const variants: [string, string, string[]][] = [
    ...CASES.map(([chart, name]): [string, string, string[]] => [chart, name, example(chart, name)]),
    ['snapshot-controller', 'cert-manager', ['--set', 'webhook.certificates.mode=cert-manager,webhook.conversion=true']],
  ];

  it.each(variants)('%s for %s is taken strictly, and a second time changes nothing', async (chart, _name, args) => {
    const { objects } = render(chart, ...args);
    // Definitions first, as Helm installs them; their kinds are served then.
    const ordered = [...objects.filter(isDefinition), ...objects.filter((object) => !isDefinition(object))];
    if (chart === 'csi-hostpath') await applied(client, render('snapshot-controller').objects.filter(isDefinition));
    const first = await applied(client, ordered);
    expect(first.warnings).toEqual([]);
    // A definition changes once more by itself, when its kind is served.
    const second = await applied(client, ordered);
    expect((await applied(client, ordered)).versions).toEqual(second.versions);
    const settled = (versions: Record<string, string>): object =>
      Object.fromEntries(Object.entries(versions).filter(([path]) => !path.includes('customresourcedefinitions')));
    expect(settled(second.versions)).toEqual(settled(first.versions));
    for (const object of ordered.toReversed()) if (!isDefinition(object)) await client.raw('DELETE', (await applied(client, [object])).paths[0] ?? '');
  });

  it('pods of the controller\'s chart keep the standard "restricted"; the driver\'s, which mounts, cannot', async () => {
    const warned = await applied(client, render('csi-hostpath', ...example('csi-hostpath', 'kind')).objects);
    expect(warned.podSecurity.join()).toContain('must not set securityContext.privileged=true');
    const good = await applied(client, render('snapshot-controller', ...example('snapshot-controller', 'production-ha')).objects);
    expect(good.podSecurity).toEqual([]);
  });

  it('is installed, upgraded and removed by Helm, leaves the definitions, and does not fight over what others own', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'charts-'));
    const own = await startApiServer({ crds: foreignCrds });
    try {
      const kubeconfig = join(dir, 'kubeconfig');
      writeFileSync(kubeconfig, own.kubeconfig);
      const run = (...args: string[]): ReturnType<typeof runHelmBeside> =>
        runHelmBeside(helm, [...args, '--namespace', 'kube-system', '--kubeconfig', kubeconfig]);
      const chart = join(charts, 'snapshot-controller');
      expect(await run('install', 'one', chart)).toMatchObject({ status: 0, stderr: '' });
      expect(await run('upgrade', 'one', chart, '--set', 'controller.replicas=3')).toMatchObject({ status: 0 });
      const second = await run('install', 'two', chart);
      expect(second.status).not.toBe(0);
      expect(second.stderr).toMatch(/is there already and does not belong to this release/);
      expect(await run('uninstall', 'one')).toMatchObject({ status: 0 });
      const admin = createClient(own.adminConnection, { userAgent: 'charts' });
      const { status } = await admin.raw('GET', '/apis/snapshot.storage.k8s.io/v1/volumesnapshots');
      await expect(admin.raw('GET', '/apis/apps/v1/namespaces/kube-system/deployments/snapshot-controller')).rejects.toThrow(/not found/);
      admin.close();
      expect(status).toBe(200);
    } finally {
      await own.stop();
      rmSync(dir, { recursive: true });
    }
  });
});
