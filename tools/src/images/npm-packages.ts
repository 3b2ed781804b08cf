// Which npm packages are in a bundle, told from the files that left something in it, with their licences.
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './components.ts';
import { file, type FileTree } from './file-tree.ts';

export interface NpmPackage {
  name: string;
  version: string;
  /** An SPDX expression, or what the package says instead of one. */
  license: string;
  /** Folder relative to the repository. */
  folder: string;
}

interface Manifest {
  name?: string;
  version?: string;
  license?: string | { type?: string };
  licenses?: readonly { type?: string }[];
}

const LICENSE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;

/** `node_modules/a/node_modules/@b/c` of a file in it; undefined for files of ours. */
function packageFolder(source: string): string | undefined {
  const at = source.lastIndexOf('node_modules/');
  if (at < 0) return undefined;
  const [first = '', second = ''] = source.slice(at + 'node_modules/'.length).split('/');
  return source.slice(0, at) + join('node_modules', first, first.startsWith('@') ? second : '');
}

function licenseOf({ license, licenses }: Manifest): string {
  if (typeof license === 'string') return license;
  return license?.type ?? licenses?.map(({ type }) => type).join(' OR ') ?? 'NOASSERTION';
}

async function describe(folder: string): Promise<NpmPackage> {
  const manifest = JSON.parse(await readFile(join(ROOT, folder, 'package.json'), 'utf8')) as Manifest;
  if (manifest.name === undefined || manifest.version === undefined) throw new Error(`${folder}/package.json has no name or version`);
  return { name: manifest.name, version: manifest.version, license: licenseOf(manifest), folder };
}

/** Sorted by name and version; each once. */
export async function npmPackagesIn(sources: readonly string[]): Promise<NpmPackage[]> {
  const folders = [...new Set(sources.flatMap((source) => packageFolder(source.replaceAll('\\', '/')) ?? []))];
  const packages = new Map<string, NpmPackage>();
  for (const found of await Promise.all(folders.map(describe))) packages.set(`${found.name}@${found.version}`, found);
  return [...packages.values()].sort((a, b) => (`${a.name} ${a.version}` < `${b.name} ${b.version}` ? -1 : 1));
}

async function licenseText({ folder, name, version, license }: NpmPackage): Promise<string> {
  const files = (await readdir(join(ROOT, folder))).filter((entry) => LICENSE_FILE.test(entry)).sort();
  const texts = await Promise.all(files.map((entry) => readFile(join(ROOT, folder, entry), 'utf8')));
  const body = texts.length === 0 ? `Licensed under ${license}; the package holds no text of it.` : texts.map((text) => text.trim()).join('\n\n');
  return `${name} ${version} (${license})\n\n${body}\n`;
}

/** The licences of all that is in a component: ours, those of its packages, and the comments that licences want kept. */
export async function licensesOf(packages: readonly NpmPackage[], legalComments: string): Promise<FileTree> {
  const texts = await Promise.all(packages.map(licenseText));
  const rule = `\n${'-'.repeat(80)}\n\n`;
  return new Map([
    ['licenses/snapshot-stack/LICENSE', file(await readFile(join(ROOT, 'LICENSE')))],
    ['licenses/npm/LICENSES.txt', file(texts.join(rule))],
    ['licenses/npm/COMMENTS.txt', file(legalComments)],
  ]);
}
