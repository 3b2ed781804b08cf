// Stories of clusters that are run for others: replicas, node-local sidecars, and the webhook.
import { csiNodes, leases, persistentVolumes, volumeSnapshotClasses, volumeSnapshotContents } from '@snapshot-stack/api-types';
import { KubeError, type Client } from '@snapshot-stack/runtime';
import { PATIENCE_MS, until } from '../wait.ts';
import { expected, type Stage, type Story } from './story.ts';

const failOver: Story = {
  name: 'when the controller that leads is killed, another takes over and snapshots go on',
  needs: ['replicas'],
  tell: async (stage) => {
    const { client } = stage.cluster;
    const lease = { name: 'snapshot-controller-leader', namespace: stage.cluster.namespace };
    const holder = (await client.get(leases, lease)).spec?.holderIdentity ?? '';
    expected(holder !== '', 'no controller leads');
    await stage.source('fail-over');
    await stage.ask('before-fail-over', 'fail-over', 'e2e-delete');
    await stage.cluster.crashReplica(holder.split('_')[0] ?? '');
    await stage.take('after-fail-over', 'fail-over');
    await stage.ready('before-fail-over');
    await until(client, leases, lease, 'held by another', (object) => (object?.spec?.holderIdentity ?? '') !== '' && object?.spec?.holderIdentity !== holder);
    for (const name of ['before-fail-over', 'after-fail-over']) await stage.disappears(name);
  },
};

/** Nodes on which the driver has registered. */
async function twoWorkers(client: Client): Promise<string[]> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const { items } = await client.list(csiNodes);
    const workers = items.filter(({ spec }) => spec.drivers.length > 0).map(({ metadata }) => metadata.name ?? '');
    if (workers.length >= 2) return workers;
    expected(Date.now() < deadline, `the driver is registered only on: ${workers.join(', ') || 'no node'}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const nodeLocal: Story = {
  name: 'with node-local sidecars each snapshot is taken and restored on the node that has the volume',
  needs: ['nodes'],
  tell: async (stage) => {
    const { client } = stage.cluster;
    const workers = await twoWorkers(client);
    for (const node of workers) {
      const there = { 'kubernetes.io/hostname': node };
      await stage.source(`on-${node}`, there);
      const { status } = await stage.take(`of-${node}`, `on-${node}`);
      const content = await client.get(volumeSnapshotContents, { name: status?.boundVolumeSnapshotContentName ?? '' });
      const manager = content.metadata.labels?.['snapshot.storage.kubernetes.io/managed-by'];
      expected(manager === node, `the snapshot of a volume on ${node} is managed by ${manager ?? 'nobody'}`);
      await stage.restore(`again-on-${node}`, `of-${node}`, 'e2e-directory-wait');
      await stage.use(`again-on-${node}`, there);
      await stage.holdsTheContent(`again-on-${node}`);
      const volume = await client.get(persistentVolumes, { name: (await stage.claim(`again-on-${node}`)).spec.volumeName ?? '' });
      expected(JSON.stringify(volume.spec.nodeAffinity ?? {}).includes(node), `the restored volume is not tied to ${node}`);
      await stage.disappears(`of-${node}`);
    }
  },
};

/** Resolves with the words of the refusal. @throws Error when it is accepted, or refused by somebody else */
async function refused(write: Promise<unknown>, words: RegExp): Promise<void> {
  let said = 'it was accepted';
  try {
    await write;
  } catch (error) {
    said = KubeError.from(error).message;
  }
  expected(words.test(said), `expected a refusal with ${String(words)}, but: ${said}`);
}

const webhook: Story = {
  name: 'the webhook refuses a second default class and a rival content, says what helps, and lets everything be deleted',
  needs: ['webhook'],
  tell: async (stage: Stage) => {
    const { client, driver } = stage.cluster;
    const annotations = { 'snapshot.storage.kubernetes.io/is-default-class': 'true' };
    await stage.fixtures.setDefaultClass(undefined);
    await stage.class('e2e-first-default', 'Delete', { annotations });
    await refused(
      client.create(volumeSnapshotClasses, { metadata: { name: 'e2e-second-default', annotations }, driver, deletionPolicy: 'Delete' }),
      /admission webhook .*default snapshot class: e2e-first-default already exists for driver.*rule one-default-class.*e2e-first-default/s,
    );
    await stage.source('judged');
    await stage.take('judged', 'judged');
    await refused(
      client.create(volumeSnapshotContents, {
        metadata: { name: 'rival' },
        spec: { driver, deletionPolicy: 'Retain', source: { snapshotHandle: 'x' }, volumeSnapshotRef: { name: 'judged', namespace: 'e2e' } },
      }),
      /admission webhook .*rule content-bound-elsewhere/s,
    );
    await stage.disappears('judged');
    await client.delete(volumeSnapshotClasses, { name: 'e2e-first-default' });
  },
};

export const operationStories: readonly Story[] = [failOver, nodeLocal, webhook];
