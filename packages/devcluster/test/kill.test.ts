// The agent as a process, killed in the midst of every CSI call that the life of a pod consists of. The call has been
// done, its answer never arrives; the next process must go on from there.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { csiDrivers, nodes, persistentVolumeClaims, persistentVolumes, pods, volumeAttachments } from '@snapshot-stack/api-types';
import { eventually, gone, kill, startTestCluster, until, type TestCluster } from './cluster.ts';
import { DRIVER, startDirectoryDriver, type DirectoryDriver } from './directory-driver.ts';
import { newClaim, newPod, newVolume } from './objects.ts';

const SECOND = 1000;

describe('the agent process', () => {
  let cluster: TestCluster;
  let driver: DirectoryDriver;

  beforeAll(async () => {
    cluster = await startTestCluster();
    driver = await startDirectoryDriver(cluster.socket, { attaches: true });
    await cluster.client.create(csiDrivers, { metadata: { name: DRIVER }, spec: { attachRequired: true } });
  });
  afterAll(async () => {
    await cluster.stop();
    await driver.close();
  });

  /** Kills the agent when it has made this call, and starts the next one. */
  async function dyingAt(call: string): Promise<void> {
    let agent = await cluster.spawnAgent();
    const replaced = new Promise<void>((resolve, reject) => {
      driver.beforeAnswer = async (made) => {
        if (made !== call) return;
        driver.beforeAnswer = () => {};
        await kill(agent);
        cluster.spawnAgent().then((next) => {
          agent = next;
          resolve();
        }, reject);
      };
    });
    const { client } = cluster;
    const namespace = await cluster.namespace();
    const name = `dies-at-${call}`;
    await client.create(persistentVolumes, newVolume(name, { storageClassName: '', claimRef: { namespace, name: 'c' } }));
    await client.create(persistentVolumeClaims, newClaim(namespace, 'c', { storageClassName: '' }));
    await client.create(pods, newPod(namespace, 'p', 'c'));
    const pod = await eventually(client, pods, { namespace, name: 'p' }, ({ status }) => status?.phase === 'Running');
    expect(existsSync(join(cluster.paths.podVolume(pod.metadata.uid!, name), 'mount', 'publish.json'))).toBe(true);
    await client.delete(pods, { namespace, name: 'p' });
    await gone(client, pods, { namespace, name: 'p' });
    await until('the attachments to go', async () => (await client.list(volumeAttachments)).items.length === 0);
    await replaced;
    expect(existsSync(join(cluster.paths.root, 'pods', pod.metadata.uid!))).toBe(false);
    expect(existsSync(cluster.paths.stagingOf(DRIVER, `handle-of-${name}`))).toBe(false);
    await until('nothing to be in use', async () => ((await client.get(nodes, { name: 'a' })).status?.volumesInUse ?? []).length === 0);
    await kill(agent);
  }

  it.each(['attach', 'stage', 'publish', 'unpublish', 'unstage', 'detach'])(
    'killed during %s leaves nothing behind that the next one does not take up',
    async (call) => await dyingAt(call),
    30 * SECOND,
  );
});
