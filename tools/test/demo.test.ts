// The demo as a user runs it: a process, its exit code, what it prints, and what it leaves behind.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { chmod, lstat, mkdir, readFile, readlink, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../src/demo/main.ts', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'demo-test-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

// Mounting needs root, or user namespaces that are allowed to mount.
const canMount =
  process.platform === 'linux' && (process.getuid?.() === 0 || spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'true']).status === 0);

interface Outcome {
  code: number | null;
  out: string;
}

function start(...args: string[]): { child: ChildProcess; outcome: Promise<Outcome>; said: (text: string) => Promise<void> } {
  const child = spawn(process.execPath, ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning', main, ...args], {
    env: { ...process.env, TMPDIR: scratch },
  });
  let out = '';
  const waiting: { text: string; resolve: () => void }[] = [];
  const hear = (chunk: Buffer): void => {
    out += chunk.toString('utf8');
    for (const one of waiting) if (out.includes(one.text)) one.resolve();
  };
  child.stdout.on('data', hear);
  child.stderr.on('data', hear);
  const outcome = new Promise<Outcome>((resolve) => child.once('close', (code) => resolve({ code, out })));
  return { child, outcome, said: (text) => (out.includes(text) ? Promise.resolve() : new Promise((resolve) => waiting.push({ text, resolve }))) };
}

function leftovers(): string[] {
  const folders = readdirSync(scratch).filter((name) => name.startsWith('snapshot-demo-'));
  const commands = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const { stdout } = spawnSync('cat', [`/proc/${pid}/cmdline`], { encoding: 'utf8' });
      return stdout.includes(`${scratch}/snapshot-demo-`) ? [stdout.replaceAll('\0', ' ')] : [];
    });
  return [...folders, ...commands];
}

describe('npm run demo', () => {
  it.skipIf(!canMount)("brings a user's own folder back byte for byte, and leaves nothing behind", { timeout: 60_000 }, async () => {
    const [from, out] = [join(scratch, 'from'), join(scratch, 'out')];
    await mkdir(join(from, 'sub', 'empty'), { recursive: true });
    await writeFile(join(from, 'sub', 'odd\nname "q"'), 'x'.repeat(10_000));
    await writeFile(join(from, 'sparse'), 'start');
    await truncate(join(from, 'sparse'), 50_000_000);
    await writeFile(join(from, 'empty file'), '');
    await chmod(join(from, 'empty file'), 0o640);
    await symlink('/nowhere', join(from, 'dangling'));
    const { code, out: said } = await start('--from', from, '--out', out).outcome;
    expect(said.trimEnd().split('\n').at(-1)).toBe('identical: 4 files, 50010000 bytes');
    expect(code).toBe(0);
    expect(spawnSync('diff', ['-r', '--no-dereference', from, out], { encoding: 'utf8' })).toMatchObject({ status: 0, stdout: '' });
    expect((await lstat(join(out, 'empty file'))).mode & 0o777).toBe(0o640);
    expect((await lstat(join(out, 'sparse'))).blocks).toBeLessThan(1_000);
    expect(await readlink(join(out, 'dangling'))).toBe('/nowhere');
    expect(await readFile(join(out, 'sub', 'odd\nname "q"'), 'utf8')).toHaveLength(10_000);
    expect(leftovers()).toEqual([]);
  });

  it.skipIf(!canMount)('cleans up when it is interrupted in the middle', { timeout: 60_000 }, async () => {
    const { child, outcome, said } = start();
    await said('source claim bound and mounted');
    child.kill('SIGINT');
    const { code, out } = await outcome;
    expect(code).toBe(1);
    expect(out).toContain('stopped by SIGINT');
    expect(leftovers()).toEqual([]);
  });

  it('says that a folder does not exist before it starts anything', async () => {
    const { code, out } = await start('--from', join(scratch, 'missing')).outcome;
    expect(out).toContain(`the folder ${join(scratch, 'missing')} does not exist`);
    expect(code).toBe(1);
    expect(leftovers()).toEqual([]);
  });

  it('never writes into a folder that holds something already', async () => {
    const full = join(scratch, 'full');
    await mkdir(full);
    await writeFile(join(full, 'precious'), 'data');
    const { code, out } = await start('--out', full).outcome;
    expect(out).toContain('is not empty');
    expect(code).toBe(1);
    expect(existsSync(join(full, 'precious'))).toBe(true);
  });

  it.skipIf(!canMount)('names the port that is in use', { timeout: 30_000 }, async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    const { code, out } = await start(`--port=${port}`).outcome;
    taken.close();
    expect(out).toContain(`port ${port} is in use`);
    expect(code).toBe(1);
    expect(leftovers()).toEqual([]);
  });
});
