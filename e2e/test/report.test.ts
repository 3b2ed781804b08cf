// The page of a run as a browser sees it: what failed stands first, and a narrow window scrolls the table, not the page.
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { CellOutcome } from '../src/cell.ts';
import { writeReport } from '../src/report.ts';

const browser = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0);
const cell = (policy: string, result: CellOutcome['result'], detail: string): CellOutcome => ({
  name: `dynamic · ${policy} · Filesystem · same size · Immediate · mode kept · named class · snapshot`,
  result,
  ms: 12,
  detail,
});
const cells = [cell('Delete', 'passed', 'fine'), cell('Retain', 'failed', '<b>not</b> what went in'), cell('Delete', 'impossible', 'no such thing')];

// Put into the page, which has no script of its own: what the browser has made of it.
const PROBE = `<script>
const rows = [...document.querySelectorAll('table:last-of-type tbody tr')].map((row) => row.querySelector('.result')?.textContent);
const found = { rows, bold: document.querySelectorAll('td b').length, overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth };
document.getElementById('only-failed').click();
found.left = [...document.querySelectorAll('tbody tr')].filter((row) => row.getClientRects().length > 0).length;
document.body.replaceChildren(Object.assign(document.createElement('pre'), { textContent: JSON.stringify(found) }));
</script>`;

let dir: string;
beforeEach(async () => void (dir = await mkdtemp(join(tmpdir(), 'report-test-'))));
afterEach(async () => rm(dir, { recursive: true, force: true }));

it('the page needs nothing from elsewhere', async () => {
  await writeReport(dir, { cluster: 'embedded', startedAt: new Date(0), ms: 36, cells, stories: [] });
  expect(await readFile(join(dir, 'index.html'), 'utf8')).not.toMatch(/(?:src|href)="(?!failures\/)|@import|url\(/);
});

it.skipIf(browser === undefined)(
  `a browser shows what failed first, all text as text, and no page wider than the window${browser === undefined ? ' (not possible here: no Chromium)' : ''}`,
  { timeout: 60_000 },
  async () => {
    await writeReport(dir, { cluster: 'embedded', startedAt: new Date(0), ms: 36, cells, stories: [] });
    const page = await readFile(join(dir, 'index.html'), 'utf8');
    await writeFile(join(dir, 'probe.html'), page.replace('</body>', `${PROBE}</body>`));
    const args = ['--headless', '--no-sandbox', '--disable-gpu', `--user-data-dir=${dir}/profile`, '--window-size=500,800', '--dump-dom'];
    const { stdout } = spawnSync(browser ?? '', [...args, `file://${dir}/probe.html`], { encoding: 'utf8', timeout: 50_000 });
    const found: unknown = JSON.parse(/<pre>(.*)<\/pre>/s.exec(stdout)?.[1] ?? 'null');
    expect(found).toEqual({ rows: ['✗ failed', '✓ passed', '– not possible'], bold: 0, overflow: 0, left: 1 });
  },
);
