// What V8 compiled of a bundle, made by running it once under the node that the image holds.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleLauncher, type Bundle } from './bundle.ts';
import { ownArchitecture, type Architecture } from './components.ts';
import { CODE_CACHE } from './launch/compile.ts';

/** Node's flags in every image: idle processes with a small young generation save some 15 MB each. */
export const NODE_FLAGS: readonly string[] = ['--max-semi-space-size=1', '--disable-warning=ExperimentalWarning'];

// With these the same bundle gives the same bytes: nothing is left to chance, or to which thread is first. They are not
// among the flags that V8 wants to be the same when it reads the cache.
const DETERMINISTIC = ['--random-seed=1', '--no-concurrent-recompilation', '--no-concurrent-sparkplug', '--single-threaded-gc'];

/** Why no code cache can be made on this machine; undefined when it can. */
export function whyNoCodeCache(architecture: Architecture, nodeVersion: string): string | undefined {
  if (ownArchitecture() !== architecture) return `this machine cannot run node for ${architecture}`;
  return process.versions.node === nodeVersion ? undefined : `this is node ${process.versions.node}, and the image's is ${nodeVersion}`;
}

/** The code cache of a bundle: as far as `--version` goes, which is nearly all that a start compiles. */
export async function codeCacheOf(bundle: Bundle): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'snapshot-stack-code-'));
  try {
    for (const [name, data] of bundle.files) await writeFile(join(folder, name), data);
    await writeFile(join(folder, 'make.js'), await bundleLauncher('make-code-cache'));
    const flags = [...NODE_FLAGS, ...DETERMINISTIC];
    const child = spawn(process.execPath, [...flags, join(folder, 'make.js'), folder, '--version'], { stdio: ['ignore', 'ignore', 'pipe'], env: {} });
    let complaint = '';
    child.stderr.on('data', (part: Buffer) => (complaint += String(part)));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`the bundle ended with ${code} when asked for its version: ${complaint.slice(-2_000)}`);
    return await readFile(join(folder, CODE_CACHE));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
