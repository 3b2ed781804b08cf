// The dev cluster as a process. Prints one line, `ready <node>`, when all caches are filled and the node is registered.
import { createClient, createLog, loadConnection, runMain } from '@snapshot-stack/runtime';
import { readOptions } from './options.ts';
import { startDevCluster } from './wire.ts';

const VERSION = '0.1.0';

await runMain(async (signal) => {
  const { kubeconfig, qps, burst, logLevel, logFormat, nodeName, root, csiEndpoints, nodeOnly } = readOptions(VERSION);
  const log = createLog({ name: 'devcluster', level: logLevel, format: logFormat });
  const connection = await loadConnection({ ...(kubeconfig !== '' && { kubeconfig }) });
  const client = createClient(connection, { userAgent: `devcluster/${VERSION}`, qps, burst });
  const cluster = await startDevCluster({ client, log, nodeName, root, csiEndpoints, nodeOnly, signal });
  await cluster.ready;
  process.stdout.write(`ready ${nodeName}\n`);
  await cluster.stopped;
  client.close();
  return 0;
});
