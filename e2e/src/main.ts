// npm run e2e: the matrix of provisioning and restore, on a cluster of your choice.
import { join, resolve } from 'node:path';
import { FlagError, defineFlags } from '@snapshot-stack/runtime/process';
import { nameOf, type Cell, type CellOutcome } from './cell.ts';
import type { Cluster } from './cluster.ts';
import { NODE_LOCAL, PRODUCTION, startEmbeddedCluster } from './embedded-cluster.ts';
import { withKind } from './kind.ts';
import { tellStories, type TellOptions } from './stories/index.ts';
import { connectCluster } from './kubectl-cluster.ts';
import { runMatrix } from './matrix.ts';
import { countsOf, folderOf, terminalTable, writeReport } from './report.ts';

const flags = defineFlags({
  cluster: { type: 'string', default: 'embedded', help: 'embedded (processes on this machine), kubeconfig (any cluster with the charts installed), or kind' },
  kubeconfig: { type: 'string', default: '', help: 'For --cluster=kubeconfig; KUBECONFIG when empty' },
  namespace: { type: 'string', default: 'kube-system', help: 'For --cluster=kubeconfig: where the charts are installed' },
  driver: { type: 'string', default: 'hostpath.csi.k8s.io', help: 'CSI driver to use' },
  report: { type: 'string', default: '', help: 'Folder for matrix.json, index.html, junit.xml and what is collected of failures' },
  filter: { type: 'string', default: '', help: 'Only cells and stories whose name holds this text' },
  concurrency: { type: 'int', default: 8, help: 'Cells that run at once' },
  keep: { type: 'bool', default: false, help: 'For --cluster=kind: leave the cluster' },
  'node-image': { type: 'string', default: '', help: 'For --cluster=kind: a node image other than the first in node-images.json' },
});

type Options = ReturnType<typeof flags.parse>;

/** The matrix on the first cluster, the stories on all: those that one lacks something for are told on another. */
async function run(clusters: readonly [Cluster, ...Cluster[]], options: Options): Promise<number> {
  const startedAt = new Date();
  const [cluster] = clusters;
  const dir = options.report === '' ? undefined : resolve(options.report);
  const failureDir = dir === undefined ? {} : { failureDir: (name: string) => join(dir, 'failures', folderOf(name)) };
  const onOutcome = ({ name, result, ms, detail }: CellOutcome): void => {
    if (result === 'failed') console.log(`✗ ${name}: ${detail}`);
    else if (result === 'passed' && process.stdout.isTTY) process.stdout.write(`\r\u001B[K✓ ${name} (${ms} ms)`);
  };
  const filter = (cell: Cell): boolean => nameOf(cell).includes(options.filter);
  const cells = await runMatrix({ cluster, concurrency: options.concurrency, filter, onOutcome, ...failureDir });
  const stories = await storiesOn(clusters, { filter: (name) => name.includes(options.filter), onOutcome, ...failureDir });
  if (process.stdout.isTTY) process.stdout.write('\r\u001B[K');
  console.log(terminalTable(cells));
  for (const { name, result, ms, detail } of stories) console.log(`${MARKS[result]} ${name} ${result === 'impossible' ? `(${detail})` : `(${ms} ms)`}`);
  const ms = Date.now() - startedAt.getTime();
  if (dir !== undefined) {
    await writeReport(dir, { cluster: cluster.kind, startedAt, ms, cells, stories });
    console.log(`report: ${join(dir, 'index.html')}`);
  }
  const counts = countsOf([...cells, ...stories]);
  console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.impossible} not possible, in ${(ms / 1_000).toFixed(1)} s`);
  return counts.failed === 0 ? 0 : 1;
}

const MARKS = { passed: '✓', failed: '✗', impossible: '–' } as const;

async function storiesOn(clusters: readonly Cluster[], options: Omit<TellOptions, 'cluster'>): Promise<CellOutcome[]> {
  const outcomes = new Map<string, CellOutcome>();
  for (const cluster of clusters) {
    const isOpen = (name: string): boolean => options.filter(name) && (outcomes.get(name)?.result ?? 'impossible') === 'impossible';
    for (const outcome of await tellStories({ ...options, cluster, filter: isOpen })) outcomes.set(outcome.name, outcome);
  }
  return [...outcomes.values()];
}

/** One cluster as production has it, and one whose sidecars are node-local. */
async function onEmbedded(options: Options): Promise<number> {
  const onTrouble = (message: string): void => console.log(`! ${message}`);
  const started: Cluster[] = [];
  const stop = async (): Promise<void> => {
    for (const cluster of started.splice(0)) await cluster.close();
  };
  const interrupted = (): void => void stop().then(() => process.exit(1));
  process.once('SIGINT', interrupted);
  process.once('SIGTERM', interrupted);
  try {
    const cluster = await startEmbeddedCluster(onTrouble, PRODUCTION);
    started.push(cluster);
    const nodeLocal = await startEmbeddedCluster(onTrouble, NODE_LOCAL);
    started.push(nodeLocal);
    return await run([cluster, nodeLocal], options);
  } finally {
    await stop();
  }
}

async function onConnected(cluster: Cluster, options: Options): Promise<number> {
  try {
    return await run([cluster], options);
  } finally {
    await cluster.close();
  }
}

async function main(): Promise<number> {
  const options = flags.parse(process.argv.slice(2));
  const { kubeconfig, driver, namespace, keep, 'node-image': nodeImage } = options;
  switch (options.cluster) {
    case 'embedded':
      return onEmbedded(options);
    case 'kubeconfig':
      return onConnected(await connectCluster('kubeconfig', kubeconfig, driver, namespace), options);
    case 'kind':
      return withKind({ keep, nodeImage }, async (path) => onConnected(await connectCluster('kind', path, driver, 'kube-system'), options));
    default:
      throw new FlagError(`--cluster=${options.cluster}: use embedded, kubeconfig or kind`);
  }
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  },
);
