// npm run bench -- rss [--json]
//
// Starts every component that there is against an API server, leaves all alone for a while, and reads their
// memory; then once more, with the compile cache of node filled by the first time: stripping types costs some
// 30 MiB that a later start (or a bundle) does not pay. Beside them two measures to compare with: node that
// does nothing, and the least that a controller does.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMPONENTS, paths, startLocalStack, tailOf, type ComponentName } from '@snapshot-stack/local-stack';
import { defineFlags, systemClock } from '@snapshot-stack/runtime/process';
import { usageOf, type ProcessUsage } from './process-usage.ts';

const flags = defineFlags({
  json: { type: 'bool', default: false, help: 'Print one JSON object' },
  help: { type: 'bool', default: false, help: 'Print this and exit' },
  idle: { type: 'duration', default: 10_000, help: 'How long to leave the processes alone before they are measured' },
});

const STOP_MS = 1_000;

export interface RssReport {
  idleMs: number;
  /** By process, at its first and at a later start; CPU seconds are those of starting and idling. */
  processes: Record<string, { first?: ProcessUsage; later?: ProcessUsage }>;
  /** Components without a main.ts. */
  missing: string[];
  /** Components that ended by themselves, with their last words. */
  ended: Record<string, string>;
}

/** The source file that a component's command line starts. */
function entryOf(name: ComponentName): string {
  return fileURLToPath(new URL(`../../../packages/${name}/src/main.ts`, import.meta.url));
}

function startMeasures(kubeconfig: string): Map<string, ChildProcess> {
  // As local-stack starts them.
  const source = ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning', '--max-semi-space-size=1'];
  const start = (args: readonly string[]): ChildProcess => spawn(process.execPath, args, { stdio: 'ignore' });
  return new Map([
    ['(bare node)', start(['-e', 'setInterval(() => {}, 60_000)'])],
    ['(runtime, one informer)', start([...source, fileURLToPath(new URL('idle.ts', import.meta.url)), kubeconfig])],
  ]);
}

async function end(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM'); // an orderly end, on which node writes its compile cache
  await Promise.race([new Promise((resolve) => void child.once('exit', resolve)), systemClock.sleep(STOP_MS)]);
  child.kill('SIGKILL');
}

interface Round {
  processes: Map<string, ProcessUsage>;
  ended: Map<string, string>;
}

async function measure(dir: string, present: readonly ComponentName[], idleMs: number, signal: AbortSignal): Promise<Round> {
  const stack = await startLocalStack({ dir, components: present }, () => {}); // who does not stay up is reported
  const measures = startMeasures(stack.kubeconfig);
  try {
    await systemClock.sleep(idleMs, signal);
    const pids = [...[...measures].map(([name, { pid }]) => [name, pid ?? 0] as const), ...stack.pids()];
    const usages = await Promise.all(pids.map(async ([name, pid]) => [name, await usageOf(pid)] as const));
    const processes = new Map(usages.flatMap(([name, usage]) => (usage === undefined ? [] : [[name, usage] as const])));
    const ended = present.filter((name) => !processes.has(name));
    return { processes, ended: new Map(ended.map((name) => [name, tailOf(paths.log(stack.layout, name))])) };
  } finally {
    await Promise.all([...measures.values()].map(end));
    await stack.stop();
  }
}

function describe(report: RssReport): string {
  const cell = (usage: ProcessUsage | undefined): string =>
    (usage === undefined ? '-' : `${usage.rssMiB} MiB, ${usage.cpuSeconds.toFixed(2)} s CPU`).padEnd(22);
  const lines = [
    `memory after ${report.idleMs / 1_000} s of idling`,
    `  ${''.padEnd(26)}${'first start'.padEnd(22)}with node's compile cache`,
    ...Object.entries(report.processes).map(([name, { first, later }]) => `  ${name.padEnd(26)}${cell(first)}${cell(later)}`.trimEnd()),
    ...report.missing.map((name) => `  ${name.padEnd(26)}has no main.ts`),
    ...Object.entries(report.ended).map(([name, words]) => `  ${name.padEnd(26)}ended by itself:\n${words.replaceAll(/^/gm, '      ')}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** Runs the bench and prints its report. @returns the exit code; 1 when a component did not stay up */
export async function benchRss(argv: readonly string[], signal: AbortSignal): Promise<number> {
  const options = flags.parse(argv);
  if (options.help) {
    process.stdout.write(flags.usage('bench rss'));
    return 0;
  }
  const present = COMPONENTS.filter((name) => existsSync(entryOf(name)));
  const dir = await mkdtemp(join(tmpdir(), 'bench-rss-'));
  try {
    process.env['NODE_COMPILE_CACHE'] = join(dir, 'compile-cache');
    const first = await measure(join(dir, 'first'), present, options.idle, signal);
    const later = await measure(join(dir, 'later'), present, options.idle, signal);
    const both = (name: string): RssReport['processes'][string] => {
      const [one, two] = [first.processes.get(name), later.processes.get(name)];
      return { ...(one === undefined ? {} : { first: one }), ...(two === undefined ? {} : { later: two }) };
    };
    const report: RssReport = {
      idleMs: options.idle,
      processes: Object.fromEntries([...new Set([...first.processes.keys(), ...later.processes.keys()])].map((name) => [name, both(name)])),
      missing: COMPONENTS.filter((name) => !present.includes(name)),
      ended: Object.fromEntries([...first.ended, ...later.ended]),
    };
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describe(report));
    return Object.keys(report.ended).length === 0 ? 0 : 1;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}
