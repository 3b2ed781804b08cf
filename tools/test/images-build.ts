// Builds for the tests of images: into temporary folders, quickly compressed, and never from layers of earlier builds.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildImages, type BuildRequest, type BuiltImage } from '../src/images/build.ts';
import { COMPONENTS, defaultPlatform, isThere, ownArchitecture, type Architecture } from '../src/images/components.ts';
import { downloadPackages, pinnedPackages } from '../src/images/debian-packages.ts';
import { nodeBinary } from '../src/images/node-binary.ts';

export const components = COMPONENTS.filter(isThere);

/** Why no image can be built here for an architecture, for a test's title; '' when they can. */
export async function whyNotBuilt(architecture: Architecture | undefined = ownArchitecture()): Promise<string> {
  if (architecture === undefined) return ' [skipped: this is not Linux on amd64 or arm64]';
  const download = async (): Promise<string> => {
    await downloadPackages(await pinnedPackages(architecture), []);
    await nodeBinary(architecture);
    return '';
  };
  return download().catch((error: Error) => ` [skipped: ${error.message.slice(0, 200)}]`);
}

export async function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'images-test-'));
}

export async function remove(folder: string | undefined): Promise<void> {
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
}

export function build(out: string, change: Partial<BuildRequest> = {}): Promise<BuiltImage[]> {
  return buildImages({
    components,
    platforms: [defaultPlatform()],
    out,
    compression: { kind: 'gzip', level: 1 },
    stamp: { created: '2026-01-02T03:04:05Z', revision: 'f00d' },
    mirrors: [],
    layerCache: undefined,
    say: () => {},
    ...change,
  });
}
