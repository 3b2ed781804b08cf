// npm run bench -- driver [--size 1Gi] [--files 1,50000] [--systems btrfs,xfs,ext4] [--json]
//
// How long the hostpath driver takes for a snapshot and a restore of a folder, on file systems in loop images,
// against tar and cp of the same data on the same file system in the same run; and how soon it answers Probe and
// ListVolumes meanwhile. Each figure is one run, ends when
// the data is on disk (sync -f), and starts with nothing left to write. Needs root.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, statfs, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connectCsi, type CsiConnection } from '@snapshot-stack/csi';
import { ManagedProcess, commandOf, paths, removeRemains, tailOf, type StackLayout } from '@snapshot-stack/local-stack';
import { defineFlags } from '@snapshot-stack/runtime/process';
import Table from 'cli-table3';
import { askMeanwhile, type Answers } from './meanwhile.ts';

const flags = defineFlags({
  size: { type: 'string', default: '1Gi', help: 'Bytes in each case: 512Mi, 1Gi, 10Gi' },
  files: { type: 'strings', default: [], help: 'Numbers of files to share them among; 1,50000 when left out' },
  systems: { type: 'strings', default: [], help: 'File systems; btrfs,xfs,ext4 when left out' },
  dir: { type: 'string', default: tmpdir(), help: 'Folder for the images; about five times the size must be free there' },
  json: { type: 'bool', default: false, help: 'Print one JSON object' },
  help: { type: 'bool', default: false, help: 'Print this and exit' },
});

const run = promisify(execFile);
const CALL = { timeoutMs: 1_800_000 };
const MOUNT = { accessType: { $case: 'mount' as const, value: { fsType: '', mountFlags: [], volumeMountGroup: '' } }, accessMode: { mode: 1 as const } };
const CHUNK_BYTES = 2 ** 20;
// At most three copies of the data are there at once; the rest is what file systems keep for themselves.
const IMAGE_FACTOR = 5;

export interface DriverFigures {
  system: string;
  files: number;
  bytes: number;
  /** As the driver has found out. */
  method: string;
  snapshotMs: number;
  /** Probe and ListVolumes, asked while the snapshot was taken. */
  probe: Answers;
  list: Answers;
  restoreMs: number;
  tarMs: number;
  untarMs: number;
  cpMs: number;
}

function bytesOf(text: string): number {
  const match = /^(\d+)(Mi|Gi)$/.exec(text);
  if (match === null) throw new Error(`--size=${text}: write for example 512Mi or 10Gi`);
  return Number(match[1]) * (match[2] === 'Gi' ? 2 ** 30 : 2 ** 20);
}

/** Fills a folder with files of equal size; a hundred to a folder. */
async function fill(dir: string, bytes: number, files: number): Promise<void> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (let at = 0; at + 4 <= chunk.length; at += 4) chunk.writeUInt32LE(Math.imul(at, 2_654_435_761) >>> 0, at); // no zeros, no holes
  const each = Math.floor(bytes / files);
  for (let i = 0; i < files; i++) {
    const folder = join(dir, `${Math.floor(i / 100)}`);
    if (i % 100 === 0) await mkdir(folder);
    if (each <= CHUNK_BYTES) {
      await writeFile(join(folder, `${i}`), chunk.subarray(0, each));
      continue;
    }
    const file = await open(join(folder, `${i}`), 'w');
    for (let left = each; left > 0; left -= CHUNK_BYTES) await file.write(chunk, 0, Math.min(left, CHUNK_BYTES));
    await file.close();
  }
}

async function timed(task: () => Promise<unknown>): Promise<number> {
  await run('sync');
  const start = performance.now();
  await task();
  return Math.round(performance.now() - start);
}

async function create(csi: CsiConnection, name: string, bytes: bigint, snapshotId?: string): Promise<string> {
  const { volume } = await csi.controller.createVolume(
    {
      name,
      volumeCapabilities: [MOUNT],
      capacityRange: { requiredBytes: bytes, limitBytes: 0n },
      ...(snapshotId === undefined ? {} : { volumeContentSource: { type: { $case: 'snapshot', value: { snapshotId } } } }),
    },
    CALL,
  );
  return volume?.volumeId ?? '';
}

