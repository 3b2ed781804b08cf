// How long an image's program takes to start, measured in the image's file tree.
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { startImage, type ImageTree } from './image-tree.ts';

const RUNS = 9;

async function run(tree: ImageTree, args: readonly string[], entrypoint?: readonly string[]): Promise<number> {
  const started = performance.now();
  const child = await startImage(tree, args, entrypoint === undefined ? {} : { entrypoint });
  let said = '';
  child.stdout?.resume();
  child.stderr?.on('data', (part: Buffer) => (said += String(part)));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`${(entrypoint ?? tree.config.config.Entrypoint).join(' ')} ${args.join(' ')} ended with ${code}: ${said.slice(-1_000)}`);
  return performance.now() - started;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

/**
 * Milliseconds from exec until the program has loaded and answered `--version`: the median of some runs, less what
 * making the namespace takes, which is what the C library's loader takes to tell its own version.
 */
export async function startMsOf(tree: ImageTree): Promise<number> {
  const loader = tree.config.architecture === 'amd64' ? '/usr/lib64/ld-linux-x86-64.so.2' : '/usr/lib/ld-linux-aarch64.so.1';
  const [all, namespace]: [number[], number[]] = [[], []];
  for (let i = 0; i < RUNS; i++) {
    all.push(await run(tree, ['--version']));
    namespace.push(await run(tree, ['--version'], [loader]));
  }
  return median(all) - median(namespace);
}
