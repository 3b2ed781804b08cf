// Which Debian packages the images take files from, in which version and with which checksum: debian-packages.json,
// written by `npm run images -- --repin` and read here. Downloads come from the sources that this machine's apt is set
// up with, or from a mirror that is named, and are taken only with the checksum that is written down.
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandError, output } from './command.ts';
import { PLATFORMS, architectureOf, type Architecture } from './components.ts';

export interface DebianPackage {
  name: string;
  /** Of the source package, which carries the licence. */
  source: string;
  version: string;
  /** Or `all`. */
  architecture: string;
  sha256: string;
  /** Below a mirror's root. */
  path: string;
}

type Pins = Record<Architecture, readonly DebianPackage[]>;

const PINS = fileURLToPath(new URL('debian-packages.json', import.meta.url));
const FILES = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'snapshot-stack', 'images');
export const REPIN = 'npm run images -- --repin';

/** Where downloads are kept between builds. */
export function cacheFolder(...parts: string[]): string {
  return join(FILES, ...parts);
}

export async function pinnedPackages(architecture: Architecture): Promise<readonly DebianPackage[]> {
  return (JSON.parse(await readFile(PINS, 'utf8')) as Pins)[architecture];
}

/** An apt of our own beside the system's: for both architectures, with lists of its own, and the system's sources. */
function aptOptions(): string[] {
  const architectures = PLATFORMS.map((platform) => architectureOf(platform));
  return [
    `Dir::State=${cacheFolder('apt', 'state')}`,
    `Dir::State::status=${cacheFolder('apt', 'status')}`,
    `Dir::Cache=${cacheFolder('apt', 'cache')}`,
    `APT::Architecture=${architectures[0]}`,
    ...architectures.map((architecture) => `APT::Architectures::=${architecture}`),
    'APT::Sandbox::User=',
    'Acquire::Languages=none',
  ].flatMap((option) => ['-o', option]);
}

/** apt, one call at a time on this machine: its lists must not be read while they are written. */
async function apt(words: readonly string[], cwd?: string): Promise<Buffer> {
  await mkdir(cacheFolder('apt'), { recursive: true });
  return output('flock', [cacheFolder('apt', 'lock'), 'apt-get', ...aptOptions(), ...words], cwd === undefined ? {} : { cwd });
}

async function updateLists(): Promise<void> {
  for (const folder of ['state/lists/partial', 'cache/archives/partial']) await mkdir(cacheFolder('apt', folder), { recursive: true });
  await writeFile(cacheFolder('apt', 'status'), '');
  await apt(['update', '--quiet']);
}

const BATCH_MAX = 200;

/** All of them by one call, as each call reads the whole lists. */
async function fromApt(pins: readonly DebianPackage[], folder: string): Promise<void> {
  if (pins.length > BATCH_MAX) throw new Error(`${pins.length} packages are more than the ${BATCH_MAX} that are downloaded at once`);
  const wanted = pins.map(({ name, version, architecture }) => `${name}${architecture === 'all' ? '' : `:${architecture}`}=${version}`);
  await apt(['download', ...wanted], folder).catch(async (error: unknown) => {
    if (error instanceof CommandError && error.isMissing) throw error;
    await updateLists(); // there were none yet, or the archive has moved on
    return apt(['download', ...wanted], folder);
  });
}

/** As apt calls its downloads. */
function fileName({ name, version, architecture }: DebianPackage): string {
  return `${name}_${version.replaceAll(':', '%3a')}_${architecture}.deb`;
}

async function fromMirrors(pins: readonly DebianPackage[], mirrors: readonly string[], folder: string): Promise<void> {
  for (const pin of pins) {
    const answers: string[] = [];
    for (const mirror of mirrors) {
      const answer = await fetch(`${mirror.replace(/\/$/, '')}/${pin.path}`);
      if (answer.ok) await writeFile(join(folder, fileName(pin)), Buffer.from(await answer.arrayBuffer()));
      answers.push(answer.ok ? 'ok' : `${mirror} answered ${answer.status}`);
      if (answer.ok) break;
    }
    if (answers.at(-1) !== 'ok') throw new Error(`${pin.path}: ${answers.join('; ')}`);
  }
}

