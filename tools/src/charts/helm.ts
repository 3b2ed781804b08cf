// Real Helm for the tests of the charts: the one in $HELM or on the PATH, else the pinned one (helm-version.json),
// which Go builds once into node_modules/.cache. Where none of these can be had the tests are skipped by name.
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The module that is built, and the Kubernetes version that charts are rendered for where no cluster says one. */
export interface HelmPin {
  readonly module: string;
  readonly version: string;
  readonly kubernetes: string;
}

export const HELM_PIN: HelmPin = JSON.parse(readFileSync(new URL('./helm-version.json', import.meta.url), 'utf8')) as HelmPin;

const CACHE = fileURLToPath(new URL(`../../../node_modules/.cache/helm-${HELM_PIN.version}`, import.meta.url));
const GO_PLACES = ['go', '/usr/local/go/bin/go', '/usr/lib/go/bin/go'];
const BUILD_WITHIN_MS = 15 * 60_000;
const RUN_WITHIN_MS = 120_000;
const OUTPUT_MAX_BYTES = 64 * 2 ** 20;

export type Found = { readonly kind: 'found'; readonly helm: string } | { readonly kind: 'missing'; readonly why: string };

function runs(program: string, args: readonly string[]): boolean {
  return spawnSync(program, args, { stdio: 'ignore', timeout: 30_000 }).status === 0;
}

/**
 * Finds Helm without building it.
 * @param env where HELM may name a program
 */
export function findHelm(env: Readonly<Record<string, string | undefined>> = process.env): Found {
  const named = env['HELM'];
  if (named !== undefined && named !== '') {
    if (runs(named, ['version'])) return { kind: 'found', helm: named };
    return { kind: 'missing', why: `HELM=${named} cannot be run` };
  }
  const helm = ['helm', `${CACHE}/helm`].find((program) => runs(program, ['version']));
  return helm === undefined ? { kind: 'missing', why: 'helm is neither in $HELM nor on the PATH, nor built' } : { kind: 'found', helm };
}

/** Finds Helm, or builds the pinned one: a few minutes with Go and its module proxy, once. */
export async function findOrBuildHelm(env: Readonly<Record<string, string | undefined>> = process.env): Promise<Found> {
  const found = findHelm(env);
  if (found.kind === 'found' || env['HELM']) return found;
  const go = GO_PLACES.find((program) => runs(program, ['version']));
  if (go === undefined) return { kind: 'missing', why: `${found.why}; and there is no Go to build it with` };
  mkdirSync(CACHE, { recursive: true });
  const problem = await buildBeside(go);
  if (problem === undefined && existsSync(`${CACHE}/helm`)) return { kind: 'found', helm: `${CACHE}/helm` };
  return { kind: 'missing', why: `go install ${HELM_PIN.module}@${HELM_PIN.version} failed: ${problem ?? 'it left no program'}` };
}

/** Resolves with the last line of what Go said against it. */
function buildBeside(go: string): Promise<string | undefined> {
  const env = { ...process.env, GOBIN: CACHE, GOFLAGS: '-buildvcs=false' };
  return new Promise((resolve) => {
    execFile(
      go,
      ['install', `${HELM_PIN.module}@${HELM_PIN.version}`],
      { env, timeout: BUILD_WITHIN_MS, maxBuffer: OUTPUT_MAX_BYTES },
      (error, _stdout, stderr) => resolve(error === null ? undefined : lastLine(stderr)),
    );
  });
}

function lastLine(text: string | null): string {
  return text?.trimEnd().split('\n').at(-1) ?? 'no word about why';
}

export interface HelmRun {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

// A configuration of its own, so that neither a user's repositories nor plugins have a say.
function settings(env: Readonly<Record<string, string>>): { env: Record<string, string>; timeout: number; maxBuffer: number } {
  const { PATH = '' } = process.env;
  const own = { PATH, HOME: CACHE, HELM_CACHE_HOME: `${CACHE}/home`, HELM_CONFIG_HOME: `${CACHE}/home`, HELM_DATA_HOME: `${CACHE}/home` };
  return { env: { ...own, ...env }, timeout: RUN_WITHIN_MS, maxBuffer: OUTPUT_MAX_BYTES };
}

/** Runs Helm while everything waits: for what needs no cluster. */
export function runHelm(helm: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): HelmRun {
  const { status, stdout, stderr } = spawnSync(helm, args, { encoding: 'utf8', ...settings(env) });
  return { status, stdout: stdout ?? '', stderr: stderr ?? '' };
}

/** Runs Helm beside a cluster in this very process. */
export function runHelmBeside(helm: string, args: readonly string[]): Promise<HelmRun> {
  return new Promise((resolve) => {
    const child = execFile(helm, [...args], { encoding: 'utf8', ...settings({}) }, (_error, stdout, stderr) =>
      resolve({ status: child.exitCode, stdout, stderr }),
    );
  });
}
