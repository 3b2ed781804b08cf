// The example in the README is run, and must print what the README says.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const here = fileURLToPath(new URL('.', import.meta.url));

it('prints what the README promises', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const block = (language: string) => new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, 's').exec(readme)![1]!;
  // Beside the tests and not in the system's temporary folder, so that the package's name resolves.
  const directory = mkdtempSync(join(here, 'readme-'));
  try {
    writeFileSync(join(directory, 'example.ts'), block('ts'));
    const flags = ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning'];
    expect(execFileSync(process.execPath, [...flags, join(directory, 'example.ts')], { encoding: 'utf8' })).toBe(block('text'));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
