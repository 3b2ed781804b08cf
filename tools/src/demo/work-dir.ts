// Where the demo keeps everything: one folder, and in it (or in a loop image in it) the driver's data.
// A file system that can reflink makes snapshots and restores cost no copying, so one is found or made.
import { execFile } from 'node:child_process';
import { constants, existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, open, realpath, rm, statfs, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { DemoError } from './demo-error.ts';
import { mebibytes } from './story.ts';

const run = promisify(execFile);

export interface DriverFolder {
  path: string;
  /** For the table: `btrfs in a loop image`, for example. */
  description: string;
  canReflink: boolean;
}

export async function makeWorkDir(requested: string): Promise<string> {
  if (requested === '') return realpath(await mkdtemp(join(tmpdir(), 'snapshot-demo-')));
  if (existsSync(requested))
    throw new DemoError(`the work folder ${requested} exists already; name one that does not, so that nothing of yours is removed with it`);
  await mkdir(requested, { recursive: true, mode: 0o700 });
  return realpath(requested);
}

async function canReflink(dir: string): Promise<boolean> {
  const [source, target] = [join(dir, '.reflink-probe'), join(dir, '.reflink-probe-copy')];
  await writeFile(source, 'x'.repeat(4096));
  try {
    await copyFile(source, target, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    return false; // ENOTSUP, EXDEV, EINVAL: all of them mean that this file system has no reflinks
  } finally {
    await rm(source, { force: true });
    await rm(target, { force: true });
  }
}

async function assertSpace(dir: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(dir);
  const free = bavail * bsize;
  if (free >= neededBytes) return;
  throw new DemoError(
    `not enough space: the demo needs about ${mebibytes(neededBytes)} in ${dir}, and ${mebibytes(free)} are free; free some, or name a folder on another disk with --work-dir`,
  );
}

/** The tool that makes the file system, where it is; PATH of a plain user often lacks sbin. */
function mkfsPath(kind: 'btrfs' | 'xfs'): string | undefined {
  return ['/usr/sbin', '/sbin', '/usr/bin', '/usr/local/sbin'].map((dir) => `${dir}/mkfs.${kind}`).find((path) => existsSync(path));
}

async function makeLoopFileSystem(workDir: string, kind: 'btrfs' | 'xfs', sizeBytes: number): Promise<DriverFolder> {
  const mkfs = mkfsPath(kind);
  if (mkfs === undefined) throw new DemoError(`mkfs.${kind} is not installed (Debian: apt-get install ${kind === 'xfs' ? 'xfsprogs' : 'btrfs-progs'})`);
  const image = join(workDir, `${kind}.img`);
  const path = join(workDir, 'data');
  await (await open(image, 'w', 0o600)).close();
  await truncate(image, sizeBytes);
  await mkdir(path);
  await run(mkfs, kind === 'xfs' ? ['-q', '-m', 'reflink=1', image] : ['-q', image]);
  // `-o loop` sets autoclear: the device goes with the mount, whoever ends it.
  await run('mount', ['-t', kind, '-o', 'loop', image, path]);
  return { path, description: `${kind} in a loop image`, canReflink: true };
}

async function hostFolder(workDir: string): Promise<DriverFolder> {
  const path = join(workDir, 'data');
  await mkdir(path, { mode: 0o700 });
  const reflinks = await canReflink(path);
  return { path, description: `the host's file system, ${reflinks ? 'with' : 'without'} reflinks`, canReflink: reflinks };
}

/**
 * The folder for the driver's data.
 * @param dataBytes what will be put into the source claim
 * @throws DemoError when the wanted file system cannot be had, or space is short
 */
export async function makeDriverFolder(workDir: string, wanted: string, dataBytes: number): Promise<DriverFolder> {
  if (wanted === 'btrfs' || wanted === 'xfs') {
    await assertSpace(workDir, dataBytes * 2);
    return makeLoopFileSystem(workDir, wanted, imageSize(dataBytes));
  }
  if (wanted !== 'auto' && wanted !== 'host') throw new DemoError(`--filesystem=${wanted}: use auto, host, btrfs or xfs`);
  const host = await hostFolder(workDir);
  if (wanted === 'auto' && !host.canReflink && process.getuid?.() === 0) {
    for (const kind of ['btrfs', 'xfs'] as const) {
      if (mkfsPath(kind) === undefined) continue;
      await rm(host.path, { recursive: true });
      await assertSpace(workDir, dataBytes * 2);
      try {
        return await makeLoopFileSystem(workDir, kind, imageSize(dataBytes));
      } catch {
        // No loop devices or no such file system in this kernel: the host's will do.
        await mkdir(host.path, { recursive: true, mode: 0o700 });
      }
    }
  }
  await assertSpace(workDir, dataBytes * (host.canReflink ? 2 : 4));
  return host;
}

/** Sparse: only what is written takes space. Room for data, its overwritten version and the metadata of many files. */
function imageSize(dataBytes: number): number {
  return Math.max(2 * 2 ** 30, Math.ceil((dataBytes * 3 + 2 ** 30) / 2 ** 20) * 2 ** 20);
}
