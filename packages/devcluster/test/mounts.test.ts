// Real mounts: after a crash the kernel's list says what is in place, after a reboot that nothing is.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { csiDrivers, persistentVolumeClaims, persistentVolumes, pods } from '@snapshot-stack/api-types';
import { mountsBelow } from '../src/node/mounts.ts';
import { eventually, gone, kill, startTestCluster, until, type TestCluster } from './cluster.ts';
import { DRIVER, mayMount, startDirectoryDriver, unbind, type DirectoryDriver } from './directory-driver.ts';
import { newClaim, newPod, newVolume } from './objects.ts';

describe.skipIf(!mayMount())('mounts (needs the right to mount)', () => {
  let cluster: TestCluster;
  let driver: DirectoryDriver;

  beforeAll(async () => {
    cluster = await startTestCluster();
    driver = await startDirectoryDriver(cluster.socket, { binds: true });
    await cluster.client.create(csiDrivers, { metadata: { name: DRIVER }, spec: { attachRequired: false } });
  });
  afterAll(async () => {
    for (const mount of await mountsBelow(cluster.directory)) unbind(mount);
    await cluster.stop();
    await driver.close();
  });

  it('survive the agent, are made anew after a reboot, and end with the pod', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    const ref = { namespace, name: 'p' };
    let agent = await cluster.spawnAgent();
    await client.create(persistentVolumes, newVolume('v', { storageClassName: '', claimRef: { namespace, name: 'c' } }));
    await client.create(persistentVolumeClaims, newClaim(namespace, 'c', { storageClassName: '' }));
    await client.create(pods, newPod(namespace, 'p', 'c'));
    const pod = await eventually(client, pods, ref, ({ status }) => status?.phase === 'Running');
    const target = join(cluster.paths.podVolume(pod.metadata.uid!, 'v'), 'mount');
    expect(await mountsBelow(cluster.directory)).toEqual([target]);

    // A second pod shows when the new agent has looked at this node's pods.
    await kill(agent);
    driver.calls.length = 0;
    agent = await cluster.spawnAgent();
    await client.create(pods, newPod(namespace, 'witness', 'c'));
    await eventually(client, pods, { namespace, name: 'witness' }, ({ status }) => status?.phase === 'Running');
    expect(driver.calls).toEqual(['stage handle-of-v', 'publish handle-of-v']);

    await kill(agent);
    for (const mount of await mountsBelow(cluster.directory)) unbind(mount);
    agent = await cluster.spawnAgent();
    await until('both targets to be mounted again', async () => {
      const mounts = await mountsBelow(cluster.directory);
      return mounts.length === 2 || mounts;
    });

    for (const name of ['p', 'witness']) {
      await client.delete(pods, { namespace, name });
      await gone(client, pods, { namespace, name });
    }
    expect(await mountsBelow(cluster.directory)).toEqual([]);
    await kill(agent);
  }, 30_000);
});
