import { connectCsi } from '@snapshot-stack/csi';
import { connectDriver } from '@snapshot-stack/csi-snapshotter';
import { ManualClock } from '@snapshot-stack/runtime';
import { expect, test, vi } from 'vitest';
import { InspectableDriver, type InspectableDriverOptions } from './support/inspectable-driver.ts';

async function connected<T>(
  options: InspectableDriverOptions,
  use: (driver: Awaited<ReturnType<typeof connectDriver>>, store: InspectableDriver) => Promise<T>,
  clock?: ManualClock,
): Promise<T> {
  const store = new InspectableDriver(options);
  await store.start();
  const csi = connectCsi({ endpoint: store.socket });
  try {
    return await use(await connectDriver(csi, 2_000, signal, clock), store);
  } finally {
    csi.close();
    await store.stop();
  }
}

const { signal } = new AbortController();
const stored = { name: 'n', volume: 'v', readyAfter: 0, creationNanos: 1_795_412_439_123_456_789n };

test('a driver that takes no snapshots is refused by name', async () => {
  await expect(connected({ createDeleteSnapshot: false }, () => Promise.resolve())).rejects.toThrow(
    'inspectable.csi.example.com does not support the capability CREATE_DELETE_SNAPSHOT',
  );
});

test('a driver without a name is refused', async () => {
  await expect(connected({ name: '' }, () => Promise.resolve())).rejects.toThrow('gives no name');
});

test('a handle is found on the last page of a listing, and is not mistaken for the first entry', async () => {
  await connected({ pageSize: 3 }, async (driver, store) => {
    for (let n = 0; n < 10; n++) store.snapshots.set(`id-${n}`, { ...stored, id: `id-${n}` });
    expect((await driver.findInList('id-9', {}, signal))?.handle).toBe('id-9');
    expect(store.count('ListSnapshots')).toBe(4);
    expect(await driver.findInList('elsewhere', {}, signal)).toBeUndefined();
  });
});

test('every nanosecond of a creation time arrives', async () => {
  await connected({}, async (driver) => {
    const snapshot = await driver.createSnapshot({ name: 'a', volumeHandle: 'v', parameters: {}, secrets: {} }, signal);
    expect(snapshot).toEqual({ handle: 'id-1', creationTime: 1_795_412_439_123_456_789n, sizeBytes: 1_073_741_824, ready: true, groupHandle: undefined });
  });
});

test('deleting what is not there has succeeded', async () => {
  await connected({}, (driver) => driver.deleteSnapshot('nowhere', {}, signal));
});

test('a snapshot that the driver does not know is undefined, not an error', async () => {
  await connected({ getSnapshot: true }, async (driver) => {
    expect(driver.abilities).toEqual({ getSnapshot: true, listSnapshots: true });
    expect(await driver.getSnapshot('nowhere', {}, signal)).toBeUndefined();
  });
});

test('a driver that was upgraded is asked again what it can do within a minute', async () => {
  const clock = new ManualClock();
  await connected(
    {},
    async (driver, store) => {
      await store.restart({ listSnapshots: false, getSnapshot: true });
      await clock.advance(60_000);
      expect(await driver.getSnapshot('nowhere', {}, signal)).toBeUndefined();
      expect(driver.abilities).toEqual({ listSnapshots: false, getSnapshot: true });
    },
    clock,
  );
});

test('another driver that comes up on the socket is asked for nothing', async () => {
  await connected({}, async (driver, store) => {
    const create = (): Promise<unknown> => driver.createSnapshot({ name: 'a', volumeHandle: 'v', parameters: {}, secrets: {} }, signal);
    await store.restart({ name: 'other.csi.example.com' }, () => expect(create()).rejects.toMatchObject({ code: 'UNAVAILABLE' }));
    await vi.waitFor(() => expect(create()).rejects.toThrow('is other.csi.example.com now'), 4_000);
    expect(store.count('CreateSnapshot')).toBe(0);
  });
});
