// Ours and upstream's Go components side by side: each half of the snapshot machinery with the other's other half, and
// a cluster that changes over, and back, with snapshots in it.
import { persistentVolumeClaims, pods, volumeSnapshotContents, volumeSnapshots, type VolumeSnapshot } from '@snapshot-stack/api-types';
import { instancesOf, type ComponentName, type Instance } from '@snapshot-stack/local-stack';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Cell } from '../src/cell.ts';
import { startEmbeddedCluster, type EmbeddedCluster } from '../src/embedded-cluster.ts';
import { CONTENT, FILE, Fixtures, NAMESPACE, claimObject, podObject } from '../src/fixtures.ts';
import { runMatrix } from '../src/matrix.ts';
import { countsOf } from '../src/report.ts';
import { upstreamMissing, upstreamProgram, type UpstreamComponent } from '../src/upstream.ts';
import { until } from '../src/wait.ts';

const missing = process.getuid?.() === 0 ? await upstreamMissing() : 'mounts and loop devices need root';
const HALVES = ['snapshot-controller', 'csi-snapshotter'] as const satisfies UpstreamComponent[];

/** Each way to make, keep and restore a snapshot once. */
const few = (cell: Cell): boolean =>
  cell.binding === 'Immediate' &&
  cell.size === 'same size' &&
  cell.source === 'snapshot' &&
  cell.conversion === 'mode kept' &&
  cell.snapshotClass !== 'no class';

// Their own limits (5 and 20 requests a second) would only make the tests slow, but for the sidecar: what it does
// late, ours have to wait for, which once went wrong.
const QUICK = ['--kube-api-qps=500', '--kube-api-burst=1000'];

function programs(components: readonly UpstreamComponent[], paths: Map<UpstreamComponent, string>): Partial<Record<ComponentName, [string, ...string[]]>> {
  return Object.fromEntries(components.map((component) => [component, [paths.get(component) ?? '', ...(component === 'csi-snapshotter' ? [] : QUICK)]]));
}

describe.skipIf(missing !== undefined)(`beside upstream's components${missing === undefined ? '' : ` (not possible here: ${missing})`}`, () => {
  const built = new Map<UpstreamComponent, string>();
  beforeAll(async () => {
    for (const component of [...HALVES, 'provisioner'] as const) built.set(component, await upstreamProgram(component));
  });

  it.each<[string, UpstreamComponent[]]>([
    ["upstream's controller with our sidecar", ['snapshot-controller']],
    ["our controller with upstream's sidecar", ['csi-snapshotter']],
    ["upstream's provisioner with our controller, sidecar and driver", ['provisioner']],
  ])('%s: snapshots are taken, kept, deleted and restored', { timeout: 240_000 }, async (_name, components) => {
    const cluster = await startEmbeddedCluster(() => {}, { programs: programs(components, built) });
    try {
      const cells = await runMatrix({ cluster, concurrency: 8, filter: few });
      expect(cells.filter(({ result }) => result !== 'passed').map(({ name, detail }) => `${name}: ${detail}`)).toEqual([]);
      expect(countsOf(cells).passed).toBe(16);
    } finally {
      await cluster.close();
    }
  });

  describe('a cluster that changes over', () => {
    let cluster: EmbeddedCluster;
    let fixtures: Fixtures;
    let halves: Instance[];
    beforeAll(async () => {
      cluster = await startEmbeddedCluster(() => {}, { programs: programs(HALVES, built) });
      halves = instancesOf(cluster.stack.layout, HALVES);
      fixtures = new Fixtures(cluster);
      await fixtures.classes();
    }, 60_000);
    afterAll(async () => cluster.close(), 60_000);

    const ref = (name: string): { name: string; namespace: string } => ({ name, namespace: NAMESPACE });
    const snapshot = (name: string, policy: string): VolumeSnapshot => ({
      metadata: ref(name),
      spec: { volumeSnapshotClassName: `e2e-${policy}`, source: { persistentVolumeClaimName: 'data' } },
    });
    async function take(name: string, policy = 'delete'): Promise<VolumeSnapshot> {
      await fixtures.apply(volumeSnapshots, snapshot(name, policy));
      return (await until(cluster.client, volumeSnapshots, ref(name), 'ready', (object) => object?.status?.readyToUse === true)) as VolumeSnapshot;
    }
    async function restores(from: string, claim: string): Promise<void> {
      const source = { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: from };
      await fixtures.apply(persistentVolumeClaims, claimObject(claim, 'Filesystem', 'e2e-directory-immediate', 16, source));
      await fixtures.apply(pods, podObject(claim, claim, 'Filesystem'));
      const volume = await cluster.mounted(ref(claim), claim, 'Filesystem');
      expect((await volume.read(FILE, CONTENT.length)).equals(CONTENT)).toBe(true);
    }
    /** Names of the snapshots whose contents are there. */
    async function contentsFor(): Promise<Set<string | undefined>> {
      return new Set((await cluster.client.list(volumeSnapshotContents)).items.map(({ spec }) => spec.volumeSnapshotRef.name));
    }
    async function disappears(name: string): Promise<void> {
      await cluster.client.delete(volumeSnapshots, ref(name));
      await until(cluster.client, volumeSnapshots, ref(name), 'gone', (object) => object === undefined);
    }

    it('keeps its snapshots, restores them, deletes them, and can go back', { timeout: 240_000 }, async () => {
      await fixtures.apply(persistentVolumeClaims, claimObject('data', 'Filesystem', 'e2e-directory-immediate', 16));
      await fixtures.apply(pods, podObject('data', 'data', 'Filesystem'));
      await (await cluster.mounted(ref('data'), 'data', 'Filesystem')).write(FILE, CONTENT);
      const before = [await take('theirs-1'), await take('theirs-2'), await take('theirs-kept', 'retain')];

      for (const half of halves) await cluster.stack.replace(half, undefined);
      await take('ours-1');
      await take('ours-2');
      for (const { metadata, status } of before) {
        const now = await cluster.client.get(volumeSnapshots, ref(metadata.name ?? ''));
        expect(now.status).toEqual(status);
        // A changeover by itself writes nothing to what is ready.
        expect(now.metadata.resourceVersion).toBe(metadata.resourceVersion);
      }
      await restores('theirs-1', 'restored-by-ours');
      await disappears('theirs-1');
      await disappears('theirs-kept');
      expect(await contentsFor()).toEqual(new Set(['ours-1', 'ours-2', 'theirs-2', 'theirs-kept']));

      for (const half of halves) await cluster.stack.replace(half, [built.get(half.component as UpstreamComponent) ?? '']);
      await take('theirs-again');
      await restores('ours-1', 'restored-by-theirs');
      for (const name of ['ours-1', 'ours-2', 'theirs-2', 'theirs-again']) await disappears(name);
      expect(await contentsFor()).toEqual(new Set(['theirs-kept']));
    });
  });
});
