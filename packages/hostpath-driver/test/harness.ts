// Starts the real driver process for a test, and knows what this machine can do.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectCsi, type CsiConnection, type VolumeCapability } from '@snapshot-stack/csi';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const NODE_FLAGS = ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning'];
export const CALL = { timeoutMs: 60_000 };

export function has(command: string): boolean {
  try {
    execFileSync('sh', ['-c', `PATH=$PATH:/usr/sbin:/sbin command -v ${command}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export const isRoot: boolean = process.getuid?.() === 0;

function loopWorks(): boolean {
  const image = join(tmpdir(), `loop-probe-${process.pid}`);
  try {
    sh(`truncate -s 1M ${image} && d=$(losetup -f --show ${image}) && losetup -d $d`);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(image, { force: true });
  }
}
export const hasLoops: boolean = isRoot && has('losetup') && loopWorks();

function mountWorks(): boolean {
  try {
    sh('unshare -m true'); // the same right that mounting needs
    return isRoot && has('mount');
  } catch {
    return false;
  }
}
export const canMount: boolean = mountWorks();

/** Standard output of a shell line. */
export function sh(line: string): string {
  return execFileSync('bash', ['-euo', 'pipefail', '-c', line], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 2 ** 26,
    env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin`, LC_ALL: 'C' },
  });
}

export interface TestDriver {
  readonly dir: string;
  readonly stateDir: string;
  readonly socket: string;
  readonly csi: CsiConnection;
  readonly log: () => string;
  /** Ends the process the hard way and waits until it is gone. */
  kill(): Promise<void>;
  /** Starts it (again) on the same folder. */
  start(): Promise<void>;
  /** Ends it politely. @returns its exit code */
  stop(): Promise<number | null>;
  /** Stops it and removes everything, also what it left attached or mounted. */
  dispose(): Promise<void>;
}

/** @param root where the data folder is made; the system's temporary folder by default */
export async function startTestDriver(flags: readonly string[] = [], root?: string): Promise<TestDriver> {
  const dir = mkdtempSync(join(tmpdir(), 'hostpath-'));
  const stateDir = root === undefined ? join(dir, 'state') : mkdtempSync(join(root, 'state-'));
  const socket = join(dir, 'csi.sock');
  let child: ChildProcess | undefined;
  let log = '';
  let csi: CsiConnection | undefined;
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    csi?.close();
    csi = undefined;
    if (child === undefined) return null;
    const ended = child;
    child = undefined;
    if (ended.exitCode !== null || ended.signalCode !== null) return ended.exitCode;
    const exit = once(ended, 'exit') as Promise<[number | null]>;
    ended.kill(signal);
    return (await exit)[0];
  };
  const driver: TestDriver = {
    dir,
    stateDir,
    socket,
    get csi() {
      if (csi === undefined) throw new Error('the driver is not running');
      return csi;
    },
    log: () => log,
    kill: async () => {
      await end('SIGKILL');
    },
    start: async () => {
      child = spawn(process.execPath, [...NODE_FLAGS, MAIN, `--endpoint=unix://${socket}`, '--nodeid=node-1', `--statedir=${stateDir}`, '-v=5', ...flags], {
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      child.stderr?.setEncoding('utf8').on('data', (text: string) => (log += text));
      const failed = once(child, 'exit').then(([code]) => {
        throw new Error(`the driver ended with ${code}: ${log}`);
      });
      failed.catch(() => {});
      csi = connectCsi({ endpoint: socket });
      await Promise.race([csi.ready(20_000), failed]);
    },
    stop: () => end('SIGTERM'),
    dispose: async () => {
      await end('SIGTERM');
      cleanUp(dir);
      cleanUp(stateDir);
    },
  };
  try {
    await driver.start();
  } catch (error) {
    await driver.dispose();
    throw error;
  }
  return driver;
}

/** Unmounts and detaches whatever is left below a folder, and removes it. */
export function cleanUp(dir: string): void {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point.startsWith(`${dir}/`));
  for (const point of points.reverse()) sh(`umount ${point}`);
  for (const device of loopsBelow(dir)) sh(`losetup -d ${device}`);
  rmSync(dir, { recursive: true, force: true });
}

