// Writes every generated file of the repository: `npm run generate`. With --check nothing is written; the command
// fails and names each file that is not what its generator would write now.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { differences, generateAll } from './generator.ts';
import { generators } from './generators.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

async function read(path: string): Promise<string | undefined> {
  return await readFile(join(root, path), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

async function main(flags: readonly string[]): Promise<number> {
  const unknown = flags.find((flag) => flag !== '--check');
  if (unknown !== undefined) {
    console.error(`unknown flag ${unknown}; usage: npm run generate [-- --check]`);
    return 2;
  }
  const stale = await differences(await generateAll(generators), read);
  if (flags.includes('--check')) {
    for (const { path, generator } of stale) console.error(`${path} is not what ${generator} writes; run npm run generate`);
    return stale.length === 0 ? 0 : 1;
  }
  for (const { path, text } of stale) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
    console.log(`wrote ${path}`);
  }
  return 0;
}

process.exitCode = await main(process.argv.slice(2));
