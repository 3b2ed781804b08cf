// What goes into a snapshot comes out of it, byte for byte and attribute for attribute, on every file system and
// by every method; and what planted links point at is never touched.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CALL, canMount, cleanUp, has, hasLoops, isRoot, makeFileSystemIn, makeSnapshot, makeVolume, sh, startTestDriver, type TestDriver } from './harness.ts';

/** All that a copy may lose: modes, owners, times, extended attributes, links, holes, odd names. */
function fill(dir: string): void {
  sh(`
    cd ${dir}
    mkdir -p sub/deep empty; chmod 2750 sub; echo hello > sub/deep/file; : > nothing
    ln sub/deep/file hard; ln -s sub/deep/file soft; ln -s /nowhere/at/all dangling
    printf x > $'new\\nline'; printf y > $'not-utf8-\\xff\\xfe'; printf z > ' -rf *'
    truncate -s 8M sparse; printf end | dd of=sparse bs=1 seek=8000000 conv=notrunc status=none
    chmod 4711 hard; chmod 0000 nothing; mkfifo pipe
    touch -d '2001-02-03 04:05:06.789' sub/deep/file; touch -h -d '1999-01-01' soft
    ${isRoot ? 'chown -h 1234:5678 soft nothing sub; mknod null c 1 3' : 'true'}
    ${has('setfattr') ? 'setfattr -n user.kept -v yes sparse' : 'true'}
    chmod 1770 .; touch -d '2010-10-10' sub .`);
}

/** Everything that can be told about a tree, as text. */
function portrait(dir: string): string {
  return sh(`
    cd ${dir}
    find . -printf '%P|%y|%m|%U:%G|%s|%T@|%l|%n\\n' | sort -z -t '|' | sort
    find . -type f -exec sha256sum {} + | sort
    python3 - <<'PY'
import os
for base, dirs, files in os.walk(b'.'):
    for name in sorted(dirs + files):
        path = os.path.join(base, name)
        for key in sorted(os.listxattr(path, follow_symlinks=False)):
            print(path, key, os.getxattr(path, key, follow_symlinks=False))
PY`).replaceAll(/^\|d\|(.*)\|\d+\|([\d.]+\|\|)\d+$/gm, '|d|$1|$2'); // size and link count of a folder are the file system's
}

const skip = !canMount ? 'mounting needs root' : !hasLoops ? 'loop devices are missing' : undefined;
const SYSTEMS = [
  { type: 'btrfs', method: 'btrfs-subvolume' },
  { type: 'btrfs', method: 'reflink' },
  { type: 'xfs', method: 'reflink' },
  { type: 'ext4', method: 'copy' },
] as const;

describe.each(SYSTEMS)('snapshots by $method on $type', ({ type, method }) => {
  const missing = skip ?? (has(`mkfs.${type}`) ? undefined : `mkfs.${type} is missing`);
  let base = '';
  let root = '';
  let driver: TestDriver | undefined;
  beforeAll(() => {
    if (missing !== undefined) return;
    base = mkdtempSync(join(tmpdir(), 'hostpath-fs-'));
    root = makeFileSystemIn(base, type);
  });
  afterEach(async () => driver?.dispose());
  afterAll(() => {
    if (base !== '') cleanUp(base);
  });

  test.skipIf(missing !== undefined)(`keeps everything of a folder${missing === undefined ? '' : ` (skipped: ${missing})`}`, async () => {
    driver = await startTestDriver([`--snapshot-method=${method}`], root);
    expect(driver.log()).toContain(`method="${method}"`);
    const id = await makeVolume(driver, 'source');
    const source = join(driver.stateDir, 'volumes', id);
    fill(source);
    const before = portrait(source);
    const snapshot = await makeSnapshot(driver, 'snap', id);
    sh(`cd ${source} && rm -rf -- sub sparse && echo changed > hard`);
    const restored = await makeVolume(driver, 'restored', { snapshot });
    const clone = await makeVolume(driver, 'clone', { volume: restored });
    expect(portrait(join(driver.stateDir, 'volumes', restored))).toBe(before);
    expect(portrait(join(driver.stateDir, 'volumes', clone))).toBe(before);
    expect(Number(sh(`stat -c %b ${join(driver.stateDir, 'volumes', restored, 'sparse')}`)) * 512).toBeLessThan(2 ** 20);
    // What is restored can be written to, and goes away whole.
    writeFileSync(join(driver.stateDir, 'volumes', restored, 'new'), 'new');
    await driver.csi.controller.deleteSnapshot({ snapshotId: snapshot }, CALL);
    for (const volumeId of [id, restored, clone]) await driver.csi.controller.deleteVolume({ volumeId }, CALL);
    expect(sh(`find ${driver.stateDir}/volumes ${driver.stateDir}/snapshots -mindepth 1`)).toBe('');
  });
});

describe('a volume with planted links', () => {
  let driver: TestDriver | undefined;
  afterEach(async () => driver?.dispose());

  test('never leads copying or deleting out of the data folder', async () => {
    driver = await startTestDriver();
    const outside = join(driver.dir, 'outside');
    sh(`mkdir ${outside} && echo secret > ${outside}/file`);
    const id = await makeVolume(driver, 'source');
    sh(`cd ${driver.stateDir}/volumes/${id} && ln -s ${outside} folder && ln -s ${outside}/file file && ln -s ../../state.db state`);
    const snapshot = await makeSnapshot(driver, 'snap', id);
    expect(sh(`find ${driver.stateDir}/snapshots/${snapshot} -type f`)).toBe('');
    await driver.csi.controller.deleteSnapshot({ snapshotId: snapshot }, CALL);
    await driver.csi.controller.deleteVolume({ volumeId: id }, CALL);
    expect(readFileSync(join(outside, 'file'), 'utf8')).toBe('secret\n');
  });

  test('keeps snapshots and volumes to root', async () => {
    driver = await startTestDriver();
    for (const name of ['volumes', 'snapshots']) expect(sh(`stat -c %a ${driver.stateDir}/${name}`).trim()).toBe('700');
  });
});

describe('--snapshot-method', () => {
  test('refuses what does not work in the data folder, and says so', async () => {
    const forced = startTestDriver(['--snapshot-method=btrfs-subvolume'], isRoot && has('mkfs.ext4') ? undefined : tmpdir());
    await expect(forced).rejects.toThrow(/--snapshot-method=btrfs-subvolume does not work in .*; put the data on btrfs or xfs, or use auto/);
  });
});
