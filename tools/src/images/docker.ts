// Docker and kind, where they are: the same layers built by BuildKit from images/Dockerfile, and images put into a
// kind cluster.
import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { archivePath, type BuiltImage } from './build.ts';
import { output } from './command.ts';
import { ROOT, architectureOf, defaultPlatform, imageName, type Platform } from './components.ts';
import { labelsOf, type Layer, type Stamp } from './oci.ts';
import { blobPath } from './verify-layout.ts';

export const DOCKERFILE: string = join(ROOT, 'images', 'Dockerfile');

async function works(command: string, args: readonly string[]): Promise<boolean> {
  return output(command, args).then(
    () => true,
    () => false,
  );
}

/** What is missing for a step, in sentences that say what helps; nothing when it can be done. */
export async function missingFor(step: 'docker' | 'kind'): Promise<string[]> {
  const missing = await missingDocker(step);
  if (step === 'docker' && missing.length === 0 && !(await works('docker', ['buildx', 'version']))) missing.push('docker has no buildx; install its plugin');
  if (step === 'kind' && !(await works('kind', ['version']))) missing.push('kind is not installed');
  return missing;
}

async function missingDocker(step: 'docker' | 'kind'): Promise<string[]> {
  // kind can work with podman or nerdctl instead.
  if (step === 'kind' && process.env['KIND_EXPERIMENTAL_PROVIDER'] !== undefined) return [];
  if (!(await works('docker', ['--version']))) return ['docker is not installed'];
  return (await works('docker', ['info'])) ? [] : ['no docker daemon answers; start it, or set DOCKER_HOST'];
}

/** Lays the layers out as the Dockerfile adds them: ARCHITECTURE/base.tar.gz, tools.tar.gz and one a component. */
export async function writeContext(out: string, images: readonly BuiltImage[]): Promise<string> {
  const context = join(out, 'docker');
  await rm(context, { recursive: true, force: true });
  for (const { component, platform, layers } of images) {
    const folder = join(context, architectureOf(platform));
    await mkdir(folder, { recursive: true });
    const [base, ...rest] = layers;
    const names: [string, Layer | undefined][] = [
      ['base', base],
      ['tools', component.needsTools ? rest[0] : undefined],
      [component.name, rest.at(-1)],
    ];
    for (const [name, layer] of names) {
      if (layer !== undefined) await copyFile(blobPath(join(out, 'oci'), layer.descriptor.digest), join(folder, `${name}.tar.gz`));
    }
  }
  return context;
}

/** The words after `docker` that build one component. */
export function buildxArguments(image: BuiltImage, platforms: readonly Platform[], context: string, out: string, stamp: Stamp): string[] {
  const { component } = image;
  const labels = Object.entries(labelsOf(component, stamp)).flatMap(([name, value]) => ['--label', `${name}=${value}`]);
  const target = component.needsTools ? 'with-tools' : 'nonroot';
  const result = platforms.length === 1 ? ['--load'] : ['--output', `type=oci,dest=${join(out, `${component.name}-docker.tar`)}`];
  const epoch = ['--build-arg', `SOURCE_DATE_EPOCH=${Date.parse(stamp.created) / 1_000}`];
  const what = ['--file', DOCKERFILE, '--target', target, '--platform', platforms.join(','), '--build-arg', `COMPONENT=${component.name}`];
  return ['buildx', 'build', ...what, ...epoch, '--tag', imageName(component), ...labels, ...result, context];
}

/** Builds every component by BuildKit. @throws CommandError */
export async function buildByDocker(images: readonly BuiltImage[], platforms: readonly Platform[], out: string, stamp: Stamp): Promise<void> {
  const context = await writeContext(out, images);
  const once = images.filter(({ platform }) => platform === platforms[0]);
  for (const image of once) await output('docker', buildxArguments(image, platforms, context, out, stamp), { isShown: true });
}

/** Puts the images of this machine's platform into the nodes of a kind cluster. @throws CommandError */
export async function loadIntoKind(cluster: string, platforms: readonly Platform[], out: string): Promise<void> {
  const platform = platforms.find((candidate) => candidate === defaultPlatform()) ?? platforms[0];
  if (platform === undefined) throw new Error('there is no image to load');
  await output('kind', ['load', 'image-archive', archivePath(out, platform), '--name', cluster], { isShown: true });
}
