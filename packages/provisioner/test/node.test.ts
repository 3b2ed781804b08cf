// What a claim does whose node is not there, or not yet.
import { Annotation, csiNodes, nodes, persistentVolumeClaims } from '@snapshot-stack/api-types';
import { TOPOLOGY_KEY } from '@snapshot-stack/hostpath-driver';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { DRIVER, Scene } from './support/scene.ts';

const slow = ['--retry-interval-start=1h', '--retry-interval-max=1h'];
let scene: Scene;

beforeEach(async () => {
  scene = await Scene.start();
  await scene.addClass('later', { volumeBindingMode: 'WaitForFirstConsumer' });
});
afterEach(() => scene[Symbol.asyncDispose]());

test('asks the scheduler for another node when the selected one has gone', async () => {
  await scene.startProvisioner({ args: slow });
  await scene.addClaim('lost', { storageClassName: 'later', annotations: { [Annotation.selectedNode]: 'gone' } });
  await scene.untilEvent('lost', 'ProvisioningFailed', /node gone.*is not there any more/);
  await scene.until(persistentVolumeClaims, 'lost', ({ metadata }) => metadata.annotations?.[Annotation.selectedNode] === undefined);
  expect(await scene.volumesAtDriver()).toEqual([]);
}, 60_000);

test('goes on as soon as the driver is registered on the selected node, without waiting for a retry', async () => {
  await scene.startProvisioner({ args: slow });
  await scene.client.create(nodes, { metadata: { name: 'fresh', labels: { [TOPOLOGY_KEY]: 'n' } } });
  await scene.addClaim('early', { storageClassName: 'later', annotations: { [Annotation.selectedNode]: 'fresh' } });
  await scene.untilEvent('early', 'Provisioning', /waiting for node fresh to run the driver/);
  await scene.client.create(csiNodes, {
    metadata: { name: 'fresh' },
    spec: { drivers: [{ name: DRIVER, nodeID: 'fresh', topologyKeys: [TOPOLOGY_KEY] }] },
  });
  await scene.untilBound('early');
}, 60_000);

test('goes on as soon as its class is there, without waiting for a retry', async () => {
  await scene.startProvisioner({ args: slow });
  await scene.addClaim('early', { storageClassName: 'missing', annotations: { [Annotation.storageProvisioner]: DRIVER } });
  await scene.untilEvent('early', 'Provisioning', /StorageClass missing, which does not exist/);
  await scene.addClass('missing');
  await scene.untilBound('early');
}, 60_000);
