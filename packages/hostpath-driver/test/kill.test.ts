// The driver dies the hard way at random moments under load, again and again. Afterwards nothing that was promised
// is lost, and nothing is left over: state, files, loop devices and mounts agree.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { CsiError } from '@snapshot-stack/csi';
import { seededRandom } from '@snapshot-stack/runtime/process';
import { State } from '../src/state/state.ts';
import { BLOCK, MOUNT, MiB, canMount, hasLoops, loopsBelow, makeSnapshot, makeVolume, sh, startTestDriver, type TestDriver } from './harness.ts';

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 8);
const SEED = 20_261_123;
const CALL = { timeoutMs: 5_000 };

describe('a driver that is killed', () => {
  let driver: TestDriver;
  afterEach(async () => driver.dispose());
  const devices = canMount && hasLoops;

  test(
    `loses nothing and leaks nothing (${ROUNDS} rounds, seed ${SEED}${devices ? '' : '; without devices and mounts, which need root'})`,
    { timeout: 30_000 + ROUNDS * 5_000 },
    async () => {
      driver = await startTestDriver();
      const random = seededRandom(SEED);
      const source = await makeVolume(driver, 'source');
      sh(`cd ${driver.stateDir}/volumes/${source} && for i in $(seq 200); do echo $i > file-$i; done && head -c 20000000 /dev/urandom > large`);
      const original = sh(`cd ${driver.stateDir}/volumes/${source} && sha256sum *`);
      const device = await makeVolume(driver, 'device', { capability: BLOCK });
      const promised = new Map<string, string>(); // name → id, of what was answered with OK and not asked to go
      let n = 0;

      /** One client that makes, uses and removes things until the driver is gone. Its errors are the test's purpose. */
      const client = async (): Promise<void> => {
        for (;;) {
          const name = `x${n++}`;
          const snapshot = await makeSnapshot(driver, name, random() < 0.7 ? source : device);
          promised.set(name, snapshot);
          const block = random() < 0.3;
          if (block && devices) {
            const volumeId = await makeVolume(driver, `${name}-b`, { capability: BLOCK, bytes: MiB });
            const stagingTargetPath = join(driver.dir, `stage-${name}`);
            const target = { volumeId, targetPath: join(driver.dir, `target-${name}`) };
            await driver.csi.node.nodeStageVolume({ volumeId, stagingTargetPath, volumeCapability: BLOCK }, CALL);
            await driver.csi.node.nodePublishVolume({ ...target, stagingTargetPath, volumeCapability: BLOCK, readonly: false }, CALL);
            await driver.csi.node.nodeUnpublishVolume(target, CALL);
            await driver.csi.node.nodeUnstageVolume({ volumeId, stagingTargetPath }, CALL);
            await driver.csi.controller.deleteVolume({ volumeId }, CALL);
          }
          if (random() < 0.5) {
            promised.delete(name);
            await driver.csi.controller.deleteSnapshot({ snapshotId: snapshot }, CALL);
          }
        }
      };
      const unexpected: string[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        const clients = [client(), client(), client()].map((running) =>
          running.catch((error: unknown) => {
            const { code, message } = CsiError.from(error);
            if (!['UNAVAILABLE', 'CANCELLED', 'UNKNOWN', 'DEADLINE_EXCEEDED'].includes(code) && !/not running/.test(message))
              unexpected.push(`${code}: ${message}`);
          }),
        );
        await sleep(50 + random() * 400); // the moment of death is what the test varies
        await driver.kill();
        await Promise.all(clients);
        await driver.start();
      }
      expect(unexpected).toEqual([]);

      // Everything promised is there and whole; what was cut off can be asked for again, or removed.
      for (const [name, id] of promised) expect(await makeSnapshot(driver, name, (await sourceOf(id)) ?? source)).toBe(id);
      const { entries } = await driver.csi.controller.listSnapshots({ maxEntries: 0 }, CALL);
      for (const { snapshot } of entries) {
        if (snapshot?.sourceVolumeId !== source) continue;
        expect(sh(`cd ${driver.stateDir}/snapshots/${snapshot.snapshotId} && sha256sum *`)).toBe(original);
      }
      await cleanLeftovers();
      for (const { snapshot } of entries) await driver.csi.controller.deleteSnapshot({ snapshotId: snapshot?.snapshotId ?? '' }, CALL);
      expect(readdirSync(join(driver.stateDir, 'snapshots'))).toEqual([]);
      expect(readdirSync(join(driver.stateDir, 'volumes')).sort()).toEqual([source, `${device}.img`].sort());
      expect(loopsBelow(driver.stateDir)).toEqual([]);
      expect(readFileSync('/proc/self/mountinfo', 'utf8').includes(driver.dir)).toBe(false);

      async function sourceOf(snapshotId: string): Promise<string | undefined> {
        const { snapshot } = await driver.csi.controller.getSnapshot({ snapshotId }, CALL);
        return snapshot?.sourceVolumeId;
      }

      /** What kubelet and the provisioner would do: take down and delete what calls cut off have left in the state. */
      async function cleanLeftovers(): Promise<void> {
        await driver.stop();
        const state = new State(driver.stateDir);
        const left = state.volumesAfter('', 10_000).map((row) => ({ row, publications: state.publications(row.id) }));
        state.close();
        await driver.start();
        for (const { row, publications } of left) {
          if (row.id === source || row.id === device) continue;
          for (const { path } of publications.filter(({ kind }) => kind === 'published'))
            await driver.csi.node.nodeUnpublishVolume({ volumeId: row.id, targetPath: path }, CALL);
          for (const { path } of publications.filter(({ kind }) => kind === 'staged'))
            await driver.csi.node.nodeUnstageVolume({ volumeId: row.id, stagingTargetPath: path }, CALL);
          await driver.csi.controller.deleteVolume({ volumeId: row.id }, CALL);
          expect(publications.filter(({ path, kind }) => kind === 'published' && existsSync(path))).toEqual([]);
        }
      }
    },
  );

  test('finishes nothing by halves when it dies within a long copy', { timeout: 60_000 }, async () => {
    driver = await startTestDriver(['--snapshot-method=copy']);
    const id = await makeVolume(driver, 'v');
    sh(`for i in $(seq 4); do head -c 100000000 /dev/urandom > ${driver.stateDir}/volumes/${id}/file-$i; done`);
    const request = { name: 's', sourceVolumeId: id, parameters: {} };
    await driver.csi.controller.createSnapshot(request, { timeoutMs: 100 }).catch(() => {});
    await driver.kill();
    await driver.start();
    expect((await driver.csi.controller.listSnapshots({ maxEntries: 0 }, CALL)).entries).toEqual([]);
    expect(readdirSync(join(driver.stateDir, 'snapshots'))).toEqual([]);
    const snapshot = await makeSnapshot(driver, 's', id);
    expect(readdirSync(join(driver.stateDir, 'snapshots', snapshot)).length).toBe(4);
    expect(await makeVolume(driver, 'restored', { snapshot, capability: MOUNT })).toBeTruthy();
  });
});
