// The example in the README is run against an API server, and must print what the README says.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { startApiServer } from '@snapshot-stack/apiserver';
import { expect, it } from 'vitest';

const here = fileURLToPath(new URL('.', import.meta.url));

it('prints what the README promises', { timeout: 30_000 }, async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const block = (language: string) => new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(readme)![1]!;
  // Beside the tests and not in the system's temporary folder, so that the packages' names resolve.
  const directory = mkdtempSync(join(here, 'readme-'));
  const api = await startApiServer({});
  try {
    writeFileSync(join(directory, 'example.ts'), block('ts'));
    writeFileSync(join(directory, 'kubeconfig'), api.kubeconfig);
    const args = ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning', 'example.ts'];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { cwd: directory, timeout: 20_000 });
    expect(stdout).toBe(block('text'));
    expect(stderr).toBe('');
  } finally {
    await api.stop();
    rmSync(directory, { recursive: true });
  }
});
