// The images' programs, started for real in the images' file trees: read-only, as the user that the image names, with
// nothing of this machine's file system but what is bound in.
import { execFile, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdir, readFile, readlink, statfs, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import {
  namespaces,
  persistentVolumeClaims,
  persistentVolumes,
  snapshotCrds,
  storageClasses,
  volumeSnapshotClasses,
  volumeSnapshots,
  type KubeObject,
  type PersistentVolumeClaim,
  type Resource,
} from '@snapshot-stack/api-types';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { connectCsi, type CsiConnection, type VolumeCapability } from '@snapshot-stack/csi';
import { startLocalStack, type ComponentName } from '@snapshot-stack/local-stack';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NAMESPACE, claim, namespace, snapshot, snapshotClass, storageClass } from '../src/demo/objects.ts';
import { waitFor } from '../src/demo/steps.ts';
import { NONROOT, imageName, ownArchitecture } from '../src/images/components.ts';
import { commandOf, startImage, unpackImage, whyNotRun, type ImageTree, type StartOptions } from '../src/images/image-tree.ts';
import { TOOL_PROGRAMS } from '../src/images/layers.ts';
import { build, components, remove, temporaryFolder, whyNotBuilt } from './images-build.ts';

const run = promisify(execFile);
const whyNot = (await whyNotBuilt()) || (whyNotRun() === undefined ? '' : ` [skipped: ${whyNotRun()}]`);
const whyNoLoops = existsSync('/dev/loop-control') ? '' : ' [skipped: this machine has no loop devices]';
const call = { timeoutMs: 30_000 };
const mounted: VolumeCapability = {
  accessType: { $case: 'mount', value: { fsType: 'ext4', mountFlags: [], volumeMountGroup: '' } },
  accessMode: { mode: 1 },
};

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe.skipIf(whyNot !== '')(`images that run${whyNot}`, { timeout: 60_000 }, () => {
  let folder: string;
  const trees = new Map<string, ImageTree>();
  const running: ChildProcess[] = [];

  beforeAll(async () => {
    folder = await temporaryFolder();
    await build(folder);
    await chmod(folder, 0o755);
    for (const component of components) {
      trees.set(component.name, await unpackImage(join(folder, 'oci'), imageName(component), ownArchitecture()!, join(folder, 'trees', component.name)));
    }
  }, 240_000);

  afterEach(async () => {
    for (const child of running.splice(0)) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'close');
    }
  });

  afterAll(() => remove(folder));

  interface Running {
    child: ChildProcess;
    said(): string;
    /** Exit code, once it has ended. */
    ended: Promise<number | null>;
  }

  async function start(name: string, args: readonly string[], options: StartOptions = {}): Promise<Running> {
    const child = await startImage(trees.get(name)!, args, options);
    running.push(child);
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', (part: Buffer) => (said += String(part)));
    return { child, said: () => said, ended: once(child, 'close').then(([code]) => code as number | null) };
  }

  /** The program itself, which is process 1 of its namespace as it is in a container. */
  function innerPid({ child }: Running): number {
    return Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim());
  }

  async function endGently(program: Running): Promise<void> {
    process.kill(innerPid(program), 'SIGTERM');
    expect(await program.ended, program.said()).toBe(0);
  }

  /** Runs JavaScript with the image's node. */
  async function evaluate(name: string, script: string): Promise<unknown> {
    const { said, ended } = await start(name, ['-e', script], { entrypoint: ['/usr/bin/node'] });
    expect(await ended, said()).toBe(0);
    return JSON.parse(said());
  }

  it.each(components.map(({ name }) => name))('%s tells its version and its flags', async (name) => {
    const version = await start(name, ['--version']);
    expect(await version.ended, version.said()).toBe(0);
    expect(version.said()).toBe(`${name} 0.1.0\n`);
    const help = await start(name, ['--help']);
    expect(await help.ended, help.said()).toBe(0);
    expect(help.said()).toContain('--v int');
  });

  it.each(components.map(({ name, user }) => [name, user] as const))('%s runs as user %d on a root that cannot be written to', async (name, user) => {
    const script = `
      const attempt = (path) => { try { require('fs').writeFileSync(path, ''); return 'written'; } catch (error) { return error.code; } };
      console.log(JSON.stringify({ uid: process.getuid(), groups: process.getgroups(), app: attempt('/app/x'), root: attempt('/x'), tmp: attempt('/tmp/x') }));`;
    expect(await evaluate(name, script)).toEqual({ uid: user, groups: [user], app: 'EROFS', root: 'EROFS', tmp: 'written' });
  });

  it.each(components.map(({ name }) => name))('%s takes the compiled code that the image holds', async (name) => {
    const script = `
      const { readFileSync } = require('fs');
      const source = '(function (exports, require, module, __filename, __dirname) {' + readFileSync('/app/bundle.js', 'latin1') + '\\n})';
      const script = new (require('vm').Script)(source, { filename: '/app/bundle.js', cachedData: readFileSync('/app/bundle.cache') });
      console.log(JSON.stringify(script.cachedDataRejected));`;
    expect(await evaluate(name, script)).toBe(false);
  });

  it('has tools that start, with all their libraries', async () => {
    const paths = TOOL_PROGRAMS.map((program) =>
      join('/usr', ['mount', 'umount', 'btrfs', 'btrfstune', 'cp', 'rm', 'chmod', 'sync', 'setpriv'].includes(program) ? 'bin' : 'sbin', program),
    );
    const script = `
      const { spawnSync } = require('child_process');
      const failures = ${JSON.stringify(paths)}.filter((path) => {
        const { error, stderr } = spawnSync(path, ['--version'], { encoding: 'utf8' });
        return error !== undefined || /error while loading/.test(stderr);
      });
      console.log(JSON.stringify(failures));`;
    expect(await evaluate('hostpath-driver', script)).toEqual([]);
  });

  it('knows whom to trust on the internet, and asks DNS', async () => {
    const script = `
      const bundle = require('fs').readFileSync('/etc/ssl/certs/ca-certificates.crt', 'utf8');
      require('dns').lookup('localhost', (error) => {
        console.log(JSON.stringify({ certificates: bundle.split('BEGIN CERTIFICATE').length > 100, lookup: error?.code ?? 'found' }));
      });`;
    expect(await evaluate('csi-snapshotter', script)).toMatchObject({ certificates: true });
  });

  describe('hostpath-driver', () => {
    let csi: CsiConnection;

    async function startDriver(name: string): Promise<{ driver: Running; data: string }> {
      const data = join(folder, name);
      for (const part of ['csi', 'data']) await mkdir(join(data, part), { recursive: true });
      const binds = { '/csi': join(data, 'csi'), '/csi-data-dir': join(data, 'data') };
      const driver = await start('hostpath-driver', ['--endpoint=unix:///csi/csi.sock', '--nodeid=node-1'], { binds });
      csi = connectCsi({ endpoint: join(data, 'csi', 'csi.sock') });
      const state = await Promise.race([csi.ready(20_000).then(() => 'ready'), driver.ended]);
      expect(state, driver.said()).toBe('ready');
      return { driver, data };
    }

    afterEach(() => csi.close());

    it('answers Probe, makes a volume, takes a snapshot and restores it', async () => {
      const { driver, data } = await startDriver('folders');
      expect(await csi.identity.probe({}, call)).toMatchObject({ ready: true });
      const { volume } = await csi.controller.createVolume({ name: 'data', volumeCapabilities: [mounted], parameters: {} }, call);
      const { stdout: made } = await run('find', [join(data, 'data'), '-type', 'd', '-path', `*${volume!.volumeId}*`, '-empty']);
      await writeFile(join(made.trim().split('\n')[0]!, 'diary'), 'dear diary');
      const { snapshot } = await csi.controller.createSnapshot({ name: 'before', sourceVolumeId: volume!.volumeId, parameters: {} }, call);
      expect(snapshot).toMatchObject({ readyToUse: true });
      const volumeContentSource = { type: { $case: 'snapshot' as const, value: { snapshotId: snapshot!.snapshotId } } };
      const restored = await csi.controller.createVolume({ name: 'restored', volumeCapabilities: [mounted], parameters: {}, volumeContentSource }, call);
      const { stdout: copies } = await run('find', [join(data, 'data'), '-name', 'diary', '-path', `*${restored.volume!.volumeId}*`]);
      expect(await readFile(copies.trim(), 'utf8')).toBe('dear diary');
      await endGently(driver);
    });

    it.skipIf(whyNoLoops !== '').each([
      ['ext4', 32n],
      ['xfs', 320n],
      ['btrfs', 256n],
    ] as const)(`makes, mounts and grows %s in an image with the tools it brings${whyNoLoops}`, async (fsType, mebibytes) => {
      const { driver } = await startDriver(fsType);
      const capability: VolumeCapability = { ...mounted, accessType: { $case: 'mount', value: { fsType, mountFlags: [], volumeMountGroup: '' } } };
      const capacityRange = { requiredBytes: mebibytes * 2n ** 20n, limitBytes: 0n };
      const { volume } = await csi.controller.createVolume(
        { name: 'v', volumeCapabilities: [capability], parameters: { volumeBackend: 'image' }, capacityRange },
        call,
      );
      const { volumeId } = volume!;
      const [stagingTargetPath, targetPath] = ['/csi/stage', '/csi/target'];
      const mount = async (): Promise<void> => {
        await csi.node.nodeStageVolume({ volumeId, stagingTargetPath, volumeCapability: capability }, call);
        await csi.node.nodePublishVolume({ volumeId, stagingTargetPath, targetPath, volumeCapability: capability, readonly: false }, call);
      };
      const unmount = async (): Promise<void> => {
        await csi.node.nodeUnpublishVolume({ volumeId, targetPath }, call);
        await csi.node.nodeUnstageVolume({ volumeId, stagingTargetPath }, call);
      };
      // The mounts are in the driver's namespace, which is seen through its root.
      const target = `/proc/${innerPid(driver)}/root${targetPath}`;
      try {
        await mount();
        await writeFile(join(target, 'diary'), 'dear diary');
        expect(await readFile(`/proc/${innerPid(driver)}/mounts`, 'utf8')).toMatch(new RegExp(` ${targetPath} ${fsType} `));
        const before = await statfs(target);
        const { snapshot } = await csi.controller.createSnapshot({ name: 's', sourceVolumeId: volumeId, parameters: {} }, call);
        expect(snapshot).toMatchObject({ readyToUse: true });
        await unmount();
        const larger = { requiredBytes: 2n * mebibytes * 2n ** 20n, limitBytes: 0n };
        await csi.controller.controllerExpandVolume({ volumeId, capacityRange: larger, volumeCapability: capability }, call);
        await mount();
        expect(await readFile(join(target, 'diary'), 'utf8')).toBe('dear diary');
        expect((await statfs(target)).blocks).toBeGreaterThan(1.5 * before.blocks);
      } finally {
        await unmount(); // whatever failed, no loop device stays
        await csi.controller.deleteVolume({ volumeId }, call);
      }
      await endGently(driver);
    });
  });

  describe('with an API server', () => {
    let api: ApiServer;

    beforeAll(async () => {
      api = await startApiServer({ crds: snapshotCrds() });
    });

    afterAll(() => api.stop());

    async function kubeconfigIn(name: string, text: string): Promise<Record<string, string>> {
      const config = join(folder, name);
      await mkdir(config, { mode: 0o700 });
      await chown(config, NONROOT, NONROOT);
      await writeFile(join(config, 'kubeconfig'), text);
      await chown(join(config, 'kubeconfig'), NONROOT, NONROOT);
      return { '/config': config };
    }

    async function becomesReady(port: number, { ended, said }: Running): Promise<string> {
      for (;;) {
        const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
        if (answer?.ok === true) return 'ready';
        const over = await Promise.race([ended, setTimeout(50)]);
        if (over !== undefined) return said();
      }
    }

    async function run(program: string, name: string, kubeconfig: string, args: readonly string[] = []): Promise<void> {
      const port = await freePort();
      const binds = await kubeconfigIn(name, kubeconfig);
      const controller = await start(program, ['--kubeconfig=/config/kubeconfig', `--http-endpoint=127.0.0.1:${port}`, ...args], { binds });
      expect(await becomesReady(port, controller)).toBe('ready');
      expect(await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()).toContain('process_resident_memory_bytes');
      await endGently(controller);
    }

    it('snapshot-controller becomes ready, and ends when asked to', async () => {
      await run('snapshot-controller', 'plain', api.kubeconfig);
    });

    it.skipIf(!components.some(({ name }) => name === 'snapshot-webhook'))('snapshot-webhook makes its certificates and becomes ready', async () => {
      await run('snapshot-webhook', 'webhook', api.kubeconfig, [`--port=${await freePort()}`, '--namespace=default', '--drain=0s']);
    });

    it('snapshot-controller loads what a kubeconfig with a login program needs from the image', async () => {
      const data = (field: string): string => new RegExp(`${field}: (\\S+)`).exec(api.kubeconfig)![1]!;
      const pem = (field: string): string => Buffer.from(data(field), 'base64').toString('utf8');
      const status = { clientCertificateData: pem('client-certificate-data'), clientKeyData: pem('client-key-data') };
      const credential = JSON.stringify({ apiVersion: 'client.authentication.k8s.io/v1', kind: 'ExecCredential', status });
      const exec = {
        apiVersion: 'client.authentication.k8s.io/v1',
        command: '/usr/bin/node',
        args: ['-e', `console.log(${JSON.stringify(credential)})`],
        interactiveMode: 'Never',
      };
      const config = {
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'c', cluster: { server: api.url, 'certificate-authority-data': data('certificate-authority-data') } }],
        users: [{ name: 'u', user: { exec } }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
        'current-context': 'x',
      };
      await run('snapshot-controller', 'exec', JSON.stringify(config));
    });
  });

  it('work together: a claim, its snapshot and what is restored from it, by images alone', { timeout: 180_000 }, async () => {
    const dir = join(folder, 'stack');
    await mkdir(dir);
    const programs: Partial<Record<ComponentName, [string, ...string[]]>> = {};
    for (const { name, package: component } of components) {
      // Sidecars reach the driver's socket as root, and the kubeconfig of a stack is root's.
      programs[component as ComponentName] = await commandOf(trees.get(name)!, { binds: { [dir]: dir }, user: '0:0' });
    }
    const failed = new AbortController();
    const stack = await startLocalStack({ dir, stateDir: join(dir, 'state'), driverName: 'hostpath.csi.k8s.io', programs }, (error) => failed.abort(error));
    const signal = AbortSignal.any([failed.signal, AbortSignal.timeout(120_000)]);
    const wait = <T extends KubeObject>(resource: Resource<T>, name: string, wish: string, done: (object: T) => boolean): Promise<T> =>
      waitFor(stack.client, resource, { name, namespace: NAMESPACE }, wish, done, signal);
    const bound = (name: string): Promise<PersistentVolumeClaim> => wait(persistentVolumeClaims, name, 'bound', ({ status }) => status?.phase === 'Bound');
    const filesOf = async ({ spec }: PersistentVolumeClaim): Promise<string> => {
      const { spec: volume } = await stack.client.get(persistentVolumes, { name: spec.volumeName ?? '' }, { signal });
      const { stdout } = await run('find', [join(dir, 'state'), '-type', 'd', '-name', `*${volume.csi?.volumeHandle}*`]);
      return stdout.trim();
    };
    try {
      await stack.client.create(namespaces, namespace, { signal });
      await stack.client.create(storageClasses, storageClass('hostpath.csi.k8s.io'), { signal });
      await stack.client.create(volumeSnapshotClasses, snapshotClass('hostpath.csi.k8s.io'), { signal });
      await stack.client.create(persistentVolumeClaims, claim('source', 10), { signal });
      await writeFile(join(await filesOf(await bound('source')), 'diary'), 'dear diary');
      await stack.client.create(volumeSnapshots, snapshot('before', 'source'), { signal });
      await wait(volumeSnapshots, 'before', 'ready', ({ status }) => status?.readyToUse === true);
      await stack.client.create(persistentVolumeClaims, claim('restored', 10, 'before'), { signal });
      expect(await readFile(join(await filesOf(await bound('restored')), 'diary'), 'utf8')).toBe('dear diary');
      for (const [name, pid] of stack.pids()) {
        if (name in programs) expect(await readlink(`/proc/${pid}/root`), name).toContain(join(folder, 'trees'));
      }
    } finally {
      await stack.stop();
    }
  });
});
