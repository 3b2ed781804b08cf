// Writes the CSI messages and services in packages/csi/src/generated from its .proto files, with the plugin that is
// installed here: nothing is fetched. The settings are buf.gen.yaml's, so `npm run generate:proto` writes the same.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Generator } from './generator.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const HOME = 'packages/csi';
const OUT = 'src/generated';
const TIMEOUT_MS = 60_000;

/** @throws Error with what buf said, when a .proto file is wrong or buf is not installed */
async function files(): Promise<Map<string, string>> {
  const dir = await mkdtemp(join(tmpdir(), 'generate-proto-'));
  try {
    const bin = join(root, 'node_modules', '.bin');
    await promisify(execFile)('buf', ['generate', '--output', dir], {
      cwd: join(root, HOME),
      env: { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH'] ?? ''}` },
      timeout: TIMEOUT_MS,
    });
    const entries = await readdir(join(dir, OUT), { recursive: true, withFileTypes: true });
    const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1));
    return new Map(await Promise.all(paths.toSorted().map(async (path) => [`${HOME}/${path}`, await readFile(join(dir, path), 'utf8')] as const)));
  } finally {
    await rm(dir, { recursive: true });
  }
}

export const proto: Generator = { name: 'proto', files };
