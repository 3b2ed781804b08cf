// Volumes, snapshots and groups through their lives: repeated calls, calls at the same time, and what goes wrong.
import { existsSync, mkdtempSync, readFileSync, readdirSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { connectCsi } from '@snapshot-stack/csi';
import {
  BLOCK,
  CALL,
  MOUNT,
  MiB,
  canMount,
  cleanUp,
  has,
  hasLoops,
  makeFileSystemIn,
  makeSnapshot,
  makeVolume,
  publish,
  sh,
  startTestDriver,
  unpublish,
  type TestDriver,
} from './harness.ts';

const GiB = 2n ** 30n;
const mountsMissing = canMount ? '' : ' (skipped: mounting needs root)';
let driver: TestDriver;
afterEach(async () => driver.dispose());
const filesOf = (name: 'volumes' | 'snapshots'): string[] => readdirSync(join(driver.stateDir, name));

describe('volumes', () => {
  test('are the same when asked for again, and another when anything differs', async () => {
    driver = await startTestDriver();
    const parameters = { b: '2', a: '1' };
    const id = await makeVolume(driver, 'v', { parameters });
    expect(await makeVolume(driver, 'v', { parameters: { a: '1', b: '2' } })).toBe(id);
    for (const other of [{ parameters, bytes: 5n * MiB }, { parameters, capability: BLOCK }, { parameters: {} }, { parameters, volume: id }]) {
      await expect(makeVolume(driver, 'v', other)).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    }
    await driver.kill();
    await driver.start();
    const clone = await makeVolume(driver, 'clone', { volume: id });
    await driver.kill();
    await driver.start();
    expect(await makeVolume(driver, 'clone', { volume: id })).toBe(clone); // upstream forgets the source
    expect(filesOf('volumes').length).toBe(2);
  });

  test('are counted against the capacity of their kind, which comes back', async () => {
    driver = await startTestDriver(['--capacity=fast=10Mi', '--capacity=slow=1Gi', '--max-volume-size=100Mi']);
    const parameters = { kind: 'fast' };
    const free = async (): Promise<bigint> => (await driver.csi.controller.getCapacity({ parameters }, CALL)).availableCapacity;
    const id = await makeVolume(driver, 'a', { parameters, bytes: 6n * MiB });
    expect(await free()).toBe(4n * MiB);
    await expect(makeVolume(driver, 'b', { parameters, bytes: 6n * MiB })).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    await expect(makeVolume(driver, 'c', { bytes: 2n ** 62n })).rejects.toMatchObject({ code: 'OUT_OF_RANGE' });
    await driver.csi.controller.deleteVolume({ volumeId: id }, CALL);
    expect(await free()).toBe(10n * MiB);
    expect(filesOf('volumes')).toEqual([]);
  });

  test('are listed in pages that neither repeat nor lose any while others come and go', async () => {
    driver = await startTestDriver();
    const ids = await Promise.all(Array.from({ length: 12 }, (_, i) => makeVolume(driver, `v${i}`)));
    const seen: string[] = [];
    let startingToken = '';
    do {
      const page = await driver.csi.controller.listVolumes({ maxEntries: 5, startingToken }, CALL);
      seen.push(...page.entries.map(({ volume }) => volume?.volumeId ?? ''));
      startingToken = page.nextToken;
      if (seen.length === 5) await driver.csi.controller.deleteVolume({ volumeId: seen[4] ?? '' }, CALL); // the one that the token names
    } while (startingToken !== '');
    expect(seen.sort()).toEqual(ids.sort());
    for (const bad of ['0', '-1', '5', 'after:../..', '\0']) {
      await expect(driver.csi.controller.listVolumes({ maxEntries: 0, startingToken: bad }, CALL)).rejects.toMatchObject({ code: 'ABORTED' });
    }
  });

  test.skipIf(!canMount)(`stay while they are in use${mountsMissing}`, async () => {
    driver = await startTestDriver();
    const id = await makeVolume(driver, 'v');
    const path = await publish(driver, id, 'v', { readonly: true });
    expect(() => sh(`touch ${path}/x`)).toThrow(/Read-only/);
    await expect(driver.csi.controller.deleteVolume({ volumeId: id }, CALL)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    await driver.kill();
    await driver.start();
    await expect(driver.csi.controller.deleteVolume({ volumeId: id }, CALL)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    await unpublish(driver, id, 'v');
    await driver.csi.controller.deleteVolume({ volumeId: id }, CALL);
    expect(existsSync(path)).toBe(false);
  });

  test.skipIf(!canMount)(`are not mistaken for what somebody else has mounted${mountsMissing}`, async () => {
    driver = await startTestDriver();
    const id = await makeVolume(driver, 'v');
    sh(`mkdir ${driver.dir}/target-v ${driver.dir}/theirs && mount --bind ${driver.dir}/theirs ${driver.dir}/target-v`);
    await expect(publish(driver, id, 'v')).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', message: expect.stringContaining('is left alone') as string });
    sh(`umount ${driver.dir}/target-v`);
    const path = await publish(driver, id, 'v');
    sh(`touch ${path}/ours`);
    expect(readdirSync(join(driver.stateDir, 'volumes', id))).toEqual(['ours']);
    await publish(driver, id, 'v');
    await unpublish(driver, id, 'v');
  });

  test.skipIf(!canMount)(`inline in a pod live and die with its publication${mountsMissing}`, async () => {
    driver = await startTestDriver();
    const volumeId = `csi-${'a1'.repeat(32)}`;
    const targetPath = join(driver.dir, 'pod');
    const request = { volumeId, targetPath, volumeCapability: MOUNT, readonly: false, volumeContext: { 'csi.storage.k8s.io/ephemeral': 'true' } };
    await driver.csi.node.nodePublishVolume(request, CALL);
    await driver.csi.node.nodePublishVolume(request, CALL);
    sh(`echo data > ${targetPath}/file`);
    await driver.csi.node.nodeUnpublishVolume({ volumeId, targetPath }, CALL);
    expect(filesOf('volumes')).toEqual([]);
    expect(existsSync(targetPath)).toBe(false);
  });
});

describe('snapshots', () => {
  test('outlive their volume, and so does the answer to the same call', async () => {
    driver = await startTestDriver();
    const id = await makeVolume(driver, 'v');
    const snapshot = await makeSnapshot(driver, 's', id);
    await driver.csi.controller.deleteVolume({ volumeId: id }, CALL);
    expect(await makeSnapshot(driver, 's', id)).toBe(snapshot);
    await expect(makeSnapshot(driver, 's', await makeVolume(driver, 'w'))).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    expect(await makeVolume(driver, 'restored', { snapshot })).toBeTruthy();
    await expect(makeVolume(driver, 'small', { snapshot, bytes: MiB })).rejects.toMatchObject({
      code: 'OUT_OF_RANGE',
      message: expect.stringContaining(`at least ${4n * MiB} bytes`) as string,
    });
  });

  test('of a group are all there or none, and only go together', async () => {
    driver = await startTestDriver();
    const ids = [await makeVolume(driver, 'a'), await makeVolume(driver, 'b'), await makeVolume(driver, 'c')];
    const group = async (name: string, sourceVolumeIds: string[]) =>
      (await driver.csi.groupController.createVolumeGroupSnapshot({ name, sourceVolumeIds, parameters: {} }, CALL)).groupSnapshot;
    const made = await group('g', ids);
    const again = await group('g', ids.toReversed());
    expect(again?.groupSnapshotId).toBe(made?.groupSnapshotId);
    expect(new Set(made?.snapshots.map((snapshot) => snapshot.sourceVolumeId))).toEqual(new Set(ids));
    const member = made?.snapshots[0]?.snapshotId ?? '';
    await expect(driver.csi.controller.deleteSnapshot({ snapshotId: member }, CALL)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(group('g', ids.slice(1))).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
    await expect(group('twice', [ids[0] ?? '', ids[0] ?? ''])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    // One member cannot be taken: its data is gone.
    sh(`rm -r ${driver.stateDir}/volumes/${ids[2]}`);
    await expect(group('half', ids)).rejects.toMatchObject({ message: expect.stringContaining('none of its members is left') as string });
    expect(filesOf('snapshots').sort()).toEqual(made?.snapshots.map((snapshot) => snapshot.snapshotId).sort());
    await driver.csi.groupController.deleteVolumeGroupSnapshot({ groupSnapshotId: made?.groupSnapshotId ?? '', snapshotIds: [] }, CALL);
    expect(filesOf('snapshots')).toEqual([]);
    expect((await driver.csi.controller.listSnapshots({ maxEntries: 0 }, CALL)).entries).toEqual([]);
  });

  test('go on being taken when the caller gives up, and the same call gets the result', { timeout: 60_000 }, async () => {
    driver = await startTestDriver(['--snapshot-method=copy']);
    const id = await makeVolume(driver, 'v', { bytes: GiB });
    sh(`for i in $(seq 8); do head -c 50000000 /dev/urandom > ${driver.stateDir}/volumes/${id}/file-$i; done`);
    const request = { name: 's', sourceVolumeId: id, parameters: {} };
    await expect(driver.csi.controller.createSnapshot(request, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
    // Not listed, and its source held, until the copy is whole.
    expect((await driver.csi.controller.listSnapshots({ maxEntries: 0 }, CALL)).entries).toEqual([]);
    await expect(driver.csi.controller.deleteVolume({ volumeId: id }, CALL)).rejects.toMatchObject({ code: 'ABORTED' });
    const waits: number[] = [];
    for (let i = 0; i < 20; i++) {
      const start = performance.now();
      await driver.csi.identity.probe({}, CALL);
      await driver.csi.controller.listVolumes({ maxEntries: 0 }, CALL);
      waits.push(performance.now() - start);
    }
    const { snapshot } = await driver.csi.controller.createSnapshot(request, CALL);
    expect(snapshot?.readyToUse).toBe(true);
    expect(filesOf('snapshots')).toEqual([snapshot?.snapshotId]);
    waits.sort((a, b) => a - b);
    console.log(`Probe and ListVolumes during a copy: ${waits[10]?.toFixed(1)} ms, at most ${waits.at(-1)?.toFixed(1)} ms`);
    expect(waits[10]).toBeLessThan(50);
  });

  test.skipIf(!canMount || !hasLoops || !has('mkfs.ext4'))(
    'leave nothing when the disk is full, and can be taken once there is room',
    { timeout: 60_000 },
    async () => {
      const base = mkdtempSync(join(tmpdir(), 'hostpath-full-'));
      try {
        driver = await startTestDriver([], makeFileSystemIn(base, 'ext4', '64M'));
        const id = await makeVolume(driver, 'v', { bytes: 60n * MiB });
        const data = join(driver.stateDir, 'volumes', id, 'data');
        sh(`head -c 30000000 /dev/urandom > ${data}`);
        await expect(makeSnapshot(driver, 's', id)).rejects.toMatchObject({
          code: 'RESOURCE_EXHAUSTED',
          message: expect.stringContaining('disk is full') as string,
        });
        await expect(makeVolume(driver, 'clone', { volume: id, bytes: 60n * MiB })).rejects.toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
        expect([filesOf('snapshots'), filesOf('volumes')]).toEqual([[], [id]]);
        sh(`truncate -s 5000000 ${data}`);
        const snapshot = await makeSnapshot(driver, 's', id);
        expect(readFileSync(join(driver.stateDir, 'snapshots', snapshot, 'data')).equals(readFileSync(data))).toBe(true);
      } finally {
        await driver.dispose();
        cleanUp(base);
      }
    },
  );
});

describe('the process', () => {
  test('registers with kubelet, tells its health and its method, and takes its sockets along', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'hostpath-reg-'));
    const [registry, http] = [join(dir, 'registry'), 20_000 + (process.pid % 20_000)];
    sh(`mkdir ${registry}`);
    driver = await startTestDriver([
      '--kubelet-registration-path=/plugins/csi.sock',
      `--plugin-registration-path=${registry}`,
      `--http-endpoint=127.0.0.1:${http}`,
    ]);
    expect(readdirSync(registry)).toEqual(['hostpath.csi.k8s.io-reg.sock']);
    const get = (path: string): Promise<string> =>
      new Promise((resolve, reject) => {
        httpRequest({ port: http, host: '127.0.0.1', path }, (response) => {
          let body = `${response.statusCode} `;
          response.setEncoding('utf8').on('data', (text: string) => (body += text));
          response.on('end', () => resolve(body));
        })
          .on('error', reject)
          .end();
      });
    expect(await get('/healthz')).toBe('200 ok');
    expect(await get('/metrics')).toMatch(/hostpath_snapshot_method\{method="[a-z-]+"\} 1/);
    expect(await driver.stop()).toBe(0);
    expect([readdirSync(registry), existsSync(driver.socket)]).toEqual([[], false]);
    cleanUp(dir);
  });

  test('answers clients that call it all at once', async () => {
    driver = await startTestDriver();
    const clients = Array.from({ length: 4 }, () => connectCsi({ endpoint: driver.socket }));
    const request = { name: 'one', volumeCapabilities: [MOUNT], capacityRange: { requiredBytes: MiB, limitBytes: 0n } };
    const made = await Promise.all(clients.flatMap((client) => Array.from({ length: 5 }, () => client.controller.createVolume(request, CALL))));
    expect(new Set(made.map(({ volume }) => volume?.volumeId)).size).toBe(1);
    for (const client of clients) client.close();
    expect(filesOf('volumes').length).toBe(1);
  });
});
