// The whole matrix of provisioning and restore, with the real driver and all components as processes.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { persistentVolumeClaims, persistentVolumes, pods, volumeSnapshotContents, volumeSnapshots, type VolumeSnapshot } from '@snapshot-stack/api-types';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allCells, impossible, type Cell } from '../src/cell.ts';
import { startEmbeddedCluster, type EmbeddedCluster } from '../src/embedded-cluster.ts';
import { CONTENT, FILE, Fixtures, NAMESPACE, claimObject, podObject } from '../src/fixtures.ts';
import { runMatrix } from '../src/matrix.ts';
import { countsOf, html, junit, writeReport } from '../src/report.ts';
import { eventAbout, until } from '../src/wait.ts';

// Mounts and loop devices need root.
const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('on the embedded cluster', () => {
  let cluster: EmbeddedCluster;
  beforeAll(async () => {
    cluster = await startEmbeddedCluster(() => {});
  }, 60_000);
  afterAll(async () => cluster.close(), 60_000);

  // All 864 combinations run by `npm run e2e`, which the gate calls; these are those that differ most.
  const quick = (cell: Cell): boolean => cell.binding === 'Immediate' && cell.size !== 'larger';

  it('every possible cell of the matrix of provisioning and restore passes', { timeout: 170_000 }, async () => {
    const cells = await runMatrix({ cluster, concurrency: 8, filter: quick });
    expect(cells.filter(({ result }) => result === 'failed').map(({ name, detail }) => `${name}: ${detail}`)).toEqual([]);
    const wanted = allCells().filter(quick);
    const possible = wanted.filter((cell) => impossible(cell) === undefined).length;
    expect(countsOf(cells)).toEqual({ passed: possible, failed: 0, impossible: wanted.length - possible });
  });

  describe('stories', () => {
    let fixtures: Fixtures;
    beforeAll(async () => {
      fixtures = new Fixtures(cluster);
      await fixtures.classes();
    });

    async function source(name: string): Promise<void> {
      await fixtures.apply(persistentVolumeClaims, claimObject(name, 'Filesystem', 'e2e-directory-immediate', 16));
      await fixtures.apply(pods, podObject(name, name, 'Filesystem'));
      await (await cluster.mounted({ namespace: NAMESPACE, name }, name, 'Filesystem')).write(FILE, CONTENT);
    }
    function snapshotOf(name: string, claim: string, snapshotClass: string): VolumeSnapshot {
      return { metadata: { name, namespace: NAMESPACE }, spec: { volumeSnapshotClassName: snapshotClass, source: { persistentVolumeClaimName: claim } } };
    }
    const ready = (name: string) =>
      until(cluster.client, volumeSnapshots, { name, namespace: NAMESPACE }, 'ready', (object) => object?.status?.readyToUse === true);

    it('policy Delete takes the content with the snapshot, policy Retain keeps it', { timeout: 60_000 }, async () => {
      await source('policies');
      for (const policy of ['delete', 'retain']) {
        await fixtures.apply(volumeSnapshots, snapshotOf(`policy-${policy}`, 'policies', `e2e-${policy}`));
        const content = (await ready(`policy-${policy}`))?.status?.boundVolumeSnapshotContentName ?? '';
        await cluster.client.delete(volumeSnapshots, { name: `policy-${policy}`, namespace: NAMESPACE });
        await until(cluster.client, volumeSnapshots, { name: `policy-${policy}`, namespace: NAMESPACE }, 'gone', (object) => object === undefined);
        const left = await cluster.client.find(volumeSnapshotContents, { name: content });
        expect(left === undefined).toBe(policy === 'delete');
        if (left !== undefined) await cluster.client.delete(volumeSnapshotContents, { name: content });
      }
    });

    it('a snapshot of a claim that does not exist yet goes on as soon as it does', { timeout: 60_000 }, async () => {
      await fixtures.apply(volumeSnapshots, snapshotOf('early', 'late-claim', 'e2e-delete'));
      await until(
        cluster.client,
        volumeSnapshots,
        { name: 'early', namespace: NAMESPACE },
        'waiting with a reason',
        (object) => object?.status?.error?.message?.includes('late-claim') ?? false,
      );
      await fixtures.apply(persistentVolumeClaims, claimObject('late-claim', 'Filesystem', 'e2e-directory-immediate', 16));
      const snapshot = await ready('early');
      expect(snapshot?.status?.error).toBeUndefined();
    });

    it('whichever process is killed while snapshots are taken, all of them become ready and none is left when deleted', { timeout: 120_000 }, async () => {
      await source('killed');
      const names: string[] = [];
      for (const component of ['snapshot-controller', 'csi-snapshotter', 'hostpath-driver', 'devcluster', 'provisioner', 'apiserver'] as const) {
        for (let i = 0; i < 3; i++) {
          const name = `during-${component}-${i}`;
          names.push(name);
          await fixtures.apply(volumeSnapshots, snapshotOf(name, 'killed', 'e2e-delete'));
        }
        cluster.stack.process(component).kill('SIGKILL');
        await ready(names.at(-1) ?? '');
      }
      for (const name of names) await ready(name);
      for (const name of names) await cluster.client.delete(volumeSnapshots, { name, namespace: NAMESPACE });
      for (const name of names) await until(cluster.client, volumeSnapshots, { name, namespace: NAMESPACE }, 'gone', (object) => object === undefined);
      const { items } = await cluster.client.list(volumeSnapshotContents);
      expect(items.filter((content) => content.spec.volumeSnapshotRef.name?.startsWith('during-'))).toEqual([]);
    });

    it('a claim restored from a snapshot that is being deleted is told so', { timeout: 60_000 }, async () => {
      await source('doomed');
      await fixtures.apply(volumeSnapshots, snapshotOf('doomed', 'doomed', 'e2e-delete'));
      await ready('doomed');
      await cluster.client.patch(
        volumeSnapshots,
        { name: 'doomed', namespace: NAMESPACE },
        { kind: 'json', body: [{ op: 'add', path: '/metadata/finalizers/-', value: 'example.com/hold' }] },
      );
      await cluster.client.delete(volumeSnapshots, { name: 'doomed', namespace: NAMESPACE });
      await fixtures.apply(
        persistentVolumeClaims,
        claimObject('too-late', 'Filesystem', 'e2e-directory-immediate', 16, { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'doomed' }),
      );
      expect(await eventAbout(cluster.client, { name: 'too-late', namespace: NAMESPACE }, /is being deleted/)).toContain('doomed');
      await cluster.client
        .patch(volumeSnapshots, { name: 'doomed', namespace: NAMESPACE }, { kind: 'merge', body: { metadata: { finalizers: null } } })
        .catch(() => {});
    });

    it('deleting a claim takes its volume, and its data, with it', { timeout: 60_000 }, async () => {
      await source('short-lived');
      const claim = await cluster.client.get(persistentVolumeClaims, { name: 'short-lived', namespace: NAMESPACE });
      await cluster.client.delete(pods, { name: 'short-lived', namespace: NAMESPACE });
      await cluster.client.delete(persistentVolumeClaims, { name: 'short-lived', namespace: NAMESPACE });
      await until(cluster.client, persistentVolumes, { name: claim.spec.volumeName ?? '' }, 'gone', (object) => object === undefined);
    });
  });
});

