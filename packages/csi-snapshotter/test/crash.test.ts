// The life of a snapshot, again and again: each time controller or sidecar dies (or is refused, or loses an
// answer) one write or one CSI call later than the time before, until a run passes untouched. The end is always
// the same: one snapshot at the driver while the VolumeSnapshot is there, none after, nothing left behind.
import { persistentVolumeClaims, volumeSnapshotContents, volumeSnapshots } from '@snapshot-stack/api-types';
import { KubeError, isWrite, type Call, type ClientHooks } from '@snapshot-stack/runtime';
import { describe, expect, test } from 'vitest';
import { lagging } from './support/lagging-client.ts';
import { Scene, waitFor, type Running } from './support/scene.ts';

type Part = 'controller' | 'sidecar';
const PARTS: readonly Part[] = ['controller', 'sidecar'];
// More than any part writes in a life; reaching it means that the counting is broken.
const MOST = 40;

/** Writes to objects; events come late and at any time, so that counting them would blur which write is the nth. */
function counts(call: Call): boolean {
  const isRawDelete = call.verb === 'raw' && call.resource.includes('volumesnapshotcontents');
  return (isWrite(call) || isRawDelete) && call.resource !== 'events';
}

/** Runs one life, and checks its end. */
async function live(scene: Scene, name: string): Promise<void> {
  await scene.snapshotOf('data', name, 'fast');
  await scene.untilReady(name);
  expect(scene.driver.snapshots.size).toBe(1);
  await waitFor(async () => !(await scene.get(persistentVolumeClaims, 'data')).metadata.finalizers?.some((each) => each.includes('as-source')));
  await scene.delete(volumeSnapshots, name);
  await scene.untilGone(volumeSnapshots, name);
  expect((await scene.client.list(volumeSnapshotContents)).items).toEqual([]);
  expect([...scene.driver.snapshots.values()]).toEqual([]);
  const names = new Set(scene.driver.calls.filter(({ method }) => method === 'CreateSnapshot').map(({ about }) => about));
  expect([...names]).toHaveLength(1);
  scene.driver.calls.length = 0;
}

async function prepare(): Promise<Scene> {
  const scene = await Scene.start();
  await scene.addClass('fast');
  await scene.addBoundClaim('data');
  return scene;
}

/** Starts both parts; `faulty` has the hooks. */
async function startWith(scene: Scene, faulty: Part, hooks: ClientHooks): Promise<Record<Part, Running<unknown>>> {
  const controller = scene.startController(faulty === 'controller' ? hooks : {});
  return { controller, sidecar: await scene.startSidecar(faulty === 'sidecar' ? hooks : {}) };
}

describe('a process that dies', () => {
  test.each(PARTS)(
    'right after any write of the %s leads to the same end',
    async (faulty) => {
      await using scene = await prepare();
      let n = 1;
      for (; n < MOST; n++) {
        let seen = 0;
        let dead = false;
        const died = Promise.withResolvers<void>();
        const hooks: ClientHooks = {
          before: () => {
            if (dead) throw new Error('this process is dead');
          },
          after: (call) => {
            if (dead || !counts(call) || ++seen !== n) return;
            dead = true;
            died.resolve();
            throw new Error('the process died here');
          },
        };
        const running = await startWith(scene, faulty, hooks);
        const restarted = died.promise.then(async () => {
          await running[faulty].stop();
          running[faulty] = faulty === 'controller' ? scene.startController() : await scene.startSidecar();
        });
        await live(scene, `snap-${n}`);
        if (dead) await restarted;
        await Promise.all([running.controller.stop(), running.sidecar.stop()]);
        if (!dead) break;
      }
      console.log(`${faulty}: died after each of ${n - 1} writes`);
      expect(n).toBeGreaterThan(faulty === 'controller' ? 7 : 3);
      expect(n).toBeLessThan(MOST);
    },
    60_000,
  );

  test('right after any CSI call took effect, its answer lost, leads to the same end', async () => {
    await using scene = await prepare();
    let n = 1;
    for (; n < MOST; n++) {
      let seen = 0;
      let dead = false;
      const died = Promise.withResolvers<void>();
      scene.driver.after = async () => {
        if (dead || ++seen !== n) return;
        dead = true;
        died.resolve();
        await new Promise((resolve) => setTimeout(resolve, 50)); // answered to nobody
      };
      const running = await startWith(scene, 'sidecar', {
        before: () => {
          if (dead) throw new Error('this process is dead');
        },
      });
      const restarted = died.promise.then(async () => {
        await running.sidecar.stop();
        running.sidecar = await scene.startSidecar();
      });
      await live(scene, `snap-${n}`);
      if (dead) await restarted;
      await Promise.all([running.controller.stop(), running.sidecar.stop()]);
      if (!dead) break;
    }
    expect(n).toBe(3); // CreateSnapshot, DeleteSnapshot, and the run that passed
  }, 60_000);
});

