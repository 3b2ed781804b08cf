// The flags of `npm run images`.
import { FlagError, defineFlags } from '@snapshot-stack/runtime/process';
import { COMPONENTS, PLATFORMS, defaultPlatform, isThere, type Component, type Platform } from './components.ts';

export const flags = defineFlags({
  help: { type: 'bool', default: false, help: 'Print this and exit' },
  out: { type: 'string', default: 'images/out', help: 'Folder for the layout, the archives, the bills of materials and the source maps' },
  component: { type: 'strings', default: [], help: `Only these: ${COMPONENTS.map(({ name }) => name).join(', ')}` },
  platform: { type: 'strings', default: [defaultPlatform()], help: `Any of ${PLATFORMS.join(', ')}` },
  compression: { type: 'string', default: 'gzip', help: 'gzip, which everything reads, or zstd, which is a quarter smaller and takes a minute' },
  docker: { type: 'bool', default: false, help: 'Also build by `docker buildx` from images/Dockerfile, into docker (one platform) or an archive (several)' },
  load: { type: 'string', default: '', help: 'Also load the images into the kind cluster of this name' },
  check: { type: 'bool', default: false, help: 'Hold what --out has to the specification and to a build anew; write nothing there' },
  'debian-mirror': { type: 'strings', default: [], help: "Roots of mirrors to take Debian's packages from, instead of what apt is set up with" },
  'start-time': { type: 'bool', default: true, help: 'Start every image that this machine can run, and print how long that takes' },
  repin: { type: 'bool', default: false, help: 'Pin the newest Debian packages that apt offers, and exit' },
});

export type ImageOptions = ReturnType<typeof flags.parse>;

/** @throws FlagError for names that are not known or not there yet */
export function chosenComponents(names: readonly string[]): Component[] {
  const unknown = names.find((name) => !COMPONENTS.some((component) => component.name === name));
  if (unknown !== undefined) throw new FlagError(`--component: there is no image "${unknown}"; there are ${COMPONENTS.map(({ name }) => name).join(', ')}`);
  const chosen = COMPONENTS.filter(({ name }) => names.length === 0 || names.includes(name));
  const missing = chosen.find((component) => !isThere(component));
  if (missing !== undefined && names.length > 0) throw new FlagError(`--component: packages/${missing.package} has no src/main.ts yet`);
  return chosen.filter(isThere);
}

/** @throws FlagError */
export function chosenPlatforms(names: readonly string[]): Platform[] {
  const known = (name: string): name is Platform => (PLATFORMS as readonly string[]).includes(name);
  const unknown = names.find((name) => !known(name));
  if (unknown !== undefined) throw new FlagError(`--platform: "${unknown}" is none of ${PLATFORMS.join(', ')}`);
  return PLATFORMS.filter((platform) => names.includes(platform));
}

// Above these levels layers hardly shrink: measured on the base layer.
const LEVELS = { gzip: 9, zstd: 19 } as const;

/** @throws FlagError */
export function chosenCompression(kind: string): { kind: 'gzip' | 'zstd'; level: number } {
  if (kind !== 'gzip' && kind !== 'zstd') throw new FlagError(`--compression: "${kind}" is neither gzip nor zstd`);
  return { kind, level: LEVELS[kind] };
}
