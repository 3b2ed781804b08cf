// A provisioner on each node, beside a driver that knows of its own node's volumes only: two nodes with real drivers.
import { Annotation, hasFinalizer, persistentVolumeClaims, persistentVolumes, type PersistentVolume } from '@snapshot-stack/api-types';
import { connectCsi } from '@snapshot-stack/csi';
import { CLAIM_FINALIZER } from '@snapshot-stack/provisioner';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Scene, waitFor } from './support/scene.ts';

const local = ['--node-deployment', '--node-deployment-base-delay=100ms', '--node-deployment-max-delay=200ms'];
let scene: Scene;
let socket: string;

beforeEach(async () => {
  scene = await Scene.start();
  socket = await scene.addNode('m');
});
afterEach(() => scene[Symbol.asyncDispose]());

const startHere = (args = local) => scene.startProvisioner({ args, env: { NODE_NAME: 'n' } });
const startThere = (args = local) => scene.startProvisioner({ args, env: { NODE_NAME: 'm' }, socket });

async function volumesThere(): Promise<string[]> {
  const csi = connectCsi({ endpoint: socket });
  const { entries } = await csi.controller.listVolumes({}, { timeoutMs: 5_000 });
  csi.close();
  return entries.map(({ volume }) => volume?.volumeId ?? '').sort();
}

const nodeOf = ({ spec }: PersistentVolume): string => spec.nodeAffinity?.required?.nodeSelectorTerms[0]?.matchExpressions?.[0]?.values?.[0] ?? '';

/** What the drivers have is what the cluster knows, each at its node. */
async function expectAgreement(): Promise<void> {
  const { items } = await scene.client.list(persistentVolumes);
  const at = (node: string): string[] =>
    items
      .filter((volume) => nodeOf(volume) === node)
      .map(({ spec }) => spec.csi?.volumeHandle ?? '')
      .sort();
  expect([await scene.volumesAtDriver(), await volumesThere()]).toEqual([at('n'), at('m')]);
}

test('makes each claim that is bound at once on exactly one node', async () => {
  await Promise.all([startHere(), startThere()]);
  const names = Array.from({ length: 12 }, (_, index) => `claim-${index}`);
  await Promise.all(names.map((name) => scene.addClaim(name)));
  const claims = await Promise.all(names.map((name) => scene.untilBound(name)));
  expect((await scene.client.list(persistentVolumes)).items).toHaveLength(12);
  await expectAgreement();
  for (const claim of claims) {
    const volume = await scene.find(persistentVolumes, claim.spec.volumeName ?? '');
    expect(claim.metadata.annotations?.[Annotation.selectedNode]).toBe(volume === undefined ? '' : nodeOf(volume));
  }
}, 60_000);

test('deletes each volume at the node that it is on', async () => {
  const [here] = await Promise.all([startHere(), startThere()]);
  await scene.addClaim('there', { annotations: { [Annotation.selectedNode]: 'm' } });
  await scene.addClaim('here', { annotations: { [Annotation.selectedNode]: 'n' } });
  const { spec } = await scene.untilBound('here');
  await scene.untilBound('there');
  await scene.until(persistentVolumeClaims, 'here', (claim) => !hasFinalizer(claim, CLAIM_FINALIZER));
  await scene.untilBound('there');
  await scene.until(persistentVolumeClaims, 'here', ({ metadata }) => !hasFinalizer({ metadata }, CLAIM_FINALIZER));
  await here.stop();
  // The other node's provisioner sees the released volume too, and must not take its driver's ignorance for deletion.
  await scene.delete(persistentVolumeClaims, 'here');
  await scene.until(persistentVolumes, spec.volumeName ?? '', ({ status }) => status?.phase === 'Released');
  await scene.addClaim('witness', { annotations: { [Annotation.selectedNode]: 'm' } });
  const witness = await scene.untilBound('witness');
  await scene.delete(persistentVolumeClaims, 'witness');
  await scene.untilGone(persistentVolumes, witness.spec.volumeName ?? '');
  expect(await scene.find(persistentVolumes, spec.volumeName ?? '')).toBeDefined();
  expect(await scene.volumesAtDriver()).toHaveLength(1);
  await startHere();
  await scene.untilGone(persistentVolumes, spec.volumeName ?? '');
  await expectAgreement();
}, 60_000);

test('leaves claims that are bound at once alone where the flag says so', async () => {
  await startHere([...local, '--node-deployment-immediate-binding=false']);
  await scene.addClaim('left');
  await scene.addClaim('selected', { annotations: { [Annotation.selectedNode]: 'n' } });
  await scene.untilBound('selected');
  expect((await scene.find(persistentVolumeClaims, 'left'))?.metadata.annotations?.[Annotation.selectedNode]).toBeUndefined();
  expect(await scene.volumesAtDriver()).toHaveLength(1);
}, 60_000);

test('leaves a claim to another node where its own has no room', async () => {
  const [full, roomy] = [await scene.addNode('full', ['--capacity=tiny=1Ki']), await scene.addNode('roomy', ['--capacity=tiny=10Mi'])];
  await scene.addClass('tiny', { parameters: { kind: 'tiny' } });
  const { metrics } = await scene.startProvisioner({ args: local, env: { NODE_NAME: 'full' }, socket: full });
  await scene.addClaim('big', { storageClassName: 'tiny' });
  const triedTwice = async (): Promise<boolean> => /workqueue_adds_total\{name="claims"\} ([4-9]|\d\d)/.test(await metrics.text());
  expect(await waitFor(triedTwice)).toBe(true);
  expect((await scene.find(persistentVolumeClaims, 'big'))?.metadata.annotations?.[Annotation.selectedNode]).toBeUndefined();
  await scene.startProvisioner({ args: local, env: { NODE_NAME: 'roomy' }, socket: roomy });
  const claim = await scene.untilBound('big');
  expect(claim.metadata.annotations?.[Annotation.selectedNode]).toBe('roomy');
}, 60_000);
