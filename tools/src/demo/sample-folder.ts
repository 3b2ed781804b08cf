// The folder the demo uses when the user gives none: small, but with what breaks careless copies.
import { chmod, link, mkdir, open, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Random } from '@snapshot-stack/runtime/process';

const MIB = 1 << 20;

function randomBytes(size: number, random: Random): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  for (let i = 0; i + 4 <= size; i += 4) bytes.writeUInt32LE((random() * 0x1_0000_0000) >>> 0, i);
  return bytes;
}

/** 64 MiB in size, of which 48 MiB are holes. */
async function writeSparseFile(path: string, random: Random): Promise<void> {
  const file = await open(path, 'w');
  await file.write(randomBytes(8 * MIB, random), 0, 8 * MIB, 0);
  await file.write(randomBytes(8 * MIB, random), 0, 8 * MIB, 32 * MIB);
  await file.truncate(64 * MIB);
  await file.close();
}

/** Fills `dir` (which it makes): sub-folders, links, sparse and empty files, modes and odd names. */
export async function makeSampleFolder(dir: string, random: Random): Promise<void> {
  for (const sub of ['photos/2026', 'documents', 'empty folder', 'deep/er/and/deeper']) await mkdir(join(dir, sub), { recursive: true });
  for (let i = 0; i < 40; i++) await writeFile(join(dir, 'photos/2026', `img-${i}.raw`), randomBytes(MIB, random));
  for (let i = 0; i < 300; i++) await writeFile(join(dir, 'documents', `note ${i}.txt`), `note ${i}\n`.repeat(1 + (i % 50)));
  await writeSparseFile(join(dir, 'sparse.img'), random);
  await writeFile(join(dir, 'empty file'), '');
  await writeFile(join(dir, 'deep/er/and/deeper', 'naïve 名前 "quoted"\nsecond line'), 'odd names are names too\n');
  await writeFile(join(dir, 'script.sh'), '#!/bin/sh\necho hello\n');
  await chmod(join(dir, 'script.sh'), 0o750);
  await writeFile(join(dir, 'secret'), 'only for its owner\n');
  await chmod(join(dir, 'secret'), 0o600);
  await symlink('documents/note 1.txt', join(dir, 'a link'));
  await symlink('/nowhere/at all', join(dir, 'a dangling link'));
  await link(join(dir, 'script.sh'), join(dir, 'hard link to script.sh'));
}
