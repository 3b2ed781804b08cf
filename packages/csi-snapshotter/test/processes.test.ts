// Controller, sidecar and hostpath driver as the processes that are shipped, against the embedded API server.
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import {
  customResourceDefinitions,
  leases,
  persistentVolumeClaims,
  persistentVolumes,
  snapshotCrds,
  volumeSnapshotClasses,
  volumeSnapshotContents,
  volumeSnapshots,
} from '@snapshot-stack/api-types';
import { VolumeCapability_AccessMode_Mode as Mode, connectCsi, type CsiConnection } from '@snapshot-stack/csi';
import { createClient, type Client } from '@snapshot-stack/runtime';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { waitFor } from './support/scene.ts';

const DRIVER = 'hostpath.csi.k8s.io';
const SOURCE = ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning'];
const children: ChildProcess[] = [];
let dir: string;
let api: ApiServer;
let client: Client;

function mainOf(name: string): string {
  return fileURLToPath(new URL(`../../${name}/src/main.ts`, import.meta.url));
}

function start(name: string, ...flags: string[]): ChildProcess & { output: () => string } {
  const child = spawn(process.execPath, [...SOURCE, mainOf(name), ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.on('data', (data: Buffer) => (output += String(data)));
  child.stderr.on('data', (data: Buffer) => (output += String(data)));
  children.push(child);
  return Object.assign(child, { output: () => output });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const startController = (...more: string[]): ReturnType<typeof start> =>
  start('snapshot-controller', `--kubeconfig=${join(dir, 'api', 'kubeconfig')}`, ...more);
const startSidecar = (...more: string[]): ReturnType<typeof start> =>
  start('csi-snapshotter', `--kubeconfig=${join(dir, 'api', 'kubeconfig')}`, `--csi-address=${join(dir, 'csi.sock')}`, ...more);

async function startDriver(): Promise<CsiConnection> {
  start('hostpath-driver', `--endpoint=unix://${join(dir, 'csi.sock')}`, '--nodeid=n', `--statedir=${join(dir, 'state')}`);
  const csi = connectCsi({ endpoint: join(dir, 'csi.sock') });
  await csi.ready(20_000);
  return csi;
}

async function addBoundClaim(csi: CsiConnection): Promise<void> {
  const accessType = { $case: 'mount' as const, value: { fsType: '', mountFlags: [], volumeMountGroup: '' } };
  const volumeCapabilities = [{ accessType, accessMode: { mode: Mode.SINGLE_NODE_WRITER } }];
  const { volume } = await csi.controller.createVolume(
    { name: 'v', volumeCapabilities, capacityRange: { requiredBytes: 1n << 20n, limitBytes: 0n } },
    { timeoutMs: 10_000 },
  );
  const claim = await client.create(persistentVolumeClaims, {
    metadata: { name: 'data', namespace: 'default' },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } }, volumeName: 'pv' },
  });
  await client.create(persistentVolumes, {
    metadata: { name: 'pv' },
    spec: {
      capacity: { storage: '1Mi' },
      accessModes: ['ReadWriteOnce'],
      claimRef: { kind: 'PersistentVolumeClaim', namespace: 'default', name: 'data', uid: claim.metadata.uid! },
      csi: { driver: DRIVER, volumeHandle: volume!.volumeId },
    },
  });
  await client.patch(
    persistentVolumeClaims,
    { name: 'data', namespace: 'default' },
    { kind: 'merge', body: { status: { phase: 'Bound' } } },
    { subresource: 'status' },
  );
}

async function isReady(name: string): Promise<boolean> {
  return (await client.get(volumeSnapshots, { name, namespace: 'default' })).status?.readyToUse === true;
}

function takeSnapshot(name: string): Promise<unknown> {
  const spec = { source: { persistentVolumeClaimName: 'data' }, volumeSnapshotClassName: 'fast' };
  return client.create(volumeSnapshots, { metadata: { name, namespace: 'default' }, spec });
}

async function stopped(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)));
  child.kill(signal);
  return ended;
}

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'snapshot-processes-'));
});

afterEach(async () => {
  const living = children.splice(0).filter((child) => child.exitCode === null && child.signalCode === null);
  await Promise.all(living.map((child) => stopped(child, 'SIGKILL')));
  client.close();
  await api.stop();
  await rm(dir, { recursive: true, force: true });
});

async function startApi(crds: object[]): Promise<void> {
  api = await startApiServer({ dir: join(dir, 'api'), crds });
  client = createClient(api.adminConnection, { userAgent: 'user/1' });
}

