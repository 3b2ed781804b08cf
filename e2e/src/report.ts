// What a run of the matrix found: a table on the terminal, and files for machines (matrix.json, junit.xml) and for
// people (index.html, one self-contained page).
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import Table from 'cli-table3';
import { DIMENSIONS, type CellOutcome, type CellResult } from './cell.ts';

export interface Report {
  cluster: string;
  startedAt: Date;
  ms: number;
  cells: readonly CellOutcome[];
  stories: readonly CellOutcome[];
}

export function countsOf(cells: readonly CellOutcome[]): Record<CellResult, number> {
  const counts: Record<CellResult, number> = { passed: 0, failed: 0, impossible: 0 };
  for (const { result } of cells) counts[result]++;
  return counts;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** A folder's name for what was collected of a failed cell. */
export function folderOf(cell: string): string {
  return cell.replaceAll(/[^A-Za-z0-9-]+/g, '_');
}

const STYLE = `
:root { color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 82rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-size: .86rem; }
th, td { border: 1px solid #8884; padding: .28rem .5rem; text-align: left; vertical-align: top; }
th { position: sticky; top: 0; background: Canvas; }
td.result { font-weight: 600; white-space: nowrap; }
tr.passed td.result { background: #1a7f3733; }
tr.failed td.result { background: #cf222e44; }
tr.impossible { color: color-mix(in srgb, CanvasText 65%, Canvas); }
td.ms { text-align: right; font-variant-numeric: tabular-nums; }
td.detail { font-size: .8rem; max-width: 34rem; overflow-wrap: anywhere; }
.counts span { margin-right: 1.2rem; font-size: 1.1rem; }
label { margin-right: 1rem; }
#only-failed:checked ~ .wide tr:is(.passed, .impossible), #no-impossible:checked ~ .wide tr.impossible { display: none; }
/* Where the table does not fit it scrolls by itself, not the page with it. */
@media (max-width: 70rem) { .wide { overflow-x: auto; } td.detail { min-width: 16rem; } }`;

const WORDS: Record<CellResult, string> = { passed: '✓ passed', failed: '✗ failed', impossible: '– not possible' };

/** What failed comes first; the rest stays in its order. */
function failedFirst(outcomes: readonly CellOutcome[]): CellOutcome[] {
  return outcomes.toSorted((a, b) => Number(b.result === 'failed') - Number(a.result === 'failed'));
}

function headOf(names: readonly string[]): string {
  return `<thead><tr>${names.map((name) => `<th scope="col">${escape(name)}</th>`).join('')}</tr></thead>`;
}

function logsOf({ name, result }: CellOutcome): string {
  return result === 'failed' ? ` <a href="failures/${folderOf(name)}/">collected logs and objects</a>` : '';
}

function resultCells({ result, ms, detail, ...named }: CellOutcome): string {
  const possible = result !== 'impossible';
  return `<td class="result">${WORDS[result]}</td><td class="ms">${possible ? ms : ''}</td><td class="detail">${escape(detail)}${logsOf({ result, ms, detail, ...named })}</td>`;
}

function storyRow(story: CellOutcome): string {
  return `<tr class="${story.result}"><td>${escape(story.name)}</td>${resultCells(story)}</tr>`;
}

function htmlRow(cell: CellOutcome): string {
  const words = cell.name
    .split(' · ')
    .map((word) => `<td>${escape(word)}</td>`)
    .join('');
  return `<tr class="${cell.result}">${words}${resultCells(cell)}</tr>`;
}

export function html(report: Report): string {
  const counts = countsOf([...report.cells, ...report.stories]);
  const dimensions = Object.keys(DIMENSIONS).map((name) => name.replaceAll(/([A-Z])/g, ' $1').toLowerCase());
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Provisioning and restore: ${counts.failed} failed</title><style>${STYLE}</style></head>
<body><h1>Provisioning and restore</h1>
<p class="counts"><span>✓ ${counts.passed} passed</span><span>✗ ${counts.failed} failed</span><span>– ${counts.impossible} not possible</span></p>
<p>On ${escape(report.cluster)}, ${report.startedAt.toISOString().slice(0, 16).replace('T', ' ')} UTC, ${(report.ms / 1_000).toFixed(1)} s.</p>
<input type="checkbox" id="only-failed"><label for="only-failed">only failed</label><input type="checkbox" id="no-impossible"><label for="no-impossible">hide not possible</label>
<h2>Stories</h2>
<div class="wide"><table>${headOf(['story', 'result', 'ms', 'detail'])}<tbody>
${failedFirst(report.stories).map(storyRow).join('\n')}
</tbody></table></div>
<h2>Matrix</h2>
<div class="wide"><table>${headOf([...dimensions, 'result', 'ms', 'detail'])}<tbody>
${failedFirst(report.cells).map(htmlRow).join('\n')}
</tbody></table></div></body></html>
`;
}

export function junit(report: Report): string {
  const all = [...report.cells.map((cell) => ({ ...cell, suite: 'matrix' })), ...report.stories.map((story) => ({ ...story, suite: 'stories' }))];
  const counts = countsOf(all);
  const cases = all.map(({ suite, name, result, ms, detail }) => {
    const inner = result === 'failed' ? `<failure message="${escape(detail)}"/>` : result === 'impossible' ? `<skipped message="${escape(detail)}"/>` : '';
    return `    <testcase classname="${suite}" name="${escape(name)}" time="${(ms / 1_000).toFixed(3)}">${inner}</testcase>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="provisioning and restore on ${escape(report.cluster)}" tests="${all.length}" failures="${counts.failed}" skipped="${counts.impossible}" time="${(report.ms / 1_000).toFixed(3)}" timestamp="${report.startedAt.toISOString()}">
${cases.join('\n')}
  </testsuite>
</testsuites>
`;
}

export async function writeReport(dir: string, report: Report): Promise<void> {
  await mkdir(dir, { recursive: true });
  const plain = ({ name, result, ms, detail }: CellOutcome): CellOutcome => ({ name, result, ms, detail });
  const found = { cluster: report.cluster, cells: report.cells.map(plain), stories: report.stories.map(plain) };
  await writeFile(join(dir, 'matrix.json'), `${JSON.stringify(found, undefined, 2)}\n`);
  await writeFile(join(dir, 'index.html'), html(report));
  await writeFile(join(dir, 'junit.xml'), junit(report));
}

/** One row for each way a snapshot comes to be, one column for what is restored from it. */
export function terminalTable(cells: readonly CellOutcome[]): string {
  const rows = new Map<string, Map<string, CellOutcome[]>>();
  const columns = new Set<string>();
  for (const cell of cells) {
    const [provisioning, policy, mode, , , conversion, snapshotClass, source] = cell.name.split(' · ');
    const row = source === 'clone' ? 'clone' : `${provisioning}, ${policy}, ${snapshotClass}`;
    const column = `${mode}\n${conversion}`;
    columns.add(column);
    const inRow = rows.get(row) ?? new Map<string, CellOutcome[]>();
    inRow.set(column, [...(inRow.get(column) ?? []), cell]);
    rows.set(row, inRow);
  }
  const table = new Table({ head: ['', ...columns], style: { head: [], border: [] } });
  for (const [row, inRow] of rows) {
    const marks = [...columns].map((column) => {
      const counts = countsOf(inRow.get(column) ?? []);
      const parts = [
        counts.passed > 0 ? `✓ ${counts.passed}` : '',
        counts.failed > 0 ? `✗ ${counts.failed}` : '',
        counts.impossible > 0 ? `– ${counts.impossible}` : '',
      ];
      return parts.filter((part) => part !== '').join('  ');
    });
    table.push([row, ...marks]);
  }
  return table.toString();
}
