// CSIStorageCapacity: one object for each place and class, true, and gone when its class or place has gone.
import { csiNodes, pods, storageClasses } from '@snapshot-stack/api-types';
import { TOPOLOGY_KEY } from '@snapshot-stack/hostpath-driver';
import { FlagError } from '@snapshot-stack/runtime';
import { checkOptions, flags } from '@snapshot-stack/provisioner';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { csiStorageCapacities, type CsiStorageCapacity } from '../src/kinds.ts';
import { DRIVER, Scene, waitFor } from './support/scene.ts';

const env = { NAMESPACE: 'default', POD_NAME: 'provisioner' };
const args = ['--enable-capacity', '--capacity-ownerref-level=0', '--capacity-poll-interval=50ms'];
const late = { volumeBindingMode: 'WaitForFirstConsumer', parameters: { kind: 'fast', 'csi.storage.k8s.io/fstype': 'ext4' } } as const;
let scene: Scene;

beforeEach(async () => {
  scene = await Scene.start({ driverArgs: ['--capacity=fast=10Mi'] });
  await scene.client.create(pods, {
    metadata: { name: 'provisioner', namespace: 'default' },
    spec: { nodeName: 'n', containers: [{ name: 'c', image: 'i' }] },
  });
});
afterEach(() => scene[Symbol.asyncDispose]());

const objects = async (): Promise<CsiStorageCapacity[]> => (await scene.client.list(csiStorageCapacities)).items;
const told = async (): Promise<string[]> =>
  (await objects())
    .map(({ storageClassName, nodeTopology, capacity }) => `${storageClassName}@${nodeTopology?.matchLabels?.[TOPOLOGY_KEY] ?? ''}=${capacity ?? ''}`)
    .sort();
async function untilTold(...wanted: string[]): Promise<void> {
  let last: string[] = [];
  const isSo = await waitFor(async () => JSON.stringify((last = await told())) === JSON.stringify(wanted));
  if (!isSo) expect(last).toEqual(wanted);
}

test('tells the room of each class at each node, follows it, and takes back what no longer holds', async () => {
  await scene.addClass('late', late);
  const { metrics } = await scene.startProvisioner({ args, env });
  await untilTold('late@n=10Mi');
  const [first] = await objects();
  const pod = await scene.find(pods, 'provisioner');
  expect(first?.metadata.labels).toEqual({ 'csi.storage.k8s.io/drivername': DRIVER, 'csi.storage.k8s.io/managed-by': 'external-provisioner' });
  expect(first?.metadata.ownerReferences).toEqual([{ apiVersion: 'v1', kind: 'Pod', name: 'provisioner', uid: pod?.metadata.uid }]);
  expect(first?.maximumVolumeSize).toBe('1Ti');

  await scene.addClaim('data', { storageClassName: 'late', storage: '4Mi', annotations: { 'volume.kubernetes.io/selected-node': 'n' } });
  await untilTold('late@n=6Mi');

  await scene.addClass('later', late);
  await untilTold('late@n=6Mi', 'later@n=6Mi');
  await scene.addNode('m');
  await untilTold('late@m=0', 'late@n=6Mi', 'later@m=0', 'later@n=6Mi');
  expect(await metrics.text()).toContain('csistoragecapacities_desired_current 4\n');

  await scene.delete(storageClasses, 'later');
  await scene.delete(csiNodes, 'm');
  await untilTold('late@n=6Mi');
}, 60_000);

test('writes nothing while nothing changes, and removes at its start what an earlier life left behind', async () => {
  await scene.addClass('late', late);
  const first = await scene.startProvisioner({ args, env });
  await untilTold('late@n=10Mi');
  await first.stop();
  await scene.addClass('other', late);
  await scene.delete(storageClasses, 'late');
  let asked = 0;
  let written = 0;
  const counting = ({ verb, resource }: { verb: string; resource: string }): void => {
    if (resource === 'csistoragecapacities' && ['create', 'patch', 'delete'].includes(verb)) written++;
  };
  const { metrics } = await scene.startProvisioner({ args, env, hooks: { before: counting } });
  await untilTold('other@n=10Mi');
  expect(written).toBe(2);
  const polls = async (): Promise<number> => Number(/workqueue_adds_total\{name="csistoragecapacity"\} (\d+)/.exec(await metrics.text())?.[1] ?? 0);
  asked = await polls();
  expect(await waitFor(async () => (await polls()) > asked + 5)).toBe(true);
  expect(written).toBe(2);
}, 60_000);

test('leaves classes that are bound at once out, unless they are asked for', async () => {
  const first = await scene.startProvisioner({ args: [...args, '--capacity-for-immediate-binding'], env });
  expect(await waitFor(async () => (await objects()).length === 1)).toBe(true);
  await first.stop();
  await scene.startProvisioner({ args, env });
  await untilTold();
}, 60_000);

test('tells only of its own node where each node has a provisioner', async () => {
  await scene.addClass('late', late);
  await scene.addNode('m');
  await scene.startProvisioner({ args: [...args, '--node-deployment'], env: { ...env, NODE_NAME: 'n' } });
  await untilTold('late@n=10Mi');
  expect((await objects())[0]?.metadata.labels?.['csi.storage.k8s.io/managed-by']).toBe('external-provisioner-n');
}, 60_000);

test('needs to know its namespace and its pod', () => {
  const check = (more: string[], from: Record<string, string>) => () => checkOptions(flags.parse(['--enable-capacity', ...more], {}), from);
  expect(check([], { POD_NAME: 'p' })).toThrow(FlagError);
  expect(check([], { NAMESPACE: 'ns' })).toThrow(/POD_NAME/);
  expect(check(['--capacity-ownerref-level=-1'], { NAMESPACE: 'ns' })).not.toThrow();
  expect(check(['--capacity-ownerref-level=3'], env)).toThrow(/above 2/);
});
