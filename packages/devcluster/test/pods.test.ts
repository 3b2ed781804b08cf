// Pods and their volumes, through a driver that needs no privileges.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  csiDrivers,
  csiNodes,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  storageClasses,
  volumeAttachments,
  type Pod,
} from '@snapshot-stack/api-types';
import { eventually, gone, startTestCluster, until, type TestCluster } from './cluster.ts';
import { DRIVER, losingAnswerOf, startDirectoryDriver, type DirectoryDriver } from './directory-driver.ts';
import { newClaim, newClass, newPod, newVolume } from './objects.ts';

const isRunning = ({ status }: Pod) =>
  status?.phase === 'Running' && (status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false);

describe('the node agent', { timeout: 30_000 }, () => {
  let cluster: TestCluster;
  let driver: DirectoryDriver;
  let endAgent: () => Promise<void>;

  beforeAll(async () => {
    cluster = await startTestCluster();
    driver = await startDirectoryDriver(cluster.socket, { attaches: true });
    await cluster.client.create(csiDrivers, { metadata: { name: DRIVER }, spec: { attachRequired: true, podInfoOnMount: true } });
    await cluster.client.create(storageClasses, newClass('growing'));
    endAgent = await cluster.startAgent();
  });
  afterAll(async () => {
    await cluster.stop();
    await driver.close();
  });

  const volumesInUse = async () => (await cluster.client.get(nodes, { name: 'a' })).status?.volumesInUse ?? [];
  const targetIn = (pod: Pod, volume: string) => join(cluster.paths.podVolume(pod.metadata.uid!, volume), 'mount');

  async function aPodWith(name: string): Promise<{ namespace: string; pod: Pod; ref: { namespace: string; name: string } }> {
    const namespace = await cluster.namespace();
    await cluster.client.create(persistentVolumes, newVolume(name, { storageClassName: 'growing', claimRef: { namespace, name: 'c' } }));
    await cluster.client.create(persistentVolumeClaims, newClaim(namespace, 'c', { storageClassName: 'growing' }));
    await cluster.client.create(pods, newPod(namespace, 'p', 'c'));
    const ref = { namespace, name: 'p' };
    return { namespace, ref, pod: await eventually(cluster.client, pods, ref, isRunning) };
  }

  it('registers itself and what the driver says of it', async () => {
    const csiNode = await eventually(cluster.client, csiNodes, { name: 'a' }, ({ spec }) => spec.drivers.length > 0);
    expect(csiNode.spec.drivers).toEqual([{ name: DRIVER, nodeID: 'node-id-1', topologyKeys: ['topology.example.dev/node'] }]);
    expect((await cluster.client.get(nodes, { name: 'a' })).metadata.labels).toMatchObject({ 'topology.example.dev/node': 'one' });
  });

  it('attaches, stages and publishes in this order, and undoes it all before the pod is gone', async () => {
    driver.calls.length = 0;
    const { pod, ref, namespace } = await aPodWith('whole');
    expect(driver.calls).toEqual(['attach handle-of-whole', 'stage handle-of-whole', 'publish handle-of-whole']);
    expect(pod.spec.nodeName).toBe('a');
    expect(await volumesInUse()).toContain(`kubernetes.io/csi/${DRIVER}^handle-of-whole`);
    const { publishContext, volumeContext } = JSON.parse(await readFile(join(targetIn(pod, 'whole'), 'publish.json'), 'utf8'));
    expect(publishContext).toEqual({ device: 'handle-of-whole at node-id-1' });
    expect(volumeContext).toMatchObject({ color: 'blue', 'csi.storage.k8s.io/pod.name': 'p', 'csi.storage.k8s.io/pod.namespace': namespace });

    // The claim stays while the pod uses it.
    await cluster.client.delete(persistentVolumeClaims, { namespace, name: 'c' });
    expect((await cluster.client.get(persistentVolumeClaims, { namespace, name: 'c' })).metadata.deletionTimestamp).toBeDefined();
    await cluster.client.delete(pods, ref);
    await gone(cluster.client, pods, ref);
    await gone(cluster.client, persistentVolumeClaims, { namespace, name: 'c' });
    await until('detaching', async () => driver.calls.at(-1) === 'detach handle-of-whole' || driver.calls);
    expect(driver.calls.slice(3)).toEqual(['unpublish handle-of-whole', 'unstage handle-of-whole', 'detach handle-of-whole']);
    await until('the attachments to go', async () => (await cluster.client.list(volumeAttachments)).items.length === 0);
    expect(await volumesInUse()).toEqual([]);
    expect(existsSync(join(cluster.paths.root, 'pods', pod.metadata.uid!))).toBe(false);
  });

  it('stages a volume once for two pods, and unstages it when the last has left', async () => {
    const { namespace, ref } = await aPodWith('shared');
    await cluster.client.create(pods, newPod(namespace, 'q', 'c'));
    const second = await eventually(cluster.client, pods, { namespace, name: 'q' }, isRunning);
    driver.calls.length = 0;
    await cluster.client.delete(pods, ref);
    await gone(cluster.client, pods, ref);
    expect(driver.calls).toEqual(['unpublish handle-of-shared']);
    expect(existsSync(targetIn(second, 'shared'))).toBe(true);
    await cluster.client.delete(pods, { namespace, name: 'q' });
    await gone(cluster.client, pods, { namespace, name: 'q' });
    expect(driver.calls).toContain('unstage handle-of-shared');
  });

  it('goes on after an answer that was lost', async () => {
    driver.beforeAnswer = losingAnswerOf(driver, 'publish');
    const { ref } = await aPodWith('lossy');
    expect(driver.calls.filter((call) => call === 'publish handle-of-lossy')).toHaveLength(2);
    driver.beforeAnswer = losingAnswerOf(driver, 'unpublish');
    await cluster.client.delete(pods, ref);
    await gone(cluster.client, pods, ref);
  });

  it('grows a volume in use, in the storage and on the node', async () => {
    const { namespace } = await aPodWith('small');
    driver.calls.length = 0;
    const ref = { namespace, name: 'c' };
    await cluster.client.patch(persistentVolumeClaims, ref, { kind: 'merge', body: { spec: { resources: { requests: { storage: '3Gi' } } } } });
    await eventually(cluster.client, persistentVolumeClaims, ref, ({ status }) => status?.capacity?.['storage'] === '3Gi');
    expect((await cluster.client.get(persistentVolumes, { name: 'small' })).spec.capacity).toEqual({ storage: '3Gi' });
    expect(driver.calls).toEqual(['expand handle-of-small', 'node-expand handle-of-small']);
  });

  it('binds a claim that waits for its first consumer when a pod comes', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await client.create(storageClasses, newClass('late', { volumeBindingMode: 'WaitForFirstConsumer' }));
    await client.create(persistentVolumeClaims, newClaim(namespace, 'c', { storageClassName: 'late' }));
    await client.create(pods, newPod(namespace, 'p', 'c'));
    const claim = await eventually(
      client,
      persistentVolumeClaims,
      { namespace, name: 'c' },
      ({ metadata }) => 'volume.kubernetes.io/storage-provisioner' in (metadata.annotations ?? {}),
    );
    expect(claim.metadata.annotations).toMatchObject({ 'volume.kubernetes.io/selected-node': 'a' });
    const claimRef = { kind: 'PersistentVolumeClaim', namespace, name: 'c', uid: claim.metadata.uid! };
    await client.create(persistentVolumes, newVolume('late-comer', { storageClassName: 'late', claimRef }));
    await eventually(client, pods, { namespace, name: 'p' }, isRunning);
  });

  it('takes over after its death: undoes what lost its pod meanwhile, keeps what did not', async () => {
    const stays = await aPodWith('stays');
    const leaves = await aPodWith('leaves');
    await endAgent();
    await cluster.client.delete(pods, leaves.ref, { gracePeriodSeconds: 0 });
    await gone(cluster.client, pods, leaves.ref);
    driver.calls.length = 0;
    endAgent = await cluster.startAgent();
    await until('unstaging', () => driver.calls.includes('unstage handle-of-leaves') || driver.calls);
    await until('detaching', () => driver.calls.includes('detach handle-of-leaves') || driver.calls);
    expect(existsSync(targetIn(leaves.pod, 'leaves'))).toBe(false);
    expect(existsSync(targetIn(stays.pod, 'stays'))).toBe(true);
    expect(driver.calls).not.toContain('unpublish handle-of-stays');
    expect(driver.calls).not.toContain('detach handle-of-stays');
  });
});
