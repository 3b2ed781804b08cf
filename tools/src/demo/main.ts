// npm run demo: the whole stack on this machine, and the main job done with it, from one command.
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, realpath, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { COMPONENTS, LocalStackError, paths, removeRemains, startLocalStack, type LocalStack } from '@snapshot-stack/local-stack';
import { FlagError, seededRandom } from '@snapshot-stack/runtime/process';
import { DemoError } from './demo-error.ts';
import { measureFolder } from './folder-size.ts';
import { enterNamespace } from './namespace.ts';
import { flags, type DemoOptions } from './options.ts';
import { runJob, setUp, tearDown, type Job } from './run.ts';
import { makeSampleFolder } from './sample-folder.ts';
import { Story, mebibytes } from './story.ts';
import { makeDriverFolder, makeWorkDir } from './work-dir.ts';

const SAMPLE_SEED = 20_261_123;

interface Inputs {
  from: string;
  out: string;
}

/** @throws DemoError before anything is started */
async function checkInputs(options: DemoOptions): Promise<Inputs> {
  if (options.port < 0 || options.port > 65_535) throw new DemoError(`--port=${options.port} is no port; 0 to 65535 are`);
  const from = options.from === '' ? '' : resolve(options.from);
  if (from !== '' && !existsSync(from)) throw new DemoError(`the folder ${from} does not exist`);
  if (options.out === '') return { from, out: '' };
  const out = resolve(options.out);
  if (existsSync(out)) {
    const entries = await readdir(out).catch((error: Error) => {
      throw new DemoError(`--out=${out} cannot be used: ${error.message}`, { cause: error });
    });
    if (entries.length > 0) throw new DemoError(`the folder ${out} is not empty; name one that is, or that does not exist`);
  }
  return { from, out };
}

async function stopKept(dir: string): Promise<number> {
  const file = join(dir, 'demo.json');
  if (!existsSync(file)) throw new DemoError(`${dir} is no work folder of a demo that was kept (it holds no demo.json)`);
  const { components } = JSON.parse(await readFile(file, 'utf8')) as { components: string[] };
  await killProcessesOf(dir, components);
  await removeRemains(await realpath(dir));
  console.log(`stopped, and removed ${dir}`);
  return 0;
}

/** Ends every process whose command line names this work folder. */
async function killProcessesOf(dir: string, components: readonly string[]): Promise<void> {
  const ours = async (): Promise<number[]> => {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
    const found = await Promise.all(
      pids.map(async (pid) => {
        const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        return pid !== process.pid && command.includes(`${dir}/`) && components.some((name) => command.includes(`/${name}/src/main.ts`)) ? pid : undefined;
      }),
    );
    return found.filter((pid) => pid !== undefined);
  };
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    for (const pid of await ours()) process.kill(pid, signal);
    for (let i = 0; i < 50 && (await ours()).length > 0; i++) await new Promise((done) => setTimeout(done, 100));
  }
}

async function tellKept(stack: LocalStack, workDir: string): Promise<void> {
  await writeFile(join(workDir, 'demo.json'), JSON.stringify({ components: COMPONENTS }));
  console.log(`the cluster is still running; use it:

  export KUBECONFIG=${stack.kubeconfig}
  kubectl get pvc,volumesnapshot,volumesnapshotcontent -A

its processes, and how to start one again after a kill -9:
`);
  for (const [name, pid] of stack.pids()) console.log(`  ${name.padEnd(20)} pid ${String(pid).padEnd(8)} ${paths.script(stack.layout, name)}`);
  console.log(`\nlogs: ${join(workDir, 'logs')}\nstop and remove it: npm run demo -- --stop ${workDir}`);
  stack.abandon();
}

async function demo(options: DemoOptions, abort: AbortController): Promise<number> {
  const { signal } = abort;
  const inputs = await checkInputs(options);
  const story = new Story();
  const workDir = await makeWorkDir(options['work-dir'] === '' ? '' : resolve(options['work-dir']));
  let stack: LocalStack | undefined;
  let kept = false;
  try {
    const from = inputs.from === '' ? join(workDir, 'sample') : inputs.from;
    if (inputs.from === '') await makeSampleFolder(from, seededRandom(SAMPLE_SEED));
    const size = await measureFolder(from, signal);
    story.say(`folder: ${from} (${size.files} files, ${mebibytes(size.bytes)})`);
    const data = await makeDriverFolder(workDir, options.filesystem, size.diskBytes);
    story.say(`driver's data: ${data.path} on ${data.description}`);
    const method = options['snapshot-method'];
    const verbosity = options.v > 0 ? [`--v=${options.v}`] : [];
    stack = await story.step(`cluster started: ${COMPONENTS.join(', ')}`, () =>
      startLocalStack(
        {
          dir: workDir,
          stateDir: join(data.path, 'driver'),
          port: options.port,
          detached: options.keep,
          extraFlags: {
            'hostpath-driver': [`--snapshot-method=${method}`, ...verbosity],
            'snapshot-controller': verbosity,
            'csi-snapshotter': verbosity,
            provisioner: verbosity,
          },
          onTrouble: (message) => story.say(`! ${message}`),
        },
        (error) => abort.abort(error),
      ),
    );
    const job: Job = { from, size, out: inputs.out, stack, story, signal };
    if (inputs.out !== '') await mkdir(inputs.out, { recursive: true });
    await setUp(job);
    const { files, bytes } = await runJob(job);
    if (!options.keep) await story.step('everything deleted again', () => tearDown(job));
    story.table();
    if (options.keep) {
      await tellKept(stack, workDir);
      kept = true;
    }
    console.log(`identical: ${files} files, ${bytes} bytes`);
    return 0;
  } finally {
    if (!kept) {
      await stack?.stop();
      await removeRemains(workDir);
    }
  }
}

async function main(): Promise<number> {
  const options = flags.parse(process.argv.slice(2));
  if (options.stop !== '') return stopKept(resolve(options.stop));
  // A kept cluster must be usable from outside, so it cannot live in a namespace of its own as root.
  if (!options.keep || process.getuid?.() !== 0) enterNamespace();
  const abort = new AbortController();
  let asked = false;
  const onSignal = (name: string): void => {
    if (asked) return;
    asked = true;
    console.log(`\n${name}: stopping and cleaning up …`);
    abort.abort(new DemoError(`stopped by ${name}; nothing is left behind`));
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal);
  return demo(options, abort);
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    const known = error instanceof DemoError || error instanceof LocalStackError || error instanceof FlagError;
    console.error(`error: ${error instanceof Error ? (known ? error.message : (error.stack ?? error.message)) : String(error)}`);
    process.exit(1);
  },
);
