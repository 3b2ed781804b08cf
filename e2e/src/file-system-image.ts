import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** An ext4 image that holds one file, made without mounting anything. Needs mkfs.ext4 (e2fsprogs). */
export async function fileSystemImage(name: string, data: Buffer, sizeBytes: number): Promise<Buffer> {
  const dir = await mkdtemp(join(tmpdir(), 'e2e-image-'));
  try {
    await mkdir(join(dir, 'root'));
    await writeFile(join(dir, 'root', name), data);
    await writeFile(join(dir, 'image'), '');
    await truncate(join(dir, 'image'), sizeBytes);
    await run('mkfs.ext4', ['-q', '-F', '-d', join(dir, 'root'), join(dir, 'image')], {
      env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
    });
    return await readFile(join(dir, 'image'));
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
