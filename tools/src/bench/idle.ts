// A process that does what every controller does at the least: it follows one resource, and waits. Its memory
// is the floor for all components of the runtime. Started by the rss bench: idle.ts <kubeconfig>.
import { leases } from '@snapshot-stack/api-types';
import { Informer, createClient, createLog, createMetrics, loadConnection, runMain } from '@snapshot-stack/runtime';

await runMain(async (signal) => {
  const log = createLog({ name: 'idle' });
  createMetrics({ processMetrics: true });
  const client = createClient(await loadConnection({ kubeconfig: process.argv[2] ?? '' }), { userAgent: 'bench-idle/1' });
  await new Informer({ client, resource: leases, log }).run(signal);
  return 0;
});