describe('a report', () => {
  const cells = [
    { name: 'dynamic · Delete · Filesystem · same size · Immediate · mode kept · named class · snapshot', result: 'passed' as const, ms: 120, detail: 'fine' },
    {
      name: 'dynamic · Delete · Block · same size · Immediate · mode kept · named class · snapshot',
      result: 'failed' as const,
      ms: 80,
      detail: 'got <nothing> & "more"',
    },
    {
      name: 'dynamic · Retain · Block · same size · Immediate · mode kept · named class · clone',
      result: 'impossible' as const,
      ms: 0,
      detail: 'a clone has no class',
    },
  ];
  const report = { cluster: 'embedded', startedAt: new Date(0), ms: 200, cells };

  it('escapes what cells say, and counts them', () => {
    expect(html(report)).toContain('got &lt;nothing&gt; &amp; &quot;more&quot;');
    expect(junit(report)).toContain('tests="3" failures="1" skipped="1"');
  });

  it('is written as matrix.json, index.html and junit.xml', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'report-'));
    await writeReport(dir, report);
    const written = JSON.parse(await readFile(join(dir, 'matrix.json'), 'utf8')) as { cells: unknown[] };
    expect(written.cells).toEqual(cells);
    expect(await readFile(join(dir, 'index.html'), 'utf8')).toContain('<!doctype html>');
    expect(await readFile(join(dir, 'junit.xml'), 'utf8')).toContain('<testsuites>');
    await rm(dir, { recursive: true });
  });
});
