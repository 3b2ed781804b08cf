// Driver, provisioner, sidecar and controller are killed at random moments while claims, snapshots, restores and clones
// come and go. Afterwards nothing is lost (what went in comes out of everything that is there) and nothing is left over:
// the driver's state, files, loop devices, mounts and the cluster's objects tell one story.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  volumeSnapshotContents,
  volumeSnapshots,
  type KubeObject,
  type Resource,
  type TypedObjectReference,
} from '@snapshot-stack/api-types';
import { connectCsi, type CsiConnection } from '@snapshot-stack/csi';
import { loopDevicesBelow, mountsBelow, paths } from '@snapshot-stack/local-stack';
import { isNotFound, seededRandom } from '@snapshot-stack/runtime';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CRASHABLE } from '../src/cluster.ts';
import { startEmbeddedCluster, type EmbeddedCluster } from '../src/embedded-cluster.ts';
import { CONTENT, FILE, Fixtures, NAMESPACE, SOURCE_MIB, claimObject, podObject, storageClassName, type Backend } from '../src/fixtures.ts';
import { until } from '../src/wait.ts';

const ROUNDS = Number(process.env['KILL_ROUNDS'] ?? 12);
const SEED = Number(process.env['KILL_SEED'] ?? 20_261_123);
const CLIENTS = 3;
/** More would only make the rounds slower, not the moments of death more various. */
const OBJECTS_MAX = 24;
const BACKENDS: readonly Backend[] = ['directory', 'block', 'image'];
const CALL = { timeoutMs: 10_000 };
const isRoot = process.getuid?.() === 0;

const modeOf = (backend: Backend): 'Block' | 'Filesystem' => (backend === 'block' ? 'Block' : 'Filesystem');
const ref = (name: string): { name: string; namespace: string } => ({ name, namespace: NAMESPACE });

/** What the clients asked for and did not take back: name → what its data is of. */
interface Wishes {
  snapshots: Map<string, Backend>;
  claims: Map<string, Backend>;
}

