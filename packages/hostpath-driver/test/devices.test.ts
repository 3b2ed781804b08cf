// Volumes that are devices, and file systems in images: really attached, of the size asked for, growing for real,
// and snapshots of them usable beside their source.
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import {
  BLOCK,
  CALL,
  MOUNT,
  MiB,
  canMount,
  cleanUp,
  has,
  hasLoops,
  loopsBelow,
  makeFileSystemIn,
  makeSnapshot,
  makeVolume,
  mountAs,
  publish,
  sh,
  startTestDriver,
  unpublish,
  type TestDriver,
} from './harness.ts';

const IMAGE = { volumeBackend: 'image' };
const SIZES = { ext4: 32n * MiB, xfs: 320n * MiB, btrfs: 256n * MiB };
const skip = !canMount ? 'mounting needs root' : !hasLoops ? 'loop devices are missing' : undefined;
const why = skip === undefined ? '' : ` (skipped: ${skip})`;
// Growing a mounted ext4 needs this capability, which containers often lack.
const hasCapSysResource = ((BigInt(`0x${/^CapEff:\t(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`) >> 24n) & 1n) === 1n;
const deviceSize = (path: string): bigint => BigInt(sh(`blockdev --getsize64 ${path}`).trim());

describe.skipIf(skip !== undefined)(`devices${why}`, () => {
  let driver: TestDriver;
  afterEach(async () => driver.dispose());

  test('are attached with the size asked for, keep their bytes through snapshot and restore, and are detached', async () => {
    driver = await startTestDriver();
    const source = await makeVolume(driver, 'source', { capability: BLOCK });
    const device = await publish(driver, source, 'source', { capability: BLOCK });
    expect(deviceSize(device)).toBe(4n * MiB);
    sh(`head -c 1000000 /dev/urandom | dd of=${device} bs=1000 seek=33 conv=notrunc status=none`);
    const before = readFileSync(device);
    const snapshot = await makeSnapshot(driver, 'snap', source); // also what is written but not yet synced is in
    sh(`dd if=/dev/zero of=${device} bs=1M count=2 status=none`);
    const restored = await makeVolume(driver, 'restored', { capability: BLOCK, bytes: 6n * MiB, snapshot });
    const copy = await publish(driver, restored, 'restored', { capability: BLOCK });
    expect(deviceSize(copy)).toBe(6n * MiB);
    const after = readFileSync(copy);
    expect(after.subarray(0, before.length).equals(before)).toBe(true);
    expect(after.subarray(before.length).every((byte) => byte === 0)).toBe(true);
    await unpublish(driver, source, 'source');
    await unpublish(driver, restored, 'restored');
    expect(loopsBelow(driver.stateDir)).toEqual([]);
  });

  test('cannot be written to when published for reading', async () => {
    driver = await startTestDriver();
    const id = await makeVolume(driver, 'v', { capability: BLOCK });
    const device = await publish(driver, id, 'v', { capability: BLOCK, readonly: true });
    expect(() => sh(`dd if=/dev/urandom of=${device} bs=4096 count=1 conv=fsync status=none`)).toThrow(/not permitted|Read-only|denied/);
    await unpublish(driver, id, 'v');
  });

  test('grow while they are published', async () => {
    driver = await startTestDriver();
    const id = await makeVolume(driver, 'v', { capability: BLOCK });
    const device = await publish(driver, id, 'v', { capability: BLOCK });
    const capacityRange = { requiredBytes: 9n * MiB, limitBytes: 0n };
    await driver.csi.controller.controllerExpandVolume({ volumeId: id, capacityRange }, CALL);
    const { capacityBytes } = await driver.csi.node.nodeExpandVolume({ volumeId: id, volumePath: device, capacityRange }, CALL);
    expect([capacityBytes, deviceSize(device)]).toEqual([9n * MiB, 9n * MiB]);
    await unpublish(driver, id, 'v');
  });

  test('become no folder and come from none, and the refusal says what helps', async () => {
    driver = await startTestDriver();
    const [folder, device] = [await makeVolume(driver, 'folder'), await makeVolume(driver, 'device', { capability: BLOCK })];
    const [ofFolder, ofDevice] = [await makeSnapshot(driver, 'of-folder', folder), await makeSnapshot(driver, 'of-device', device)];
    await expect(makeVolume(driver, 'a', { capability: BLOCK, snapshot: ofFolder })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('volumeBackend: image') as string,
    });
    await expect(makeVolume(driver, 'b', { capability: MOUNT, snapshot: ofDevice })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringContaining('holds no file system') as string,
    });
  });

  test('turn into a Filesystem volume when there is a file system on them, and back', async () => {
    driver = await startTestDriver();
    const device = await makeVolume(driver, 'device', { capability: BLOCK, bytes: 16n * MiB });
    const path = await publish(driver, device, 'device', { capability: BLOCK });
    sh(`mkfs.ext4 -q ${path} && mkdir ${driver.dir}/m && mount ${path} ${driver.dir}/m && echo hello > ${driver.dir}/m/file && umount ${driver.dir}/m`);
    const snapshot = await makeSnapshot(driver, 'snap', device);
    const folder = await makeVolume(driver, 'folder', { capability: MOUNT, bytes: 16n * MiB, snapshot });
    const mounted = await publish(driver, folder, 'folder');
    expect(readFileSync(join(mounted, 'file'), 'utf8')).toBe('hello\n');
    const back = await makeVolume(driver, 'back', { capability: BLOCK, bytes: 16n * MiB, snapshot: await makeSnapshot(driver, 'snap2', folder) });
    expect(await publish(driver, back, 'back', { capability: BLOCK })).toBeTruthy();
    await unpublish(driver, folder, 'folder');
    await unpublish(driver, device, 'device');
    await unpublish(driver, back, 'back');
  });

  test('are attached again after a restart that lost them, and those of nobody are detached', async () => {
    driver = await startTestDriver();
    const id = await makeVolume(driver, 'v', { capability: BLOCK });
    await publish(driver, id, 'v', { capability: BLOCK });
    await driver.kill();
    sh(`umount ${driver.dir}/target-v; for d in ${loopsBelow(driver.stateDir).join(' ')}; do losetup -d $d; done`); // as a reboot does
    const stray = `${driver.stateDir}/volumes/11111111-1111-4111-8111-111111111111.img`;
    sh(`truncate -s 1M ${stray} && losetup -f ${stray}`);
    await driver.start();
    expect(loopsBelow(driver.stateDir).length).toBe(1);
    expect(sh(`ls ${driver.stateDir}/volumes`).trim()).toBe(`${id}.img`);
    expect(deviceSize(await publish(driver, id, 'v', { capability: BLOCK }))).toBe(4n * MiB);
    await unpublish(driver, id, 'v');
    expect(loopsBelow(driver.stateDir)).toEqual([]);
  });
});

