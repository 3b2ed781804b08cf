// Sparse image files, and file systems in them.
import { open, stat, truncate } from 'node:fs/promises';
import { CsiError } from '@snapshot-stack/csi';
import { CommandError, run } from './run.ts';

export const FILE_SYSTEMS = ['ext4', 'xfs', 'btrfs'] as const;
export type FileSystem = (typeof FILE_SYSTEMS)[number];

export function isFileSystem(text: string): text is FileSystem {
  return (FILE_SYSTEMS as readonly string[]).includes(text);
}

/** An image of the given size, all of it a hole. */
export async function makeImage(path: string, sizeBytes: bigint): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.truncate(Number(sizeBytes));
    await file.sync();
  } finally {
    await file.close();
  }
}

export async function imageSize(path: string): Promise<bigint> {
  return BigInt((await stat(path)).size);
}

/** Makes an image larger; smaller it never becomes. */
export async function growImage(path: string, sizeBytes: bigint): Promise<void> {
  if ((await imageSize(path)) < sizeBytes) await truncate(path, Number(sizeBytes));
}

const MKFS: Record<FileSystem, readonly string[]> = {
  ext4: ['-q', '-F', '-E', 'lazy_itable_init=1,lazy_journal_init=1'],
  xfs: ['-q', '-f'],
  btrfs: ['-q', '-f'],
};

export async function makeFileSystem(image: string, type: FileSystem): Promise<void> {
  try {
    await run(`mkfs.${type}`, [...MKFS[type], image]);
  } catch (error) {
    if (error instanceof CommandError && error.isMissing)
      throw new CsiError('INVALID_ARGUMENT', `this node has no mkfs.${type}; install it, or choose another csi.storage.k8s.io/fstype`, { cause: error });
    throw error;
  }
}

/** Grows a mounted file system to the size of its device. */
export async function growFileSystem(type: string, mountPoint: string, device: string): Promise<void> {
  if (type === 'ext4') await run('resize2fs', [device]);
  else if (type === 'xfs') await run('xfs_growfs', [mountPoint]);
  else if (type === 'btrfs') await run('btrfs', ['filesystem', 'resize', 'max', mountPoint]);
}

/** The file system that an image or device holds, as blkid sees it; '' when there is none it knows. */
export async function fileSystemIn(image: string): Promise<string> {
  try {
    return (await run('blkid', ['--probe', '--output', 'value', '--match-tag', 'TYPE', image])).trim();
  } catch (error) {
    if (error instanceof CommandError && error.exitCode === 2) return ''; // nothing found
    throw error;
  }
}

/** Gives a copied btrfs an identity of its own: the kernel takes two with the same one for two halves of one. */
export async function renewIdentity(image: string, type: string): Promise<void> {
  if (type === 'btrfs') await run('btrfstune', ['-m', image]);
}