async function measure(csi: CsiConnection, point: string, stateDir: string, bytes: number, files: number): Promise<Omit<DriverFigures, 'system' | 'method'>> {
  const id = await create(csi, `source-${files}`, BigInt(bytes));
  const source = join(stateDir, 'volumes', id);
  await fill(source, bytes, files);
  const durably = async (command: string, args: readonly string[]): Promise<void> => {
    await run(command, [...args]);
    await run('sync', ['-f', point]);
  };
  let restored = '';
  await run('sync');
  const start = performance.now();
  const { result, probe, list } = await askMeanwhile(csi, async () => {
    const answer = await csi.controller.createSnapshot({ name: `snapshot-${files}`, sourceVolumeId: id, parameters: {} }, CALL);
    return { snapshotId: answer.snapshot?.snapshotId ?? '', snapshotMs: Math.round(performance.now() - start) };
  });
  const { snapshotId, snapshotMs } = result;
  const restoreMs = await timed(async () => {
    restored = await create(csi, `restored-${files}`, BigInt(bytes), snapshotId);
  });
  await run('diff', ['-r', source, join(stateDir, 'volumes', restored)]); // fast and wrong is no figure
  await csi.controller.deleteVolume({ volumeId: restored }, CALL);
  await csi.controller.deleteSnapshot({ snapshotId }, CALL);
  const [archive, untarred, copied] = [join(point, 'data.tar'), join(point, 'untarred'), join(point, 'copied')];
  await mkdir(untarred);
  const tarMs = await timed(() => durably('tar', ['cf', archive, '-C', source, '.']));
  const untarMs = await timed(() => durably('tar', ['xf', archive, '-C', untarred]));
  await run('rm', ['-rf', archive, untarred]);
  // cp shares blocks by itself where it can; what a copy of the data costs is the measure here.
  const cpMs = await timed(() => durably('cp', ['-a', '--reflink=never', source, copied]));
  await run('rm', ['-rf', copied]);
  await csi.controller.deleteVolume({ volumeId: id }, CALL);
  return { files, bytes, snapshotMs, probe, list, restoreMs, tarMs, untarMs, cpMs };
}

async function benchSystem(dir: string, system: string, bytes: number, counts: readonly number[]): Promise<DriverFigures[]> {
  const [image, point] = [join(dir, `${system}.img`), join(dir, system)];
  await writeFile(image, '');
  await truncate(image, bytes * IMAGE_FACTOR);
  await run(`mkfs.${system}`, [...(system === 'ext4' ? ['-q', '-F'] : ['-q', '-f']), image]);
  await mkdir(point);
  await run('mount', ['-o', 'loop', image, point]);
  const layout: StackLayout = {
    dir: join(dir, `run-${system}`),
    stateDir: join(point, 'state'),
    port: 0,
    webhookPort: 0,
    nodes: ['bench'],
    driverName: 'hostpath.csi.k8s.io',
    replicas: {},
    extraFlags: {},
    programs: {},
  };
  await mkdir(join(layout.dir, 'csi'), { recursive: true });
  const logPath = paths.log(layout, 'hostpath-driver');
  const driver = new ManagedProcess({
    name: 'hostpath-driver',
    command: commandOf({ name: 'hostpath-driver', component: 'hostpath-driver', node: 'bench' }, layout),
    logPath,
    detached: false,
    onUnexpectedExit: () => process.stderr.write(`the driver ended by itself:\n${tailOf(logPath)}\n`),
  });
  driver.start();
  const csi = connectCsi({ endpoint: paths.socket(layout) });
  try {
    await csi.ready(20_000);
    const method = /method="?([a-z-]+)/.exec(tailOf(logPath))?.[1] ?? 'unknown';
    const figures: DriverFigures[] = [];
    for (const files of counts) figures.push({ system, method, ...(await measure(csi, point, layout.stateDir, bytes, files)) });
    return figures;
  } finally {
    csi.close();
    await driver.stop(5_000);
    await run('umount', [point]);
    await run('rm', ['-f', image]);
  }
}

async function checkRoom(dir: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dir);
  if (bavail * bsize < bytes * IMAGE_FACTOR)
    throw new Error(
      `${dir} has ${Math.floor((bavail * bsize) / 2 ** 20)} MiB free, ${Math.ceil((bytes * IMAGE_FACTOR) / 2 ** 20)} are needed; use --dir or a smaller --size`,
    );
}

/** Runs the bench and prints its figures. @returns the exit code */
export async function benchDriver(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const options = flags.parse(argv);
  if (options.help) {
    process.stdout.write(flags.usage('npm run bench -- driver'));
    return 0;
  }
  if (process.getuid?.() !== 0) throw new Error('this bench makes and mounts file systems: run it as root');
  const bytes = bytesOf(options.size);
  await checkRoom(options.dir, bytes);
  const counts = (options.files.length === 0 ? ['1', '50000'] : options.files).map(Number);
  const systems = options.systems.length === 0 ? ['btrfs', 'xfs', 'ext4'] : options.systems;
  const dir = await mkdtemp(join(options.dir, 'bench-driver-'));
  try {
    const figures: DriverFigures[] = [];
    for (const system of systems) {
      signal.throwIfAborted();
      figures.push(...(await benchSystem(dir, system, bytes, counts)));
    }
    process.stdout.write(options.json ? `${JSON.stringify({ bench: 'driver', figures })}\n` : describe(figures));
    return 0;
  } finally {
    await removeRemains(dir);
  }
}

function describe(figures: readonly DriverFigures[]): string {
  const table = new Table({
    head: ['system', 'method', 'files', 'MiB', 'snapshot ms', 'Probe p99/max', 'List p99/max', 'restore ms', 'tar ms', 'untar ms', 'cp ms'],
    style: { head: [], border: [] },
  });
  const shown = ({ p99Ms, maxMs }: Answers): string => `${p99Ms}/${maxMs}`;
  for (const { system, method, files, bytes, snapshotMs, probe, list, restoreMs, tarMs, untarMs, cpMs } of figures)
    table.push([system, method, files, Math.round(bytes / 2 ** 20), snapshotMs, shown(probe), shown(list), restoreMs, tarMs, untarMs, cpMs]);
  return `${table.toString()}\n`;
}
