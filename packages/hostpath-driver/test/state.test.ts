// The state: one owner at a time, never lost, never guessed, and as fast with many objects as with few.
import { randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { State, type VolumeRow } from '../src/state/state.ts';
import { makeSnapshot, makeVolume, startTestDriver, type TestDriver } from './harness.ts';

function aVolume(name: string, kind = ''): Omit<VolumeRow, 'attached' | 'attachedReadonly'> {
  return {
    id: randomUUID(),
    name,
    phase: 'ready',
    access: 'mount',
    backend: 'directory',
    sizeBytes: 10n,
    source: '',
    parameters: '{}',
    kind,
    fsType: '',
    ephemeral: 0n,
  };
}

describe('the state', () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'hostpath-state-'));
  });
  const copy = (): string => {
    const path = join(dir, 'copy');
    mkdirSync(path, { recursive: true });
    return path;
  };
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  test('is refused when the file is damaged, and the file stays as it is', () => {
    const state = new State(dir);
    for (let i = 0; i < 500; i++) state.addVolume(aVolume(`volume-${i}`));
    state.close();
    const path = join(dir, 'state.db');
    const damaged = readFileSync(path).fill(0x5a, 4_096, 40_000);
    writeFileSync(path, damaged);
    expect(() => new State(dir)).toThrow(/state\.db cannot be used .*Restore it from a copy/s);
    expect(readFileSync(path).equals(damaged)).toBe(true);
    writeFileSync(path, 'this is no database, but it is long enough to be looked at as one');
    expect(() => new State(dir)).toThrow(/state\.db cannot be used/);
  });

  test('is in its files, for anybody to read, once it says that changes are durable', async () => {
    const state = new State(dir);
    const waits = Array.from({ length: 50 }, (_, i) => {
      state.addVolume(aVolume(`v${i}`));
      return state.durable();
    });
    await Promise.all(waits);
    await state.durable();
    // What was waited for can be read without the process that wrote it: from the file and its log.
    for (const name of ['state.db', 'state.db-wal']) copyFileSync(join(dir, name), join(copy(), name));
    state.close();
    const other = new State(copy());
    expect(other.volumesAfter('', 100).length).toBe(50);
    other.close();
  });

  test('counts the bytes of each kind as volumes come, grow and go', () => {
    const state = new State(dir);
    const [a, b] = [aVolume('a', 'fast'), aVolume('b', 'fast')];
    state.addVolume(a);
    state.addVolume(b);
    state.addVolume(aVolume('c', 'slow'));
    state.setVolume(a.id, { sizeBytes: 25n });
    state.removeVolume(b.id);
    expect([state.usedBytes('fast'), state.usedBytes('slow'), state.usedBytes('none')]).toEqual([25n, 10n, 0n]);
    state.close();
  });

  test('lists 1,000 of 100,000 volumes and snapshots in under 20 ms, and adds as fast as when it was empty', () => {
    const state = new State(dir);
    const addTen = (): number => {
      const start = performance.now();
      for (let i = 0; i < 10; i++) state.addVolume(aVolume(randomUUID(), 'fast'));
      return performance.now() - start;
    };
    const median = (values: number[]): number => values.sort((x, y) => x - y)[Math.floor(values.length / 2)] ?? 0;
    const empty = median([addTen(), addTen(), addTen(), addTen(), addTen()]);
    state.atomically(() => {
      for (let i = 0; i < 100_000; i++) {
        const row = aVolume(`v${i}`, 'fast');
        state.addVolume(row);
        const { id, name, phase, access, backend, fsType, sizeBytes } = row;
        state.addSnapshot({ id: randomUUID(), name, phase, volumeId: id, access, backend, fsType, sizeBytes, createdNs: 1n, groupId: '' });
      }
    });
    const full = median([addTen(), addTen(), addTen(), addTen(), addTen()]);
    const times = Array.from({ length: 9 }, () => {
      const start = performance.now();
      const page = state.volumesAfter(randomUUID().replace(/^./, '4'), 1_000);
      expect(page.length).toBe(1_000);
      expect(state.snapshotsAfter('', 1_000, '').length).toBe(1_000);
      return (performance.now() - start) / 2;
    });
    state.close();
    console.log(`page of 1,000: ${median(times).toFixed(1)} ms; ten volumes added: ${empty.toFixed(1)} ms when empty, ${full.toFixed(1)} ms with 100,000`);
    expect(median(times)).toBeLessThan(20);
    expect(full).toBeLessThan(empty * 5 + 20);
  }, 60_000);
});

describe('a driver on its data folder', () => {
  let driver: TestDriver | undefined;
  afterEach(async () => driver?.dispose());

  test('keeps a second driver out while it lives, and no longer', async () => {
    driver = await startTestDriver();
    expect(() => new State(driver?.stateDir ?? '')).toThrow(/another process uses .*state\.db; stop it first/);
    const id = await makeVolume(driver, 'kept');
    await driver.kill();
    const state = new State(driver.stateDir);
    expect(state.volume(id)?.name).toBe('kept');
    state.close();
  });

  test('refuses to start empty beside data that it knows nothing of', async () => {
    driver = await startTestDriver();
    const id = await makeVolume(driver, 'kept');
    await makeSnapshot(driver, 'snap', id);
    await driver.stop();
    truncateSync(join(driver.stateDir, 'state.db'), 0);
    await expect(driver.start()).rejects.toThrow(/missing or empty, but .*volumes holds data\. Nothing was changed/);
    expect(existsSync(join(driver.stateDir, 'volumes', id))).toBe(true);
  });
});
