// The webhook as the process that is shipped: started by flags, called by an API server, ended by SIGTERM; and the
// example of the README.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { snapshotCrds, volumeSnapshotClasses, volumeSnapshots } from '@snapshot-stack/api-types';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { createClient, type Client } from '@snapshot-stack/runtime';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeAuthority, type TestAuthority } from './support/certificate.ts';
import { get, openSocket, send, type Answer } from './support/https.ts';
import { aReview, aSnapshot } from './support/reviews.ts';
import { SERVICE, allRules, configurationFor, waitFor, webhookConfigurations } from './support/scene.ts';

const SOURCE = ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning'];
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const children: ChildProcess[] = [];
let dir: string;
let port: number;
let api: ApiServer;
let client: Client;
let authority: TestAuthority;

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function run(args: readonly string[], cwd = dir): { child: ChildProcess; output: () => string; ended: Promise<number | null> } {
  const child = spawn(process.execPath, [...SOURCE, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd,
    env: { ...process.env, KUBECONFIG: join(dir, 'kubeconfig') },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (data: Buffer) => (output += data.toString()));
  children.push(child);
  return { child, output: () => output, ended: new Promise((resolve) => child.once('exit', resolve)) };
}

async function writeCertificate(): Promise<string> {
  const { cert, key } = await authority.issue();
  for (const [name, text] of [
    ['tls.key', key],
    ['tls.crt', cert],
  ] as const) {
    await writeFile(join(dir, `${name}.new`), text, { mode: 0o600 });
    await rename(join(dir, `${name}.new`), join(dir, name));
  }
  return cert;
}

const page = (path: string): Promise<Answer | undefined> => get({ port, authority }, path).catch(() => undefined);
const flags = (): string[] => [`--port=${port}`, `--tls-cert-file=${join(dir, 'tls.crt')}`, `--tls-private-key-file=${join(dir, 'tls.key')}`];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'webhook-process-'));
  port = await freePort();
  api = await startApiServer({ dir, crds: snapshotCrds(), resolveService: () => `https://127.0.0.1:${port}` });
  client = createClient(api.adminConnection, { userAgent: 'admin/1' });
  authority = await makeAuthority([`${SERVICE.name}.${SERVICE.namespace}.svc`]);
  await writeCertificate();
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  client.close();
  await api.stop();
  await rm(dir, { recursive: true, force: true });
});

it('is registered, judges, renews its certificate, and ends in order', { timeout: 60_000 }, async () => {
  const plain = await freePort();
  const { child, output, ended } = run([MAIN, ...flags(), '--drain=300ms', `--http-endpoint=127.0.0.1:${plain}`]);
  await waitFor(async () => (await page('/readyz'))?.text === 'ok', 20_000);
  await client.create(webhookConfigurations, configurationFor(authority.caBundle, 'Fail', allRules));
  const annotations = { 'snapshot.storage.kubernetes.io/is-default-class': 'true' };
  await client.create(volumeSnapshotClasses, { metadata: { name: 'a', annotations }, driver: 'd', deletionPolicy: 'Delete' });
  const second = client.create(volumeSnapshotClasses, { metadata: { name: 'b', annotations }, driver: 'd', deletionPolicy: 'Delete' });
  await expect(second).rejects.toThrow('default snapshot class: a already exists for driver: d');
  expect(output()).toContain('denied kind="VolumeSnapshotClass"');
  expect(await (await fetch(`http://127.0.0.1:${plain}/metrics`)).text()).toContain(
    'snapshot_webhook_findings_total{rule="one-default-class",finding="denial"} 1',
  );

  const renewed = await writeCertificate();
  await waitFor(async () => {
    const socket = await openSocket({ port, authority });
    const served = socket.getPeerX509Certificate()?.toString();
    socket.destroy();
    return served?.trim() === renewed.trim();
  }, 20_000);

  child.kill('SIGTERM');
  await waitFor(async () => (await (await fetch(`http://127.0.0.1:${plain}/readyz`)).text()) === 'not ready: shutting down\n');
  expect(await ended, output()).toBe(0);
  expect(output()).not.toContain('PRIVATE KEY');
});

it('waits for a certificate that it can use, and says what is wrong with a port that it cannot', { timeout: 60_000 }, async () => {
  await writeFile(join(dir, 'tls.key'), 'no key');
  const waiting = run([MAIN, ...flags()]);
  await waitFor(() => waiting.output().includes(join(dir, 'tls.key')), 20_000);
  await writeCertificate();
  await waitFor(async () => (await page('/healthz'))?.text === 'ok', 20_000);
  waiting.child.kill('SIGKILL');
  await waiting.ended;
  const other = createServer().listen(port, '::');
  await new Promise((resolve) => other.once('listening', resolve));
  const taken = run([MAIN, ...flags()]);
  expect(await taken.ended).toBe(1);
  expect(taken.output()).toContain(`cannot serve the webhook on port ${port}: it is in use; choose another with --port`);
  await new Promise((resolve) => other.close(resolve));
});

it('makes its own certificate, and has the configurations trust it', { timeout: 60_000 }, async () => {
  const configuration = configurationFor('', 'Fail', allRules) as { webhooks: { clientConfig: { caBundle?: string } }[] } & object;
  for (const { clientConfig } of configuration.webhooks) delete clientConfig.caBundle;
  await client.create(webhookConfigurations, configuration as never);
  const { child, output, ended } = run([MAIN, `--port=${port}`, `--namespace=${SERVICE.namespace}`, '--drain=0s']);
  const created = async (): Promise<boolean> => {
    const bad = { metadata: { name: 's', namespace: 'default' }, spec: { source: { persistentVolumeClaimName: 'c' }, volumeSnapshotClassName: 'x' } };
    return client.create(volumeSnapshots, bad, { dryRun: true }).then(
      () => true,
      () => false,
    );
  };
  await waitFor(created, 30_000);
  child.kill('SIGTERM');
  expect(await ended, output()).toBe(0);
  expect(output()).not.toContain('PRIVATE KEY');
});

it('the example of the README runs', { timeout: 60_000 }, async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const code = example
    .replace('8443', String(port))
    .replace('60_000', '3_000')
    .replaceAll(/'tls\.(crt|key)'/g, (_all, end: string) => JSON.stringify(join(dir, `tls.${end}`)));
  const here = fileURLToPath(new URL('..', import.meta.url));
  const { output, ended } = run(['--input-type=module-typescript', '-e', `${code}\nprocess.exit(0);`], here);
  await waitFor(async () => (await page('/healthz'))?.text === 'ok', 20_000);
  expect((await send({ port, authority }, { body: aReview(aSnapshot('s', {})) })).json.response.allowed).toBe(false);
  expect(await ended, output()).toBe(0);
});