describe.skipIf(skip !== undefined)(`file systems in images${why}`, () => {
  let base = '';
  let driver: TestDriver | undefined;
  beforeAll(() => {
    base = mkdtempSync(join(tmpdir(), 'hostpath-image-'));
    if (has('mkfs.xfs')) makeFileSystemIn(base, 'xfs', '2G');
  });
  afterEach(async () => driver?.dispose());
  afterAll(() => cleanUp(base));

  for (const type of ['ext4', 'xfs', 'btrfs'] as const) {
    for (const method of ['reflink', 'copy'] as const) {
      const missing = [`mkfs.${type}`, ...(method === 'reflink' ? ['mkfs.xfs'] : [])].find((tool) => !has(tool));
      test.skipIf(missing !== undefined)(
        `${type}, snapshots by ${method}: size enforced, snapshot and restore side by side, growing${missing === undefined ? '' : ` (skipped: ${missing} is missing)`}`,
        { timeout: 60_000 },
        async () => {
          driver = await startTestDriver([`--snapshot-method=${method}`], method === 'reflink' ? join(base, 'xfs') : undefined);
          const bytes = SIZES[type];
          const capability = mountAs(type, ['noatime']);
          const source = await makeVolume(driver, 'source', { capability, bytes, parameters: IMAGE });
          const path = await publish(driver, source, 'source', { capability });
          expect(sh(`findmnt -no FSTYPE,OPTIONS ${path}`)).toMatch(new RegExp(`^${type}.*noatime`));
          sh(`head -c 3000000 /dev/urandom > ${path}/data && mkdir ${path}/sub && echo hello > ${path}/sub/file`); // not synced
          const before = sh(`cd ${path} && sha256sum data sub/file`);
          const snapshot = await makeSnapshot(driver, 'snap', source);
          sh(`rm -r ${path}/data ${path}/sub`);
          const larger = bytes * 2n;
          const restored = await makeVolume(driver, 'restored', { capability, bytes: larger, parameters: IMAGE, snapshot });
          const beside = await publish(driver, restored, 'restored', { capability });
          expect(sh(`cd ${beside} && sha256sum data sub/file`)).toBe(before);
          const total = (at: string): number => Number(sh(`df -B1 --output=size ${at} | tail -1`));
          expect(total(beside)).toBeGreaterThan(Number(larger) * 0.7);
          expect(() => sh(`head -c ${Number(bytes) + 1} /dev/zero > ${path}/too-much`)).toThrow(/No space left/);
          sh(`rm ${path}/too-much`);
          const capacityRange = { requiredBytes: larger, limitBytes: 0n };
          await driver.csi.controller.controllerExpandVolume({ volumeId: source, capacityRange }, CALL);
          const growing = driver.csi.node.nodeExpandVolume({ volumeId: source, volumePath: path, capacityRange }, CALL);
          if (type === 'ext4' && !hasCapSysResource) {
            await expect(growing).rejects.toMatchObject({ code: 'FAILED_PRECONDITION', message: expect.stringContaining('CAP_SYS_RESOURCE') as string });
            await unpublish(driver, source, 'source');
            await publish(driver, source, 'source', { capability });
          } else expect((await growing).capacityBytes).toBe(larger);
          expect(total(path)).toBeGreaterThan(Number(larger) * 0.7);
          await unpublish(driver, restored, 'restored');
          await unpublish(driver, source, 'source');
          expect(loopsBelow(driver.stateDir)).toEqual([]);
        },
      );
    }
  }

  test('can be snapshotted several times at once, alone and in a group', { timeout: 60_000 }, async () => {
    driver = await startTestDriver();
    const capability = mountAs('ext4');
    const ids: string[] = [];
    for (const name of ['a', 'b']) {
      const id = await makeVolume(driver, name, { capability, bytes: 16n * MiB, parameters: IMAGE });
      sh(`echo ${name} > ${await publish(driver, id, name, { capability })}/file`);
      ids.push(id);
    }
    const { csi } = driver;
    const group = (name: string, sourceVolumeIds: string[]): Promise<unknown> =>
      csi.groupController.createVolumeGroupSnapshot({ name, sourceVolumeIds, parameters: {} }, CALL);
    const [a = '', b = ''] = ids;
    await Promise.all([
      group('one', [a, b]),
      group('two', [b, a]),
      ...['s', 't', 'u'].flatMap((name) => [makeSnapshot(driver as TestDriver, name, a), group(name, [b])]),
    ]);
    const { entries } = await csi.controller.listSnapshots({ maxEntries: 0 }, CALL);
    expect(entries.length).toBe(2 + 2 + 3 + 3);
    sh(`timeout 5 touch ${driver.dir}/target-a/writable ${driver.dir}/target-b/writable`);
    await unpublish(driver, a, 'a');
    await unpublish(driver, b, 'b');
  });

  test('are thawed at the next start when the driver died while they were frozen', async () => {
    driver = await startTestDriver();
    const capability = mountAs('ext4');
    const id = await makeVolume(driver, 'v', { capability, bytes: 16n * MiB, parameters: IMAGE });
    const path = await publish(driver, id, 'v', { capability });
    await driver.kill();
    sh(`fsfreeze --freeze ${driver.dir}/stage-v`);
    await driver.start();
    sh(`timeout 5 touch ${path}/writable`);
    await unpublish(driver, id, 'v');
  });
});