describe('a request that fails', () => {
  const failures: [string, (call: Call) => void, 'before' | 'after'][] = [
    ['with a conflict', () => fail('Conflict'), 'before'],
    ['with HTTP 500', () => fail('Internal'), 'before'],
    ['with a timeout after it took effect', () => fail('Timeout'), 'after'],
  ];
  const rows = PARTS.flatMap((part) => failures.map(([name, run, when]) => [part, name, run, when] as const));

  test.each(rows)(
    'any write of the %s %s leads to the same end',
    async (faulty, _name, run, when) => {
      await using scene = await prepare();
      let n = 1;
      for (; n < MOST; n++) {
        let seen = 0;
        const hook = (call: Call): void => {
          if (counts(call) && ++seen === n) run(call);
        };
        const running = await startWith(scene, faulty, { [when]: hook });
        await live(scene, `snap-${n}`);
        await Promise.all([running.controller.stop(), running.sidecar.stop()]);
        if (seen < n) break;
      }
      expect(n).toBeGreaterThan(faulty === 'controller' ? 7 : 3);
      expect(n).toBeLessThan(MOST);
    },
    60_000,
  );
});

function fail(code: 'Conflict' | 'Internal' | 'Timeout'): never {
  throw new KubeError(code, `injected ${code}`);
}

test('watches that break, with their history forgotten, after any write lead to the same end', async () => {
  await using scene = await prepare();
  for (let n = 1; n <= 9; n++) {
    let seen = 0;
    const after = (call: Call): void => {
      if (!counts(call) || ++seen !== n) return;
      scene.api.faults.compact();
      scene.api.faults.breakWatches();
    };
    const controller = scene.startController({ after });
    const sidecar = await scene.startSidecar({ after });
    await live(scene, `snap-${n}`);
    await Promise.all([controller.stop(), sidecar.stop()]);
  }
}, 60_000);

test.each(PARTS)(
  'caches of the %s that lag behind by 100 ms lead to the same end',
  async (slow) => {
    await using scene = await prepare();
    scene.startController({}, slow === 'controller' ? (client) => lagging(client, 100) : undefined);
    await scene.startSidecar({}, slow === 'sidecar' ? { wrap: (client) => lagging(client, 100) } : {});
    for (let n = 0; n < 2; n++) await live(scene, `snap-${n}`);
  },
  60_000,
);

