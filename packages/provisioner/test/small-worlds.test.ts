// The whole life of a restored claim, from Pending until its volume is deleted, once for each step that can go wrong
// and each way in which it can: refused, done with the answer lost, or the last thing that a process did. Whatever
// happens, in the end there is one volume for a living claim, none for a dead one, and the snapshot is let go.
import { Finalizer, hasFinalizer, persistentVolumeClaims, persistentVolumes, volumeSnapshots } from '@snapshot-stack/api-types';
import { CsiError } from '@snapshot-stack/csi';
import { KubeError, isWrite, type Call } from '@snapshot-stack/runtime';
import { expect, test } from 'vitest';
import { Scene, waitFor, type ProvisionerStart } from './support/scene.ts';

/** What happens at one step; `kube` and `csi` say what is thrown, before the step or after it took effect. */
interface Mishap {
  name: string;
  when: 'before' | 'after';
  kube: () => Error;
  csi: () => Error;
  dies?: boolean;
  /** While the process is dead. */
  claimIsDeleted?: boolean;
}

const dead = (): Error => new Error('this process is dead');
const MISHAPS: readonly Mishap[] = [
  {
    name: 'a conflict',
    when: 'before',
    kube: () => new KubeError('Conflict', 'somebody was faster'),
    csi: () => new CsiError('ABORTED', 'another call is pending'),
  },
  { name: 'a failure', when: 'before', kube: () => new KubeError('Internal', 'etcd is down'), csi: () => new CsiError('INTERNAL', 'disk on fire') },
  { name: 'a lost answer', when: 'after', kube: () => new KubeError('Timeout', 'no answer'), csi: () => new CsiError('DEADLINE_EXCEEDED', 'no answer') },
  { name: 'death', when: 'after', kube: dead, csi: dead, dies: true },
  { name: 'death and the claim deleted', when: 'after', kube: dead, csi: dead, dies: true, claimIsDeleted: true },
];

/** Hooks that let the mishap happen at the nth step, once. A dead process does nothing any more. */
function stumble(mishap: Mishap, n: number): ProvisionerStart & { steps: () => number; isDead: () => boolean } {
  let steps = 0;
  let isDead = false;
  const step = (when: Mishap['when'], error: () => Error): void => {
    if (mishap.when !== when || ++steps !== n) return;
    isDead = mishap.dies === true;
    throw error();
  };
  const stopTheDead = (): void => {
    if (isDead) throw dead();
  };
  const counts = (call: Call): boolean => isWrite(call) && call.resource !== 'events';
  return {
    hooks: {
      before: (call) => {
        stopTheDead();
        if (counts(call)) step('before', mishap.kube);
      },
      after: (call, outcome) => {
        stopTheDead();
        if (counts(call) && 'value' in outcome) step('after', mishap.kube);
      },
    },
    csiHooks: {
      before: () => {
        stopTheDead();
        step('before', mishap.csi);
      },
      after: () => {
        stopTheDead();
        step('after', mishap.csi);
      },
    },
    steps: () => steps,
    isDead: () => isDead,
  };
}

const isHeld = async (scene: Scene): Promise<boolean> => {
  const snapshot = await scene.find(volumeSnapshots, 'snap');
  return snapshot !== undefined && hasFinalizer(snapshot, Finalizer.snapshotBeingRestored);
};

/** One life of a claim, in which the nth step goes wrong. Resolves with whether there was an nth step. */
async function live(scene: Scene, mishap: Mishap, n: number): Promise<boolean> {
  const [source] = await scene.handles();
  const name = `claim-${n}`;
  const what = `${mishap.name} at step ${n}`;
  const world = stumble(mishap, n);
  let provisioner = await scene.startProvisioner(world);
  const restart = async (): Promise<void> => {
    await provisioner.stop();
    if (mishap.claimIsDeleted === true && (await scene.find(persistentVolumeClaims, name)) !== undefined) await scene.delete(persistentVolumeClaims, name);
    provisioner = await scene.startProvisioner();
  };
  let restarted = false;
  /** Restarts the process when it has died, once. */
  const untilSo = async (isSo: () => Promise<boolean>): Promise<void> => {
    const isDone = await waitFor(async () => {
      if (world.isDead() && !restarted) {
        restarted = true;
        await restart();
      }
      return isSo();
    });
    if (!isDone) throw new Error(`${what}: it does not settle: ${JSON.stringify(await scene.find(persistentVolumeClaims, name))}`);
  };
  await scene.addClaim(name, { from: { kind: 'VolumeSnapshot', name: 'snap' } });
  await untilSo(async () => {
    expect((await scene.volumesAtDriver()).length, `${what}: a second volume`).toBeLessThanOrEqual(2);
    const claim = await scene.find(persistentVolumeClaims, name);
    return claim === undefined || claim.status?.phase === 'Bound';
  });
  if ((await scene.find(persistentVolumeClaims, name)) !== undefined) {
    const known = await scene.volumesAtDriver();
    for (const handle of await scene.handles()) expect(known, `${what}: a PersistentVolume without volume`).toContain(handle);
    await scene.delete(persistentVolumeClaims, name);
  }
  await untilSo(async () => {
    const left = [await scene.find(persistentVolumeClaims, name), ...(await scene.client.list(persistentVolumes)).items.slice(1)];
    return left.every((object) => object === undefined) && !(await isHeld(scene)) && (await scene.volumesAtDriver()).length === 1;
  });
  expect(await scene.volumesAtDriver(), `${what}: the source`).toEqual([source]);
  await provisioner.stop();
  return world.steps() >= n;
}

test.each(MISHAPS)(
  'a restored claim survives $name at each of its steps, and leaves nothing',
  async (mishap) => {
    await using scene = await Scene.start();
    await scene.startSnapshots();
    const first = await scene.startProvisioner();
    await scene.addClaim('data');
    await scene.untilBound('data');
    await scene.snapshotOf('data', 'snap');
    await scene.until(persistentVolumeClaims, 'data', ({ metadata }) => metadata.finalizers?.every((one) => !one.startsWith('provisioner.')) ?? true);
    await first.stop();
    let n = 1;
    while (await live(scene, mishap, n)) n++;
    // mark, hold, CreateVolume, save, unmark, let go, DeleteVolume, delete, let go
    expect(n).toBeGreaterThan(7);
  },
  120_000,
);
