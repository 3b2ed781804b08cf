// How data is copied: by sharing it where the file system can (btrfs subvolumes, reflinks), else by a copy that
// keeps holes. Found out once at start by trying. Copies run in child processes, so that the event loop goes on.
import { constants } from 'node:fs';
import { copyFile, mkdir, open, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Gate, run, runBound } from './run.ts';

export type Method = 'btrfs-subvolume' | 'reflink' | 'copy';

const BTRFS_MAGIC = 0x9123683e;
// The root of every btrfs subvolume has this inode number.
const SUBVOLUME_INODE = 256;

export interface Engine {
  readonly method: Method;
  /** An empty folder for a volume's data, open to all users as a pod may run as any of them. */
  makeFolder(path: string): Promise<void>;
  /** A copy of the folder `from`, which appears at `to` whole or not at all. */
  copyFolder(from: string, to: string, options: { readOnly: boolean }): Promise<void>;
  /** A copy of the image file `from`, which appears at `to` whole or not at all. */
  copyImage(from: string, to: string): Promise<void>;
  /** Removes a folder or file; what is not there is fine. */
  remove(path: string): Promise<void>;
}

async function canReflink(dir: string): Promise<boolean> {
  const [source, target] = [join(dir, '.probe'), join(dir, '.probe-copy')];
  await writeFile(source, Buffer.alloc(4_096, 1));
  try {
    await copyFile(source, target, constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch {
    return false; // ENOTSUP, EINVAL, EXDEV: whatever the reason, it does not work here
  } finally {
    await rm(source, { force: true });
    await rm(target, { force: true });
  }
}

async function canSubvolume(dir: string): Promise<boolean> {
  if ((await statfs(dir)).type !== BTRFS_MAGIC) return false;
  const probe = join(dir, '.probe-subvolume');
  try {
    await run('btrfs', ['subvolume', 'create', probe]);
    await run('btrfs', ['subvolume', 'delete', probe]);
    return true;
  } catch {
    await rm(probe, { recursive: true, force: true });
    return false; // no btrfs tool, or no permission
  }
}

/**
 * The best method that works in `dir`, or the wanted one.
 * @throws Error when the wanted one does not work there
 */
export async function chooseMethod(dir: string, wanted: string): Promise<Method> {
  const works: Record<Method, () => Promise<boolean>> = {
    'btrfs-subvolume': () => canSubvolume(dir),
    reflink: () => canReflink(dir),
    copy: () => Promise.resolve(true),
  };
  if (wanted !== 'auto') {
    if (!Object.hasOwn(works, wanted)) throw new Error(`--snapshot-method=${wanted}: use auto, btrfs-subvolume, reflink or copy`);
    if (await works[wanted as Method]()) return wanted as Method;
    throw new Error(`--snapshot-method=${wanted} does not work in ${dir}; put the data on btrfs or xfs, or use auto`);
  }
  for (const method of ['btrfs-subvolume', 'reflink'] as const) if (await works[method]()) return method;
  return 'copy';
}

/** Makes a folder's entries durable: a rename is safe only when its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Waits until a file, or what was written to a device, is on disk. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function isSubvolume(path: string): Promise<boolean> {
  const stats = await stat(path).catch(() => undefined);
  return stats !== undefined && stats.isDirectory() && stats.ino === SUBVOLUME_INODE;
}

export function createEngine(method: Method, copies: number): Engine {
  const gate = new Gate(copies);
  // Within a tree there may be files that cannot share blocks, for example those with chattr +C: they are copied.
  const reflink = method === 'copy' ? '--reflink=never' : '--reflink=auto';
  const remove = async (path: string): Promise<void> => {
    if (method === 'btrfs-subvolume' && (await isSubvolume(path))) {
      await run('btrfs', ['property', 'set', '-f', '-ts', path, 'ro', 'false']);
      // Refused when whoever used the volume made subvolumes in it; rm takes those too.
      const gone = await run('btrfs', ['subvolume', 'delete', path]).then(
        () => true,
        () => false,
      );
      if (gone) return;
    }
    await runBound('rm', ['-rf', '--one-file-system', '--', path]);
  };
  /** Fills a temporary neighbour and renames it, so that nobody ever sees half of it. */
  const appear = async (to: string, fill: (temporary: string) => Promise<void>): Promise<void> => {
    const temporary = `${to}.partial`;
    await remove(temporary);
    try {
      await fill(temporary);
      await rename(temporary, to);
      await syncFolder(dirname(to));
    } catch (error) {
      await remove(temporary);
      throw error;
    }
  };
  const copyTree = async (from: string, to: string): Promise<void> => {
    await mkdir(to, { mode: 0o700 });
    await runBound('cp', ['-a', reflink, '--sparse=auto', '--', `${from}/.`, to]);
    await runBound('sync', ['-f', to]);
  };
  return {
    method,
    remove,
    makeFolder: (path) =>
      appear(path, async (temporary) => {
        if (method === 'btrfs-subvolume') await run('btrfs', ['subvolume', 'create', temporary]);
        else await mkdir(temporary);
        await run('chmod', ['0777', temporary]);
      }),
    copyFolder: async (from, to, { readOnly }) => {
      if (method === 'btrfs-subvolume' && (await isSubvolume(from))) {
        await appear(to, async (temporary) => {
          await run('btrfs', ['filesystem', 'sync', from]);
          await run('btrfs', ['subvolume', 'snapshot', from, temporary]);
        });
        if (readOnly) await run('btrfs', ['property', 'set', '-ts', to, 'ro', 'true']);
        return;
      }
      await gate.run(() => appear(to, (temporary) => copyTree(from, temporary)));
    },
    copyImage: (from, to) =>
      gate.run(() =>
        appear(to, async (temporary) => {
          await syncFile(from);
          if (method === 'copy') await runBound('cp', [reflink, '--sparse=always', '--', from, temporary]);
          else await copyFile(from, temporary, constants.COPYFILE_FICLONE_FORCE);
          await syncFile(temporary);
        }),
      ),
  };
}
