// Restore and clone with everything real: the source is held while it is read from and let go afterwards, whoever
// else restores, deletes or forbids meanwhile; and users are told what helps.
import {
  Finalizer,
  hasFinalizer,
  persistentVolumeClaims,
  persistentVolumes,
  referenceGrants,
  volumeSnapshots,
  type PersistentVolumeClaim,
  type ReferenceGrant,
} from '@snapshot-stack/api-types';
import type { Call } from '@snapshot-stack/runtime';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Scene, waitFor } from './support/scene.ts';
import { referenceGrantCrd } from './support/reference-grant.ts';

let scene: Scene;

beforeEach(async () => {
  scene = await Scene.start({ crds: [referenceGrantCrd] });
  await scene.startSnapshots();
});
afterEach(() => scene[Symbol.asyncDispose]());

/** Holds the saving of volumes back until it is opened: restores stay under way. */
function gate(): { before: (call: Call) => Promise<void>; waiting: () => number; open: () => void } {
  const opened = Promise.withResolvers<void>();
  let waiting = 0;
  return {
    before: async ({ verb, resource }) => {
      if (verb !== 'create' || resource !== 'persistentvolumes') return;
      waiting++;
      await opened.promise;
    },
    waiting: () => waiting,
    open: () => opened.resolve(),
  };
}

const isHeld = async (name: string, namespace = 'default'): Promise<boolean> => {
  const snapshot = await scene.find(volumeSnapshots, name, namespace);
  return snapshot !== undefined && hasFinalizer(snapshot, Finalizer.snapshotBeingRestored);
};
const isUnderWay = async (): Promise<void> => expect(await waitFor(() => doors.waiting() > 0)).toBe(true);
let doors: ReturnType<typeof gate>;

/** A ready snapshot `snap` of the claim `data`, and restores that stop before their volume is saved. */
async function snapshotAndGate(args: readonly string[] = []): Promise<void> {
  const first = await scene.startProvisioner();
  await scene.addClaim('data');
  await scene.untilBound('data');
  await scene.snapshotOf('data', 'snap');
  await first.stop();
  doors = gate();
  await scene.startProvisioner({ hooks: { before: doors.before }, args });
}

const restoring = { from: { kind: 'VolumeSnapshot', name: 'snap' } } as const;

test('holds the snapshot while a claim is restored from it, even when it is deleted, and lets it go afterwards', async () => {
  await snapshotAndGate();
  await scene.addClaim('restored', restoring);
  await isUnderWay();
  expect(await isHeld('snap')).toBe(true);
  await scene.delete(volumeSnapshots, 'snap');
  expect(await isHeld('snap')).toBe(true);
  doors.open();
  await scene.untilBound('restored');
  await scene.untilGone(volumeSnapshots, 'snap');
  expect(await scene.volumesAtDriver()).toEqual(await scene.handles());
}, 60_000);

test('restores two claims at once from one snapshot, and lets it go only after both', async () => {
  await snapshotAndGate();
  await scene.addClaim('one', restoring);
  await scene.addClaim('two', restoring);
  expect(await waitFor(() => doors.waiting() === 2)).toBe(true);
  await scene.delete(volumeSnapshots, 'snap');
  doors.open();
  const [one, two] = await Promise.all([scene.untilBound('one'), scene.untilBound('two')]);
  expect(one.spec.volumeName).not.toBe(two.spec.volumeName);
  await scene.untilGone(volumeSnapshots, 'snap');
  expect(await scene.volumesAtDriver()).toHaveLength(3);
}, 60_000);

test('leaves neither volume nor hold of a claim that is deleted in the middle of its restore', async () => {
  await snapshotAndGate();
  await scene.addClaim('given-up', restoring);
  await isUnderWay();
  await scene.delete(persistentVolumeClaims, 'given-up');
  doors.open();
  await scene.untilGone(persistentVolumeClaims, 'given-up');
  expect(await waitFor(async () => !(await isHeld('snap')))).toBe(true);
  expect(await waitFor(async () => (await scene.volumesAtDriver()).length === 1 && (await scene.handles()).length === 1)).toBe(true);
}, 60_000);

