// npm run e2e: the matrix of provisioning and restore, on a cluster of your choice.
import { join, resolve } from 'node:path';
import { FlagError, defineFlags } from '@snapshot-stack/runtime/process';
import { nameOf } from './cell.ts';
import type { Cluster } from './cluster.ts';
import { startEmbeddedCluster } from './embedded-cluster.ts';
import { withKind } from './kind.ts';
import { connectCluster } from './kubectl-cluster.ts';
import { runMatrix } from './matrix.ts';
import { countsOf, folderOf, terminalTable, writeReport } from './report.ts';

const flags = defineFlags({
  cluster: { type: 'string', default: 'embedded', help: 'embedded (processes on this machine), kubeconfig (any cluster with the charts installed), or kind' },
  kubeconfig: { type: 'string', default: '', help: 'For --cluster=kubeconfig; KUBECONFIG when empty' },
  driver: { type: 'string', default: 'hostpath.csi.k8s.io', help: 'CSI driver to use' },
  report: { type: 'string', default: '', help: 'Folder for matrix.json, index.html, junit.xml and what is collected of failures' },
  filter: { type: 'string', default: '', help: 'Only cells whose name holds this text' },
  concurrency: { type: 'int', default: 8, help: 'Cells that run at once' },
  keep: { type: 'bool', default: false, help: 'For --cluster=kind: leave the cluster' },
  'node-image': { type: 'string', default: '', help: 'For --cluster=kind: a node image other than the first in node-images.json' },
});

async function run(cluster: Cluster, options: ReturnType<typeof flags.parse>): Promise<number> {
  const startedAt = new Date();
  const dir = options.report === '' ? undefined : resolve(options.report);
  const cells = await runMatrix({
    cluster,
    concurrency: options.concurrency,
    filter: (cell) => nameOf(cell).includes(options.filter),
    onOutcome: ({ name, result, ms, detail }) => {
      if (result === 'failed') console.log(`✗ ${name}: ${detail}`);
      else if (result === 'passed' && process.stdout.isTTY) process.stdout.write(`\r\u001B[K✓ ${name} (${ms} ms)`);
    },
    ...(dir === undefined ? {} : { failureDir: (cell: string) => join(dir, 'failures', folderOf(cell)) }),
  });
  if (process.stdout.isTTY) process.stdout.write('\r\u001B[K');
  console.log(terminalTable(cells));
  const counts = countsOf(cells);
  if (dir !== undefined) {
    await writeReport(dir, { cluster: cluster.kind, startedAt, ms: Date.now() - startedAt.getTime(), cells });
    console.log(`report: ${join(dir, 'index.html')}`);
  }
  console.log(
    `${counts.passed} passed, ${counts.failed} failed, ${counts.impossible} not possible, in ${((Date.now() - startedAt.getTime()) / 1_000).toFixed(1)} s`,
  );
  return counts.failed === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const options = flags.parse(process.argv.slice(2));
  switch (options.cluster) {
    case 'embedded': {
      const cluster = await startEmbeddedCluster((message) => console.log(`! ${message}`));
      const stop = (): void => void cluster.close().then(() => process.exit(1));
      process.once('SIGINT', stop);
      process.once('SIGTERM', stop);
      try {
        return await run(cluster, options);
      } finally {
        await cluster.close();
      }
    }
    case 'kubeconfig': {
      const cluster = await connectCluster('kubeconfig', options.kubeconfig, options.driver);
      try {
        return await run(cluster, options);
      } finally {
        await cluster.close();
      }
    }
    case 'kind':
      return withKind({ keep: options.keep, nodeImage: options['node-image'] }, async (kubeconfig) => {
        const cluster = await connectCluster('kind', kubeconfig, options.driver);
        try {
          return await run(cluster, options);
        } finally {
          await cluster.close();
        }
      });
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
