// The README of a chart: its own words, and between two marks the table of its values, read from values.yaml. A line
// `# -- …` says what the value below it is for.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { isMap, isScalar, parseDocument, type Pair, type YAMLMap } from 'yaml';
import type { Generator } from '../generate/generator.ts';

export const CHARTS: readonly string[] = ['snapshot-controller', 'csi-hostpath'];
export const CHARTS_DIR: string = fileURLToPath(new URL('../../../charts/', import.meta.url));

const [BEGIN, END] = ['<!-- values: written by npm run generate -->', '<!-- end of values -->'];

interface Value {
  path: string;
  help: string;
  /** As JSON. */
  default: string;
}

function helpOf(comment: string | null | undefined): string | undefined {
  return /-- (.*)/.exec(comment ?? '')?.[1]?.trim();
}

/** All values that have a `# --` comment. @throws Error naming a value without one */
export function valuesOf(text: string): Value[] {
  const root = parseDocument(text).contents;
  if (!isMap(root)) throw new Error('values.yaml is no map');
  return walk(root as YAMLMap, '', helpOf(root.commentBefore));
}

function walk(map: YAMLMap, prefix: string, firstHelp: string | undefined): Value[] {
  return (map.items as Pair[]).flatMap(({ key, value }, index) => {
    if (!isScalar(key)) return [];
    // The parser hangs the comment above the first member on the map itself.
    const help = helpOf(key.commentBefore) ?? (index === 0 ? firstHelp : undefined);
    const path = `${prefix}${String(key.value)}`;
    if (help !== undefined) return [{ path, help, default: JSON.stringify((value as { toJSON(): unknown } | null)?.toJSON() ?? null) }];
    if (isMap(value) && value.items.length > 0) return walk(value as YAMLMap, `${path}.`, helpOf(value.commentBefore));
    throw new Error(`values.yaml: ${path} has no "# --" comment that says what it is for`);
  });
}

export function valuesTable(text: string): string {
  const rows = valuesOf(text).map(({ path, help, default: given }) => `| \`${path}\` | \`${given.replaceAll('|', '\\|')}\` | ${help.replaceAll('|', '\\|')} |`);
  return ['| Value | Default | |', '|---|---|---|', ...rows].join('\n');
}

async function readme(chart: string): Promise<[string, string]> {
  const path = `charts/${chart}/README.md`;
  const [values, text] = await Promise.all(['values.yaml', 'README.md'].map((file) => readFile(`${CHARTS_DIR}${chart}/${file}`, 'utf8')));
  const [before, rest] = (text ?? '').split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`${path} lacks the marks ${BEGIN} and ${END}`);
  return [path, `${before}${BEGIN}\n\n${valuesTable(values ?? '')}\n\n${END}${after}`];
}

export const chartReadmes: Generator = { name: 'chart-readmes', files: async () => new Map(await Promise.all(CHARTS.map(readme))) };
