// The whole matrix of provisioning and restore, with the real driver and all components as processes.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allCells, impossible, type Cell } from '../src/cell.ts';
import { NODE_LOCAL, PRODUCTION, lacks, startEmbeddedCluster, type EmbeddedCluster } from '../src/embedded-cluster.ts';
import { runMatrix } from '../src/matrix.ts';
import { countsOf, html, junit, writeReport } from '../src/report.ts';
import { Stage, stories } from '../src/stories/index.ts';

// Mounts and loop devices need root.
const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)('on the embedded cluster', () => {
  let cluster: EmbeddedCluster;
  beforeAll(async () => {
    cluster = await startEmbeddedCluster(() => {}, PRODUCTION);
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
    const stage = (): Stage => new Stage(cluster);
    beforeAll(async () => stage().fixtures.classes());
    for (const story of stories) {
      // What this cluster lacks is told of in the title: only its options decide that.
      const lacking = (story.needs ?? []).map((feature) => lacks(feature, PRODUCTION)).find((reason) => reason !== undefined);
      if (story.needs?.includes('nodes') === true) continue;
      it.skipIf(lacking !== undefined)(`${story.name}${lacking === undefined ? '' : ` (not told: ${lacking})`}`, { timeout: 120_000 }, async () =>
        story.tell(stage()),
      );
    }
  });
});

describe.skipIf(!isRoot)('on two nodes with node-local sidecars', () => {
  let cluster: EmbeddedCluster;
  beforeAll(async () => {
    cluster = await startEmbeddedCluster(() => {}, NODE_LOCAL);
  }, 60_000);
  afterAll(async () => cluster.close(), 60_000);

  for (const story of stories.filter(({ needs }) => needs?.includes('nodes') === true))
    it(story.name, { timeout: 120_000 }, async () => {
      const stage = new Stage(cluster);
      await stage.fixtures.classes();
      await story.tell(stage);
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
  const report = {
    cluster: 'embedded',
    startedAt: new Date(0),
    ms: 200,
    cells,
    stories: [{ name: 'all is well', result: 'passed' as const, ms: 7, detail: '' }],
  };

  it('escapes what cells say, and counts them', () => {
    expect(html(report)).toContain('got &lt;nothing&gt; &amp; &quot;more&quot;');
    expect(junit(report)).toContain('tests="4" failures="1" skipped="1"');
  });

  it('is written as matrix.json, index.html and junit.xml', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'report-'));
    await writeReport(dir, report);
    const written = JSON.parse(await readFile(join(dir, 'matrix.json'), 'utf8')) as { cells: unknown[]; stories: unknown[] };
    expect(written).toMatchObject({ cells, stories: report.stories });
    expect(await readFile(join(dir, 'index.html'), 'utf8')).toContain('<!doctype html>');
    expect(await readFile(join(dir, 'junit.xml'), 'utf8')).toContain('<testsuites>');
    await rm(dir, { recursive: true });
  });
});