function isRight(pin: DebianPackage, data: Buffer): boolean {
  return createHash('sha256').update(data).digest('hex') === pin.sha256;
}

/** Where a package's file is kept on this machine. */
function pathOf(pin: DebianPackage): string {
  return cacheFolder('debs', `${pin.sha256}.deb`);
}

async function isHere(pin: DebianPackage): Promise<boolean> {
  const data = await readFile(pathOf(pin)).catch(() => undefined);
  return data !== undefined && isRight(pin, data);
}

/**
 * Paths of the packages' files on this machine, in the order asked for; what no earlier build downloaded is downloaded.
 * @throws Error saying what was tried and what helps
 */
export async function downloadPackages(pins: readonly DebianPackage[], mirrors: readonly string[]): Promise<string[]> {
  const missing: DebianPackage[] = [];
  for (const pin of pins) if (!(await isHere(pin))) missing.push(pin);
  if (missing.length > 0) await download(missing, mirrors);
  return pins.map((pin) => pathOf(pin));
}

async function download(pins: readonly DebianPackage[], mirrors: readonly string[]): Promise<void> {
  const parent = cacheFolder('debs');
  await mkdir(parent, { recursive: true });
  const folder = await mkdtemp(join(parent, 'download-'));
  try {
    await (mirrors.length === 0 ? fromApt(pins, folder) : fromMirrors(pins, mirrors, folder)).catch((cause: unknown) => {
      const help = `Debian's archive keeps only its newest versions: name a mirror that has these by --debian-mirror, or take newer ones by \`${REPIN}\``;
      throw new Error(`cannot download Debian packages: ${(cause as Error).message}. ${help}`, { cause });
    });
    for (const pin of pins) {
      const path = join(folder, fileName(pin));
      if (!isRight(pin, await readFile(path))) throw new Error(`the download of ${fileName(pin)} is not what debian-packages.json pins: its SHA-256 differs`);
      await rename(path, pathOf(pin));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function field(text: string, name: string): string {
  return new RegExp(`^${name}: (.*)$`, 'm').exec(text)?.[1] ?? '';
}

/** The newest version of each package that apt offers, by name. */
async function newest(wanted: readonly string[]): Promise<Map<string, DebianPackage>> {
  if (wanted.length === 0) return new Map();
  const stanzas = String(await output('apt-cache', [...aptOptions(), 'show', '--no-all-versions', ...wanted])).split('\n\n');
  const packages = stanzas.map((text) => {
    const name = field(text, 'Package');
    const source = field(text, 'Source').split(' ')[0] || name;
    const [version, architecture] = [field(text, 'Version'), field(text, 'Architecture')];
    return { name, source, version, architecture, sha256: field(text, 'SHA256'), path: field(text, 'Filename') };
  });
  return new Map(packages.filter(({ name }) => name !== '').map((found) => [found.name, found]));
}

/** Writes debian-packages.json with the newest versions that apt offers. @throws CommandError without apt */
export async function repin(names: readonly string[]): Promise<void> {
  await updateLists();
  const pins = {} as Record<Architecture, DebianPackage[]>;
  for (const architecture of PLATFORMS.map((platform) => architectureOf(platform))) {
    const own = await newest(names.map((name) => `${name}:${architecture}`));
    const others = await newest(names.filter((name) => !own.has(name))); // those that are for all architectures
    pins[architecture] = [...names].sort().map((name) => {
      const found = own.get(name) ?? others.get(name);
      if (found === undefined) throw new Error(`apt knows no package ${name} for ${architecture}`);
      return found;
    });
  }
  await writeFile(PINS, `${JSON.stringify(pins, undefined, 2)}\n`);
}
