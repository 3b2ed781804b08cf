// The whole path with the real driver: a volume it makes, mounted by the agent, keeps its data from pod to pod.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { csiDrivers, persistentVolumeClaims, persistentVolumes, pods, storageClasses, type Pod } from '@snapshot-stack/api-types';
import { connectCsi, VolumeCapability_AccessMode_Mode as Mode, type CsiConnection, type VolumeCapability } from '@snapshot-stack/csi';
import { flags, startDriver, type RunningDriver } from '@snapshot-stack/hostpath-driver';
import { silentLog } from '@snapshot-stack/runtime';
import { mountsBelow } from '../src/node/mounts.ts';
import { eventually, gone, startTestCluster, type TestCluster } from './cluster.ts';
import { mayMount, unbind } from './directory-driver.ts';
import { newClaim, newClass, newPod, newVolume } from './objects.ts';

const HOSTPATH = 'hostpath.csi.k8s.io';
const MI = 2n ** 20n;
const GI = 2n ** 30n;

function mayLoop(): boolean {
  return spawnSync('losetup', ['--find']).status === 0;
}

describe.skipIf(!mayMount())('with the hostpath driver (needs the right to mount)', { timeout: 30_000 }, () => {
  let cluster: TestCluster;
  let driver: RunningDriver;
  let csi: CsiConnection;

  beforeAll(async () => {
    cluster = await startTestCluster();
    const statedir = join(cluster.directory, 'state');
    const options = flags.parse([`--endpoint=unix://${cluster.socket}`, '--nodeid=a', `--statedir=${statedir}`], {});
    driver = await startDriver(options, silentLog);
    csi = connectCsi({ endpoint: cluster.socket });
    await csi.ready(10_000);
    await cluster.client.create(csiDrivers, { metadata: { name: HOSTPATH }, spec: { attachRequired: false, podInfoOnMount: true } });
    await cluster.client.create(storageClasses, newClass('hostpath', { provisioner: HOSTPATH }));
    await cluster.startAgent();
  }, 30_000);

  afterAll(async () => {
    csi.close();
    for (const mount of (await mountsBelow(cluster.directory)).toReversed()) unbind(mount);
    await driver.close();
    await cluster.stop();
  });

  it('keeps the data of a volume from pod to pod, and grows it in between', async () => {
    const { client } = cluster;
    const namespace = await cluster.namespace();
    await aBoundClaim(namespace, 'kept', { $case: 'mount', value: { fsType: '', mountFlags: [], volumeMountGroup: '' } });

    const first = await runPod(namespace, 'first');
    expect(await mountsBelow(cluster.directory)).toContain(first);
    await writeFile(join(first, 'note'), 'from the first pod');
    await removePod(namespace, 'first');
    expect(existsSync(first)).toBe(false);

    const second = await runPod(namespace, 'second');
    expect(await readFile(join(second, 'note'), 'utf8')).toBe('from the first pod');
    const ref = { namespace, name: 'c' };
    await client.patch(persistentVolumeClaims, ref, { kind: 'merge', body: { spec: { resources: { requests: { storage: '2Gi' } } } } });
    await eventually(client, persistentVolumeClaims, ref, ({ status }) => status?.capacity?.['storage'] === '2Gi');
    await removePod(namespace, 'second');
    expect(await mountsBelow(join(cluster.paths.root, 'pods'))).toEqual([]);
    expect(await mountsBelow(cluster.paths.root)).toEqual([]);
  });

  it.skipIf(!mayLoop())('gives a pod a block volume as a device (needs loop devices)', async () => {
    const namespace = await cluster.namespace();
    await aBoundClaim(namespace, 'raw', { $case: 'block', value: {} });
    const pod = await startPod(namespace, 'p');
    const device = cluster.paths.blockTargetOf('raw', pod.metadata.uid!);
    expect((await stat(device)).isBlockDevice()).toBe(true);
    await removePod(namespace, 'p');
    expect(existsSync(device)).toBe(false);
    expect(await mountsBelow(cluster.paths.root)).toEqual([]);
  });

  /** Has the driver make a volume, and binds a claim `c` to it. */
  async function aBoundClaim(namespace: string, name: string, accessType: NonNullable<VolumeCapability['accessType']>): Promise<void> {
    const volumeCapabilities = [{ accessMode: { mode: Mode.SINGLE_NODE_WRITER }, accessType }];
    const capacityRange = { requiredBytes: accessType.$case === 'block' ? MI : GI, limitBytes: 0n };
    const { volume } = await csi.controller.createVolume({ name, capacityRange, volumeCapabilities }, { timeoutMs: 10_000 });
    const source = { driver: HOSTPATH, volumeHandle: volume!.volumeId, volumeAttributes: volume!.volumeContext };
    const volumeMode = accessType.$case === 'block' ? 'Block' : 'Filesystem';
    await cluster.client.create(persistentVolumes, newVolume(name, { storageClassName: 'hostpath', volumeMode, csi: source }));
    await cluster.client.create(persistentVolumeClaims, newClaim(namespace, 'c', { storageClassName: 'hostpath', volumeMode, volumeName: name }));
  }

  async function startPod(namespace: string, name: string): Promise<Pod> {
    await cluster.client.create(pods, newPod(namespace, name, 'c'));
    return await eventually(cluster.client, pods, { namespace, name }, ({ status }) => status?.phase === 'Running');
  }

  /** The directory at which the pod has the volume. */
  async function runPod(namespace: string, name: string): Promise<string> {
    const pod = await startPod(namespace, name);
    return join(cluster.paths.podVolume(pod.metadata.uid!, 'kept'), 'mount');
  }

  async function removePod(namespace: string, name: string): Promise<void> {
    await cluster.client.delete(pods, { namespace, name });
    await gone(cluster.client, pods, { namespace, name });
  }
});