describe.skipIf(!isRoot)('under load', () => {
  let cluster: EmbeddedCluster;
  let csi: CsiConnection;
  beforeAll(async () => {
    cluster = await startEmbeddedCluster(() => {});
    csi = connectCsi({ endpoint: paths.socket(cluster.stack.layout) });
  }, 60_000);
  afterAll(async () => {
    csi.close();
    await cluster.close();
  }, 60_000);

  const source = (backend: Backend): string => `source-${backend}`;

  async function makeSources(fixtures: Fixtures): Promise<void> {
    for (const backend of BACKENDS) {
      const name = source(backend);
      await fixtures.apply(persistentVolumeClaims, claimObject(name, modeOf(backend), storageClassName(backend, 'Immediate'), SOURCE_MIB));
      await fixtures.apply(pods, podObject(name, name, modeOf(backend)));
      await (await cluster.mounted(ref(name), name, modeOf(backend))).write(FILE, CONTENT);
    }
  }

  /** One client: makes and takes back what it pleases until the signal aborts. */
  async function client(id: number, fixtures: Fixtures, wishes: Wishes, random: () => number, signal: AbortSignal): Promise<void> {
    const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)];
    const takeBack = async (resource: Resource<KubeObject>, wanted: Map<string, Backend>): Promise<void> => {
      const name = pick([...wanted.keys()]);
      if (name === undefined) return;
      wanted.delete(name);
      await cluster.client.delete(resource, ref(name)).catch((error: unknown) => {
        if (!isNotFound(error)) throw error;
      });
    };
    for (let n = 0; !signal.aborted; n++) {
      const name = `c${id}-${n}`;
      const backend = pick(BACKENDS) ?? 'directory';
      const dice = random();
      const isFull = wishes.snapshots.size + wishes.claims.size >= OBJECTS_MAX;
      if (dice < 0.3 && !isFull) {
        wishes.snapshots.set(name, backend);
        await fixtures.apply(volumeSnapshots, {
          metadata: ref(name),
          spec: { volumeSnapshotClassName: 'e2e-delete', source: { persistentVolumeClaimName: source(backend) } },
        });
      } else if (dice < 0.65 && !isFull) {
        const from = random() < 0.7 ? pick([...wishes.snapshots]) : undefined;
        const origin: TypedObjectReference =
          from === undefined
            ? { kind: 'PersistentVolumeClaim', name: source(backend) }
            : { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: from[0] };
        const kept = from?.[1] ?? backend;
        wishes.claims.set(name, kept);
        await fixtures.apply(persistentVolumeClaims, claimObject(name, modeOf(kept), storageClassName(kept, 'Immediate'), SOURCE_MIB, origin));
      } else if (dice < 0.8) await takeBack(volumeSnapshots, wishes.snapshots);
      else await takeBack(persistentVolumeClaims, wishes.claims);
      await sleep(random() * 60);
    }
  }

  /** A claim whose snapshot was taken back before it was restored waits for ever, as it must: it is taken back too. */
  async function takeBackTheHopeless(wishes: Wishes): Promise<void> {
    for (const name of wishes.claims.keys()) {
      const { spec, status } = await cluster.client.get(persistentVolumeClaims, ref(name));
      const origin = spec.dataSource;
      const isLost = origin?.kind === 'VolumeSnapshot' && !wishes.snapshots.has(origin.name) && status?.phase !== 'Bound';
      if (!isLost) continue;
      wishes.claims.delete(name);
      await cluster.client.delete(persistentVolumeClaims, ref(name));
    }
  }

  const gone = (object: unknown): boolean => object === undefined;

  async function driverHandles(): Promise<{ volumes: Set<string>; snapshots: Set<string> }> {
    const [volumes, snapshots] = await Promise.all([csi.controller.listVolumes({}, CALL), csi.controller.listSnapshots({}, CALL)]);
    return {
      volumes: new Set(volumes.entries.map(({ volume }) => volume?.volumeId ?? '')),
      snapshots: new Set(snapshots.entries.map(({ snapshot }) => snapshot?.snapshotId ?? '')),
    };
  }

  async function clusterHandles(): Promise<{ volumes: Set<string>; snapshots: Set<string> }> {
    const [volumes, contents] = await Promise.all([cluster.client.list(persistentVolumes), cluster.client.list(volumeSnapshotContents)]);
    return {
      volumes: new Set(volumes.items.map(({ spec }) => spec.csi?.volumeHandle ?? '')),
      snapshots: new Set(contents.items.map(({ status }) => status?.snapshotHandle ?? '')),
    };
  }

  /** Waits until the driver has just what the cluster knows of: both sides move until all is settled. */
  async function agree(): Promise<void> {
    const both = async (): Promise<unknown> => ({ driver: sorted(await driverHandles()), cluster: sorted(await clusterHandles()) });
    const areEqual = (value: unknown): boolean => {
      const { driver, cluster: known } = value as { driver: object; cluster: object };
      return JSON.stringify(driver) === JSON.stringify(known);
    };
    await expect.poll(both, { timeout: 60_000, interval: 200 }).toSatisfy(areEqual);
  }

  it(`nothing is lost and nothing is left over (${ROUNDS} rounds, seed ${SEED})`, { timeout: 120_000 + ROUNDS * 5_000 }, async () => {
    const random = seededRandom(SEED);
    const fixtures = new Fixtures(cluster);
    await fixtures.classes();
    await makeSources(fixtures);
    const wishes: Wishes = { snapshots: new Map(), claims: new Map() };
    const end = new AbortController();
    const clients = Array.from({ length: CLIENTS }, (_, id) => client(id, fixtures, wishes, random, end.signal));
    for (let round = 0; round < ROUNDS; round++) {
      await sleep(random() * 400);
      // Driver and provisioner die more often: they hold what can leak.
      const victim = random() < 0.7 ? (random() < 0.5 ? 'hostpath-driver' : 'provisioner') : CRASHABLE[Math.floor(random() * CRASHABLE.length)];
      await cluster.crash(victim ?? 'provisioner');
    }
    end.abort();
    await Promise.all(clients);

    // All that is still wished for comes, and holds what went in.
    await takeBackTheHopeless(wishes);
    for (const name of wishes.snapshots.keys())
      await until(cluster.client, volumeSnapshots, ref(name), 'ready', (snapshot) => snapshot?.status?.readyToUse === true);
    for (const [name, backend] of wishes.claims) {
      await fixtures.apply(pods, podObject(name, name, modeOf(backend)));
      const volume = await cluster.mounted(ref(name), name, modeOf(backend));
      expect((await volume.read(FILE, CONTENT.length)).equals(CONTENT), `the data of ${name}`).toBe(true);
    }
    await agree();

    // And all of it goes, to the last file.
    for (const name of wishes.claims.keys()) {
      await cluster.client.delete(pods, ref(name), { gracePeriodSeconds: 0 });
      await cluster.client.delete(persistentVolumeClaims, ref(name));
    }
    for (const name of wishes.snapshots.keys()) await cluster.client.delete(volumeSnapshots, ref(name));
    for (const name of wishes.snapshots.keys()) await until(cluster.client, volumeSnapshots, ref(name), 'gone', gone);
    for (const name of wishes.claims.keys()) await until(cluster.client, persistentVolumeClaims, ref(name), 'gone', gone);
    await expect.poll(async () => (await cluster.client.list(persistentVolumes)).items.length, { timeout: 60_000, interval: 100 }).toBe(BACKENDS.length);
    await agree();
    const { stateDir, dir } = cluster.stack.layout;
    expect(readdirSync(join(stateDir, 'snapshots'))).toEqual([]);
    expect(readdirSync(join(stateDir, 'volumes'))).toHaveLength(BACKENDS.length);
    // The block source is attached, and so is the image that the third is a file system in.
    expect(await loopDevicesBelow(stateDir)).toHaveLength(2);
    // Each of the three is staged, where its kind needs that, and published once.
    const mounts = mountsBelow(dir);
    expect(mounts.filter((path) => path.includes('/pods/'))).toHaveLength(2);
    expect(mounts.length).toBeLessThanOrEqual(2 * BACKENDS.length);
  });
});

function sorted({ volumes, snapshots }: { volumes: Set<string>; snapshots: Set<string> }): { volumes: string[]; snapshots: string[] } {
  const list = (set: Set<string>): string[] => [...set].sort();
  return { volumes: list(volumes), snapshots: list(snapshots) };
}
