import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Journal, type Use } from './journal.ts';
import { pathsBelow, type Paths } from './paths.ts';

describe('the journal', () => {
  let root: string;
  let paths: Paths;
  let journal: Journal;
  const aUse = (podUid: string, specVolID = 'v'): Use => ({
    specVolID,
    driverName: 'd',
    volumeHandle: `handle of ${specVolID}`,
    nodeName: 'a',
    attachmentID: '',
    podUid,
    volumeMode: 'Filesystem',
    staged: true,
    published: false,
  });

  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'journal-'));
    paths = pathsBelow(root);
    journal = new Journal(paths);
  });
  afterEach(() => rm(root, { recursive: true }));

  it('is empty before anything was written', async () => {
    expect(await journal.all()).toEqual([]);
    expect(await journal.ofPod('p')).toEqual([]);
  });

  it('gives back what was written, to another process too', async () => {
    await journal.write(aUse('p1'));
    await journal.write({ ...aUse('p1'), published: true });
    await journal.write(aUse('p2', 'w'));
    expect(await new Journal(paths).ofPod('p1')).toEqual([{ ...aUse('p1'), published: true }]);
    expect(await new Journal(paths).all()).toHaveLength(2);
  });

  it('leaves no trace of a pod after its last use', async () => {
    await journal.write(aUse('p1'));
    await journal.write(aUse('p1', 'w'));
    await journal.remove(aUse('p1'));
    expect(await journal.ofPod('p1')).toEqual([aUse('p1', 'w')]);
    await journal.remove(aUse('p1', 'w'));
    expect(existsSync(join(root, 'pods', 'p1'))).toBe(false);
  });

  it('never removes data: a target that is not empty stays', async () => {
    await journal.write(aUse('p1'));
    const target = join(paths.podVolume('p1', 'v'), 'mount');
    await mkdir(target);
    await writeFile(join(target, 'precious'), '');
    await journal.remove(aUse('p1'));
    expect(existsSync(join(target, 'precious'))).toBe(true);
  });

  it('names a file that it cannot read', async () => {
    await journal.write(aUse('p1'));
    const file = join(paths.podVolume('p1', 'v'), 'vol_data.json');
    await writeFile(file, '{');
    await expect(journal.all()).rejects.toThrow(file);
  });
});