/** Loop devices that show files below a folder. */
export function loopsBelow(dir: string): string[] {
  return readdirSync('/sys/block')
    .filter((name) => name.startsWith('loop'))
    .filter((name) => {
      try {
        return readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8').startsWith(`${dir}/`);
      } catch {
        return false;
      }
    })
    .map((name) => `/dev/${name}`);
}

export const MOUNT: VolumeCapability = mountAs('');
export const BLOCK: VolumeCapability = { accessType: { $case: 'block', value: {} }, accessMode: { mode: 1 } };

export function mountAs(fsType: string, mountFlags: string[] = []): VolumeCapability {
  return { accessType: { $case: 'mount', value: { fsType, mountFlags, volumeMountGroup: '' } }, accessMode: { mode: 1 } };
}

export const MiB: bigint = 2n ** 20n;

export interface VolumeOptions {
  capability?: VolumeCapability;
  bytes?: bigint;
  limit?: bigint;
  parameters?: Record<string, string>;
  snapshot?: string;
  volume?: string;
}

/** Creates a volume. @returns its id */
export async function makeVolume(driver: TestDriver, name: string, options: VolumeOptions = {}): Promise<string> {
  const { capability = MOUNT, bytes = 4n * MiB, limit = 0n, parameters = {}, snapshot, volume } = options;
  const { volume: made } = await driver.csi.controller.createVolume(
    {
      name,
      volumeCapabilities: [capability],
      capacityRange: { requiredBytes: bytes, limitBytes: limit },
      parameters,
      ...(snapshot === undefined ? {} : { volumeContentSource: { type: { $case: 'snapshot', value: { snapshotId: snapshot } } } }),
      ...(volume === undefined ? {} : { volumeContentSource: { type: { $case: 'volume', value: { volumeId: volume } } } }),
    },
    CALL,
  );
  return made?.volumeId ?? '';
}

export async function makeSnapshot(driver: TestDriver, name: string, sourceVolumeId: string): Promise<string> {
  const { snapshot } = await driver.csi.controller.createSnapshot({ name, sourceVolumeId, parameters: {} }, CALL);
  return snapshot?.snapshotId ?? '';
}

/** Stages and publishes a volume. @returns the path of its folder or device */
export async function publish(
  driver: TestDriver,
  volumeId: string,
  name: string,
  options: { capability?: VolumeCapability; readonly?: boolean } = {},
): Promise<string> {
  const { capability = MOUNT, readonly = false } = options;
  const [stagingTargetPath, targetPath] = [join(driver.dir, `stage-${name}`), join(driver.dir, `target-${name}`)];
  sh(`mkdir -p ${stagingTargetPath}`);
  await driver.csi.node.nodeStageVolume({ volumeId, stagingTargetPath, volumeCapability: capability }, CALL);
  await driver.csi.node.nodePublishVolume({ volumeId, stagingTargetPath, targetPath, volumeCapability: capability, readonly }, CALL);
  return targetPath;
}

export async function unpublish(driver: TestDriver, volumeId: string, name: string): Promise<void> {
  await driver.csi.node.nodeUnpublishVolume({ volumeId, targetPath: join(driver.dir, `target-${name}`) }, CALL);
  await driver.csi.node.nodeUnstageVolume({ volumeId, stagingTargetPath: join(driver.dir, `stage-${name}`) }, CALL);
}

/** A file system of its own in an image below `dir`, mounted. @returns where */
export function makeFileSystemIn(dir: string, type: 'btrfs' | 'xfs' | 'ext4', size = '1G'): string {
  const [image, point] = [join(dir, `${type}.img`), join(dir, type)];
  sh(`truncate -s ${size} ${image} && mkfs.${type} -q ${type === 'ext4' ? '-F' : '-f'} ${image} && mkdir ${point} && mount -o loop ${image} ${point}`);
  return point;
}