describe('a snapshot that is deleted while it is being made', () => {
  /** Deletes the snapshot right after the nth of these moments, for every n; nothing may stay behind. */
  async function deleteAtEveryMoment(scene: Scene, more: { policy?: 'Delete' | 'Retain' } = {}): Promise<number> {
    let n = 1;
    for (; n < MOST; n++) {
      const name = `gone-${n}`;
      let seen = 0;
      let deleting: Promise<void> | undefined;
      const moment = async (): Promise<void> => {
        if (++seen === n) await (deleting = scene.delete(volumeSnapshots, name));
      };
      const after = async (call: Call): Promise<void> => {
        if (counts(call)) await moment();
      };
      scene.driver.after = moment;
      const controller = scene.startController({ after });
      const sidecar = await scene.startSidecar({ after });
      await scene.snapshotOf('data', name, more.policy === 'Retain' ? 'kept' : 'fast');
      await waitFor(() => deleting !== undefined || seen < n, 2_000);
      await waitFor(async () => deleting !== undefined || (await scene.get(volumeSnapshots, name)).status?.readyToUse === true);
      scene.driver.after = () => {};
      await deleting;
      if (deleting === undefined) await scene.delete(volumeSnapshots, name);
      await scene.untilGone(volumeSnapshots, name);
      await waitFor(async () => !(await scene.get(persistentVolumeClaims, 'data')).metadata.finalizers?.some((each) => each.includes('as-source')));
      if (more.policy !== 'Retain') {
        expect((await scene.client.list(volumeSnapshotContents)).items).toEqual([]);
        expect([...scene.driver.snapshots.values()], `deleted after moment ${n}`).toEqual([]);
      }
      await Promise.all([controller.stop(), sidecar.stop()]);
      if (deleting === undefined) break;
    }
    return n;
  }

  test('after any write or call leaves nothing behind', async () => {
    await using scene = await prepare();
    expect(await deleteAtEveryMoment(scene)).toBeGreaterThan(6);
  }, 60_000);

  test('after any write or call, with a driver that is ready late, leaves nothing behind', async () => {
    await using scene = await Scene.start({ readyAfter: 3 });
    await scene.addClass('fast');
    await scene.addBoundClaim('data');
    expect(await deleteAtEveryMoment(scene)).toBeGreaterThan(6);
  }, 60_000);

  test('after any write or call, with a driver that can only be polled by CreateSnapshot, leaves nothing behind', async () => {
    await using scene = await Scene.start({ readyAfter: 3, listSnapshots: false });
    await scene.addClass('fast');
    await scene.addBoundClaim('data');
    expect(await deleteAtEveryMoment(scene)).toBeGreaterThan(6);
  }, 60_000);

  test('looked at once more before its cache shows that it is gone, creates nothing', async () => {
    await using scene = await Scene.start({ readyAfter: 3, listSnapshots: false });
    await scene.addClass('fast');
    await scene.addBoundClaim('data');
    scene.startController();
    let timesLetGo = 0;
    const sidecar = await scene.startSidecar({
      after: (call) => {
        const isLast = call.verb === 'patch' && call.resource === 'volumesnapshotcontents' && JSON.stringify(call.body).includes('"finalizers":[]');
        if (!isLast) return;
        // Any event may bring the key back now, before the watch has told that the content is gone.
        sidecar.part.queue.add(call.ref?.name ?? '');
        timesLetGo++;
      },
    });
    scene.driver.after = () => scene.delete(volumeSnapshots, 'gone').catch(() => {});
    await scene.snapshotOf('data', 'gone', 'fast');
    await scene.untilGone(volumeSnapshots, 'gone');
    expect(timesLetGo).toBeGreaterThan(0);
    await sidecar.stop();
    expect(scene.driver.calls.map(({ method }) => method).lastIndexOf('CreateSnapshot')).toBeLessThan(
      scene.driver.calls.map(({ method }) => method).indexOf('DeleteSnapshot'),
    );
    expect([...scene.driver.snapshots.values()]).toEqual([]);
  }, 20_000);

  test.each([false, true])('while its driver takes longer than the timeout (sidecar restarted: %s) leaves nothing behind', async (restarted) => {
    await using scene = await prepare();
    // The driver goes on with what its caller has given up.
    scene.driver.before = (method) => (method === 'CreateSnapshot' ? new Promise((resolve) => setTimeout(resolve, 400)) : undefined);
    scene.startController();
    const sidecar = await scene.startSidecar({}, { timeoutMs: 100 });
    await scene.snapshotOf('data', 'slow', 'fast');
    await scene.until(volumeSnapshots, 'slow', ({ status }) => status?.error?.message?.includes('DEADLINE_EXCEEDED') === true);
    await scene.delete(volumeSnapshots, 'slow');
    if (restarted) {
      await sidecar.stop();
      await scene.startSidecar({}, { timeoutMs: 100 });
    }
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(await scene.client.find(volumeSnapshots, { name: 'slow', namespace: 'default' }), 'it waits for an answer').toBeDefined();
    scene.driver.before = () => {};
    await scene.untilGone(volumeSnapshots, 'slow');
    await waitFor(() => scene.driver.snapshots.size === 0);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect([...scene.driver.snapshots.values()]).toEqual([]);
  });
});
