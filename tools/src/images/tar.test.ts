import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { directory, file, inOrder, type FileEntry, type FileTree } from './file-tree.ts';
import { readTar, tarOf } from './tar.ts';

const segment = fc.stringMatching(/^[a-z][a-zA-Z0-9._+-]{0,80}$/);
const entry: fc.Arbitrary<FileEntry> = fc.oneof(
  fc.record({
    kind: fc.constant('file' as const),
    data: fc.uint8Array({ maxLength: 2_000 }).map((bytes) => Buffer.from(bytes)),
    mode: fc.constantFrom(0o644, 0o755),
  }),
  fc.record({ kind: fc.constant('symlink' as const), target: fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/')) }),
);
// Files lie in folders that no file has the name of.
const tree: fc.Arbitrary<FileTree> = fc
  .array(fc.tuple(fc.array(segment, { maxLength: 3 }), segment, entry), { maxLength: 12 })
  .map((files) => new Map(files.map(([folders, name, one]) => [[...folders.map((folder) => `d${folder}`), `f${name}`].join('/'), one])));

it('reads what it wrote, with the folders that lead there', async () => {
  await fc.assert(
    fc.asyncProperty(tree, async (written) => {
      expect([...(await readTar(tarOf(written)))]).toEqual([...inOrder(written)]);
    }),
    { numRuns: 60 },
  );
});

it('writes the same bytes whatever the order in which the tree was filled', async () => {
  await fc.assert(
    fc.asyncProperty(tree, async (one) => {
      const other: FileTree = new Map([...one].reverse());
      expect((await buffer(tarOf(one))).equals(await buffer(tarOf(other)))).toBe(true);
    }),
    { numRuns: 30 },
  );
});

it('writes what tar unpacks', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'images-tar-'));
  try {
    const long = `${'folder/'.repeat(20)}file`;
    const written: FileTree = new Map([
      [long, file('far down', 0o755)],
      ['tmp', directory(0o1777)],
      ['link', { kind: 'symlink', target: long }],
    ]);
    execFileSync('tar', ['--extract', '--directory', folder], { input: await buffer(tarOf(written)) });
    expect(readFileSync(join(folder, long), 'utf8')).toBe('far down');
    expect(readlinkSync(join(folder, 'link'))).toBe(long);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

it('makes files of hard links, and refuses devices', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'images-tar-'));
  try {
    execFileSync('sh', ['-c', 'echo same >a && ln a b && mkfifo pipe'], { cwd: folder });
    const pack = (...names: readonly string[]): Readable => Readable.from([execFileSync('tar', ['--create', ...names], { cwd: folder })]);
    const linked = await readTar(pack('a', 'b'));
    expect(linked.get('b')).toEqual(linked.get('a'));
    await expect(readTar(pack('pipe'))).rejects.toThrow('the archive holds pipe, a fifo, which images here never do');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