test('a snapshot is made, outlives kill -9 of everybody, and goes without a trace', async () => {
  await startApi(snapshotCrds());
  const csi = await startDriver();
  await client.create(volumeSnapshotClasses, { metadata: { name: 'fast' }, driver: DRIVER, deletionPolicy: 'Delete' });
  await addBoundClaim(csi);
  const controller = startController();
  const sidecar = startSidecar();
  await takeSnapshot('snap');
  await waitFor(() => isReady('snap'), 20_000);
  expect((await csi.controller.listSnapshots({}, { timeoutMs: 5_000 })).entries).toHaveLength(1);

  await Promise.all([stopped(controller, 'SIGKILL'), stopped(sidecar, 'SIGKILL')]);
  await client.delete(volumeSnapshots, { name: 'snap', namespace: 'default' });
  const again = [startController(), startSidecar()] as const;
  await waitFor(async () => (await client.find(volumeSnapshots, { name: 'snap', namespace: 'default' })) === undefined, 20_000);
  expect((await csi.controller.listSnapshots({}, { timeoutMs: 5_000 })).entries).toEqual([]);
  expect((await client.list(volumeSnapshotContents)).items).toEqual([]);
  for (const child of again) expect(await stopped(child, 'SIGTERM'), child.output()).toBe(0);
  csi.close();
}, 60_000);

test('missing CRDs: both stay up, are not ready and say so, and start by themselves when these come', async () => {
  await startApi([]);
  const csi = await startDriver();
  const ports = [await freePort(), await freePort()] as const;
  const controller = startController(`--http-endpoint=127.0.0.1:${ports[0]}`, '--retry-crd-interval-max=1s');
  const sidecar = startSidecar(`--http-endpoint=127.0.0.1:${ports[1]}`);
  const statusOf = (port: number): Promise<{ status: number; text: string }> =>
    fetch(`http://127.0.0.1:${port}/readyz`).then(
      async (answer) => ({ status: answer.status, text: await answer.text() }),
      () => ({ status: 0, text: '' }),
    );
  for (const port of ports) {
    await waitFor(async () => (await statusOf(port)).text.includes('is not served'), 20_000);
    expect((await statusOf(port)).status).toBe(503);
  }
  expect(controller.output()).toContain('Install the CustomResourceDefinitions');
  for (const crd of snapshotCrds()) await client.create(customResourceDefinitions, crd as never);
  for (const port of ports) await waitFor(async () => (await statusOf(port)).status === 200, 20_000);
  await client.create(volumeSnapshotClasses, { metadata: { name: 'fast' }, driver: DRIVER, deletionPolicy: 'Delete' });
  await addBoundClaim(csi);
  await takeSnapshot('snap');
  await waitFor(() => isReady('snap'), 20_000);
  const metrics = await (await fetch(`http://127.0.0.1:${ports[1]}/metrics`)).text();
  expect(metrics).toMatch(
    /csi_sidecar_operations_seconds_count\{driver_name="hostpath.csi.k8s.io",method_name="\/csi.v1.Controller\/CreateSnapshot",grpc_status_code="OK"\} 1/,
  );
  const controllerMetrics = await (await fetch(`http://127.0.0.1:${ports[0]}/metrics`)).text();
  expect(controllerMetrics).toMatch(
    /snapshot_controller_operation_total_seconds_count\{driver_name="hostpath.csi.k8s.io",operation_name="CreateSnapshotAndReady",snapshot_type="dynamic",operation_status="success"\} 1/,
  );
  expect((await fetch(`http://127.0.0.1:${ports[0]}/healthz/leader-election`)).status).toBe(404);
  expect(sidecar.exitCode).toBeNull();
  csi.close();
}, 60_000);

test('of two replicas one leads, and the other takes over when it goes', async () => {
  await startApi(snapshotCrds());
  const csi = await startDriver();
  await client.create(volumeSnapshotClasses, { metadata: { name: 'fast' }, driver: DRIVER, deletionPolicy: 'Delete' });
  await addBoundClaim(csi);
  startSidecar('--leader-election', '--leader-election-namespace=kube-system');
  const election = ['--leader-election', '--leader-election-namespace=kube-system', '--leader-election-retry-period=200ms'];
  const first = startController(...election);
  const holder = async (): Promise<string> =>
    (await client.find(leases, { name: 'snapshot-controller-leader', namespace: 'kube-system' }))?.spec?.holderIdentity ?? '';
  await waitFor(async () => (await holder()) !== '', 20_000);
  const before = await holder();
  const port = await freePort();
  const second = startController(...election, `--http-endpoint=127.0.0.1:${port}`);
  await waitFor(() => second.output().includes('started'), 20_000);
  await takeSnapshot('one');
  await waitFor(() => isReady('one'), 20_000);
  expect(await stopped(first, 'SIGTERM')).toBe(0);
  await takeSnapshot('two');
  await waitFor(() => isReady('two'), 20_000);
  expect(await holder()).not.toBe(before);
  expect((await fetch(`http://127.0.0.1:${port}/healthz/leader-election`)).status).toBe(200);
  expect((await client.find(leases, { name: 'external-snapshotter-leader-hostpath-csi-k8s-io', namespace: 'kube-system' }))?.spec?.holderIdentity).toBeTruthy();
  csi.close();
}, 60_000);