test('says what size a restore needs', async () => {
  await scene.startProvisioner();
  await scene.addClaim('data', { storage: '2Mi' });
  await scene.untilBound('data');
  await scene.snapshotOf('data', 'snap');
  await scene.addClaim('small', { ...restoring, storage: '1Mi' });
  const message = await scene.untilEvent('small', 'ProvisioningFailed', /needs at least/);
  expect(message).toContain('asks for 1Mi');
  expect(message).toContain('needs at least 2Mi');
  expect(await isHeld('snap')).toBe(false);
  expect(await scene.volumesAtDriver()).toHaveLength(1);
}, 60_000);

test('restores at once when the snapshot becomes ready, without waiting for a retry', async () => {
  await scene.startProvisioner({ args: ['--retry-interval-start=1h', '--retry-interval-max=1h'] });
  await scene.addClaim('early', restoring);
  await scene.untilEvent('early', 'Provisioning', /does not exist/);
  await scene.addClaim('data');
  await scene.untilBound('data');
  await scene.snapshotOf('data', 'snap');
  await scene.untilBound('early');
}, 60_000);

test('clones a claim, holds it while that takes, and lets it go afterwards', async () => {
  const first = await scene.startProvisioner();
  await scene.addClaim('data');
  await scene.untilBound('data');
  await first.stop();
  doors = gate();
  await scene.startProvisioner({ hooks: { before: doors.before } });
  await scene.addClaim('clone', { from: { kind: 'PersistentVolumeClaim', name: 'data' } });
  await isUnderWay();
  const held = (claim: PersistentVolumeClaim): boolean => hasFinalizer(claim, Finalizer.claimBeingCloned);
  await scene.until(persistentVolumeClaims, 'data', held);
  await scene.delete(persistentVolumeClaims, 'data');
  doors.open();
  const { spec } = await scene.untilBound('clone');
  await scene.untilGone(persistentVolumeClaims, 'data');
  const volume = await scene.find(persistentVolumes, spec.volumeName ?? '');
  expect(await waitFor(async () => (await scene.volumesAtDriver()).join() === volume?.spec.csi?.volumeHandle)).toBe(true);
}, 60_000);

describe('from another namespace', () => {
  const crossing = ['--feature-gates=CrossNamespaceVolumeDataSource=true', '--retry-interval-start=1h', '--retry-interval-max=1h'];
  const foreign = { namespace: 'elsewhere', from: { kind: 'VolumeSnapshot', name: 'snap', namespace: 'default' } } as const;
  const grant: ReferenceGrant = {
    metadata: { name: 'to-elsewhere', namespace: 'default' },
    spec: {
      from: [{ group: '', kind: 'PersistentVolumeClaim', namespace: 'elsewhere' }],
      to: [{ group: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'snap' }],
    },
  };

  beforeEach(async () => {
    await scene.client.create({ group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false }, { metadata: { name: 'elsewhere' } });
  });

  test('is refused without a grant, and goes on as soon as one is there', async () => {
    await snapshotAndGate(crossing);
    doors.open();
    await scene.addClaim('restored', foreign);
    await scene.untilEvent('restored', 'ProvisioningFailed', /its owner can allow it with a ReferenceGrant/);
    expect(await isHeld('snap')).toBe(false);
    await scene.client.create(referenceGrants, grant);
    await scene.untilBound('restored', 'elsewhere');
    expect(await waitFor(async () => !(await isHeld('snap')))).toBe(true);
  }, 60_000);

  test('is refused again when the grant was taken back', async () => {
    await snapshotAndGate(crossing);
    doors.open();
    await scene.client.create(referenceGrants, grant);
    await scene.addClaim('first', foreign);
    await scene.untilBound('first', 'elsewhere');
    await scene.delete(referenceGrants, 'to-elsewhere');
    await scene.addClaim('second', foreign);
    await scene.untilEvent('second', 'ProvisioningFailed', /ReferenceGrant/);
    expect(await scene.volumesAtDriver()).toHaveLength(2);
  }, 60_000);

  test('is refused without the feature gate, grant or not', async () => {
    await snapshotAndGate();
    await scene.client.create(referenceGrants, grant);
    await scene.addClaim('restored', foreign);
    await scene.untilEvent('restored', 'ProvisioningFailed', /CrossNamespaceVolumeDataSource=true/);
  }, 60_000);
});
