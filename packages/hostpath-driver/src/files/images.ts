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

/**
 * Grows a mounted file system to the size of its device.
 * @throws CsiError FAILED_PRECONDITION when that has to wait for the next staging
 */
export async function growFileSystem(type: string, mountPoint: string, device: string): Promise<void> {
  if (type === 'xfs') await run('xfs_growfs', [mountPoint]);
  else if (type === 'btrfs') await run('btrfs', ['filesystem', 'resize', 'max', mountPoint]);
  else if (type === 'ext4') {
    await run('resize2fs', [device]).catch((error: unknown) => {
      if (!(error instanceof CommandError) || !error.stderr.includes('Permission denied')) throw error;
      const message = `the ext4 on ${device} may not grow while it is mounted: this process lacks CAP_SYS_RESOURCE. It grows when it is staged the next time`;
      throw new CsiError('FAILED_PRECONDITION', message, { cause: error });
    });
  }
}

// Offsets in an ext4's superblock, which is 1,024 bytes into the image. Source: the kernel's ext4 documentation.
const SUPERBLOCK_AT = 1_024;
const SUPERBLOCK_BYTES = 1_024;
const BLOCKS_LOW_AT = 0x4;
const BLOCK_SIZE_AT = 0x18;
const BLOCKS_HIGH_AT = 0x150;

async function ext4Size(image: string): Promise<number> {
  const file = await open(image, 'r');
  try {
    const block = Buffer.alloc(SUPERBLOCK_BYTES);
    await file.read(block, 0, SUPERBLOCK_BYTES, SUPERBLOCK_AT);
    return (block.readUInt32LE(BLOCKS_LOW_AT) + block.readUInt32LE(BLOCKS_HIGH_AT) * 2 ** 32) * 1_024 * 2 ** block.readUInt32LE(BLOCK_SIZE_AT);
  } finally {
    await file.close();
  }
}

/** Grows the ext4 in an image that is not mounted, where it is smaller than the image. The others grow when mounted. */
export async function growUnmounted(type: string, image: string): Promise<void> {
  if (type !== 'ext4' || (await ext4Size(image)) + 4_096 > Number(await imageSize(image))) return;
  // resize2fs asks for a check first; exit code 1 says that what was found has been mended.
  await run('e2fsck', ['-f', '-p', image]).catch((error: unknown) => {
    if (!(error instanceof CommandError) || error.exitCode !== 1) throw error;
  });
  await run('resize2fs', [image]);
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
