// Upstream's Go components, built from their published modules, to try ours against: whoever changes over has both for
// a while. Built once into a cache; where Go or the module proxy is missing, the reason is told.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/upstream', import.meta.url));
const OUTPUT_BYTES_MAX = 16 * 2 ** 20;

interface Upstream {
  module: string;
  version: string;
  program: string;
  /** Replacements that point into the repository, where a published module has nothing. */
  replace?: string;
}

const SNAPSHOTTER = {
  module: 'github.com/kubernetes-csi/external-snapshotter/v8',
  version: 'v8.6.0',
  replace: 'github.com/kubernetes-csi/external-snapshotter/client/v8=github.com/kubernetes-csi/external-snapshotter/client/v8@v8.6.0',
};

const UPSTREAM = {
  'snapshot-controller': { ...SNAPSHOTTER, program: 'snapshot-controller' },
  'csi-snapshotter': { ...SNAPSHOTTER, program: 'csi-snapshotter' },
  provisioner: { module: 'github.com/kubernetes-csi/external-provisioner/v6', version: 'v6.3.0', program: 'csi-provisioner' },
} as const satisfies Record<string, Upstream>;

export type UpstreamComponent = keyof typeof UPSTREAM;

/** The Go command, with the place where distributions that do not put it on the PATH have it. */
function goCommand(): string {
  return existsSync('/usr/local/go/bin/go') ? '/usr/local/go/bin/go' : 'go';
}

/**
 * The path of upstream's program.
 * @throws Error saying what is missing: Go, the module, or what the compiler said
 */
export async function upstreamProgram(component: UpstreamComponent): Promise<string> {
  const upstream: Upstream = UPSTREAM[component];
  const path = join(CACHE, `${upstream.program}-${upstream.version}`);
  if (!existsSync(path)) await build(upstream, path);
  return path;
}

/** What Go said, on whichever stream, in one line. */
function wordsOf(error: unknown): string {
  const { stdout = '', stderr = '', message } = error as Error & { stdout?: string; stderr?: string };
  return `${stdout}${stderr}`.replaceAll(/\s+/g, ' ').trim().slice(-300) || message;
}

async function build({ module, version, program, replace }: Upstream, path: string): Promise<void> {
  const go = goCommand();
  const dir = await mkdtemp(join(tmpdir(), 'upstream-'));
  try {
    const { stdout } = await run(go, ['mod', 'download', '-json', `${module}@${version}`], { cwd: dir, maxBuffer: OUTPUT_BYTES_MAX });
    const { Dir: source } = JSON.parse(stdout) as { Dir: string };
    const copy = join(dir, 'source');
    await cp(source, copy, { recursive: true });
    await run('chmod', ['-R', 'u+w', copy]);
    if (replace !== undefined) await run(go, ['mod', 'edit', `-replace=${replace}`], { cwd: copy });
    const built = join(dir, program);
    await run(go, ['build', '-mod=mod', '-o', built, `./cmd/${program}`], { cwd: copy, maxBuffer: OUTPUT_BYTES_MAX });
    await mkdir(CACHE, { recursive: true });
    // Renamed within the cache, so that nobody ever starts half a program.
    await cp(built, `${path}.new`);
    await rename(`${path}.new`, path);
  } catch (error) {
    throw new Error(`upstream's ${program} ${version} cannot be built here: ${wordsOf(error)}`, { cause: error });
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

// What Go says when modules cannot be had, as against when they do not compile.
const OUT_OF_REACH = /dial tcp|no such host|not available|403 |404 |i\/o timeout|connection refused|module lookup disabled|TLS handshake|ENOENT/;

/**
 * Builds all of upstream's programs, or says why they are out of reach on this machine; undefined when they are there.
 * @throws Error when they could be had and do not compile
 */
export async function upstreamMissing(): Promise<string | undefined> {
  try {
    for (const component of Object.keys(UPSTREAM) as UpstreamComponent[]) await upstreamProgram(component);
    return undefined;
  } catch (error) {
    const { message } = error as Error;
    if (OUT_OF_REACH.test(message)) return message;
    throw error;
  }
}
