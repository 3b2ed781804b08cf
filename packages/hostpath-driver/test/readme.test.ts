// The README's example is run as it stands there.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

test("the README's example does what its comment says", async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const [, code = ''] = /```ts\n(.*?)```/s.exec(readme) ?? [];
  const [, said = ''] = /console\.log\(.*\); \/\/ (.*)/.exec(code) ?? [];
  const dir = await mkdtemp(join(tmpdir(), 'hostpath-readme-'));
  const script = fileURLToPath(new URL(`./readme-example-${process.pid}.ts`, import.meta.url)); // beside us, so that imports are found
  try {
    await writeFile(script, code);
    const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning', script], {
      env: { ...process.env, EXAMPLE_DIR: dir },
    });
    expect(said).not.toBe('');
    expect(stdout.trim()).toBe(said);
  } finally {
    await rm(script, { force: true });
    await rm(dir, { recursive: true, force: true });
  }
}, 30_000);
