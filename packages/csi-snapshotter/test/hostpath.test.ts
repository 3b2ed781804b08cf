// The same life with the hostpath driver, which keeps its snapshots on disk: the sidecar dies after each of its
// writes, and what the driver lists at the end is what it listed at the beginning.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { volumeSnapshotContents, volumeSnapshots } from '@snapshot-stack/api-types';
import { VolumeCapability_AccessMode_Mode as Mode, connectCsi } from '@snapshot-stack/csi';
import { flags, startDriver } from '@snapshot-stack/hostpath-driver';
import { isWrite } from '@snapshot-stack/runtime';
import { silentLog } from '@snapshot-stack/runtime/process';
import { expect, test } from 'vitest';
import { Scene } from './support/scene.ts';

const DRIVER = 'hostpath.csi.k8s.io';

test('the sidecar dies after each of its writes, and the hostpath driver has neither orphan nor duplicate', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'snapshotter-hostpath-'));
  const socket = join(dir, 'csi.sock');
  const options = flags.parse([`--endpoint=unix://${socket}`, '--nodeid=n', `--statedir=${join(dir, 'state')}`, `--drivername=${DRIVER}`], {});
  const running = await startDriver(options, silentLog);
  const csi = connectCsi({ endpoint: socket });
  await using scene = await Scene.start();
  try {
    const accessType = { $case: 'mount' as const, value: { fsType: '', mountFlags: [], volumeMountGroup: '' } };
    const volumeCapabilities = [{ accessType, accessMode: { mode: Mode.SINGLE_NODE_WRITER } }];
    const { volume } = await csi.controller.createVolume(
      { name: 'v', volumeCapabilities, capacityRange: { requiredBytes: 1n << 20n, limitBytes: 0n } },
      { timeoutMs: 10_000 },
    );
    await scene.addClass('disk', { driver: DRIVER });
    await scene.addBoundClaim('data', { driver: DRIVER, handle: volume!.volumeId });
    scene.startController();
    let n = 1;
    for (let died = true; died; n++) {
      died = false;
      let seen = 0;
      const sidecar = await scene.startSidecar(
        {
          before: () => {
            if (died) throw new Error('this process is dead');
          },
          after: (call) => {
            if (died || !isWrite(call) || call.resource === 'events' || ++seen !== n) return;
            died = true;
            throw new Error('the process died here');
          },
        },
        { socket },
      );
      const restarted = waitForDeath(() => died).then(async () => {
        await sidecar.stop();
        return scene.startSidecar({}, { socket });
      });
      await scene.snapshotOf('data', `snap-${n}`, 'disk');
      await scene.untilReady(`snap-${n}`);
      expect((await csi.controller.listSnapshots({}, { timeoutMs: 5_000 })).entries).toHaveLength(1);
      await scene.delete(volumeSnapshots, `snap-${n}`);
      await scene.untilGone(volumeSnapshots, `snap-${n}`);
      expect((await csi.controller.listSnapshots({}, { timeoutMs: 5_000 })).entries).toEqual([]);
      expect((await scene.client.list(volumeSnapshotContents)).items).toEqual([]);
      if (died) await (await restarted).stop();
      else await sidecar.stop();
    }
    expect(n).toBeGreaterThan(4);
  } finally {
    csi.close();
    await running.close();
    await rm(dir, { recursive: true, force: true });
  }
}, 30_000);

/** Resolves when it has died; never when it does not. */
function waitForDeath(died: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (!died()) return;
      clearInterval(timer);
      resolve();
    }, 5);
    timer.unref();
  });
}
