// Container images of all components, built without a daemon: `npm run images`. See images/README.md.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { FlagError, runMain } from '@snapshot-stack/runtime/process';
import { archivePath, buildImages, type BuildRequest, type BuiltImage } from './build.ts';
import { architectureOf, imageName, ownArchitecture, type Platform } from './components.ts';
import { cacheFolder, repin } from './debian-packages.ts';
import { buildByDocker, loadIntoKind, missingFor } from './docker.ts';
import { unpackImage, whyNotRun } from './image-tree.ts';
import { ALL_PACKAGES } from './layers.ts';
import { chosenCompression, chosenComponents, chosenPlatforms, flags, type ImageOptions } from './options.ts';
import { tableOf } from './report.ts';
import { readStamp } from './stamp.ts';
import { startMsOf } from './start-time.ts';
import { problemsOf } from './verify-layout.ts';

const PROGRAM = 'npm run images --';

async function inTemporaryFolder<T>(task: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'snapshot-stack-images-'));
  try {
    return await task(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Starts what this machine can start. */
async function measureStarts(images: readonly BuiltImage[], out: string): Promise<Map<string, number>> {
  const own = images.filter(({ platform }) => architectureOf(platform) === ownArchitecture());
  const startMs = new Map<string, number>();
  for (const { component, platform, manifest } of own) {
    await inTemporaryFolder(async (folder) => {
      const tree = await unpackImage(join(out, 'oci'), imageName(component), architectureOf(platform), join(folder, 'root'));
      startMs.set(manifest.digest, await startMsOf(tree));
    });
  }
  return startMs;
}

async function report(images: readonly BuiltImage[], options: ImageOptions, out: string): Promise<void> {
  const whyNot = options['start-time'] ? whyNotRun() : 'not asked for';
  const startMs = whyNot === undefined ? await measureStarts(images, out) : new Map<string, number>();
  console.log(tableOf(images, startMs));
  if (whyNot !== undefined) console.log(`start-up is not measured: ${whyNot}`);
  for (const why of new Set(images.flatMap(({ withoutCodeCache, platform }) => (withoutCodeCache === undefined ? [] : [`${platform}: ${withoutCodeCache}`]))))
    console.log(`without compiled code, which costs 5 to 20 ms at each start: ${why}`);
}

/** Whether `out` is valid, and what a build anew gives. */
async function check(request: BuildRequest): Promise<number> {
  const { out } = request;
  const problems = await problemsOf(join(out, 'oci'));
  await inTemporaryFolder(async (folder) => {
    await buildImages({ ...request, out: folder, layerCache: undefined });
    const index = (of: string): Promise<string> => readFile(join(of, 'oci', 'index.json'), 'utf8').catch(() => '');
    if ((await index(folder)) !== (await index(out))) problems.push(`a build anew gives other digests than ${out} has; run \`${PROGRAM} --out ${out}\` again`);
  });
  for (const problem of problems) console.error(problem);
  if (problems.length === 0) console.log(`${out} is valid, and a build anew gives the same digests`);
  return problems.length === 0 ? 0 : 1;
}

/** @throws Error naming all that is missing, before anything is built */
async function checkPrograms(options: ImageOptions): Promise<void> {
  const missing = [...(options.docker ? await missingFor('docker') : []), ...(options.load === '' ? [] : await missingFor('kind'))];
  if (missing.length === 0) return;
  const help = 'without --docker and --load the images are built all the same, as a layout and as archives for `docker load`';
  throw new Error(`${[...new Set(missing)].join('; ')} (${help})`);
}

async function build(request: BuildRequest, options: ImageOptions): Promise<number> {
  const { out, platforms, stamp } = request;
  await checkPrograms(options);
  const images = await buildImages(request);
  await report(images, options, out);
  console.log(`wrote ${[join(out, 'oci'), ...platforms.map((platform) => archivePath(out, platform))].join(', ')}`);
  if (options.docker) await buildByDocker(images, platforms, out, stamp);
  if (options.load !== '') await loadIntoKind(options.load, platforms, out);
  return 0;
}

async function requestOf(options: ImageOptions, platforms: readonly Platform[]): Promise<BuildRequest> {
  if (platforms.length === 0) throw new FlagError('--platform: name at least one');
  const compression = chosenCompression(options.compression);
  if (options.docker && compression.kind !== 'gzip') throw new FlagError('--docker takes gzip layers only; leave --compression out');
  return {
    components: chosenComponents(options.component),
    platforms,
    out: resolve(options.out),
    compression,
    stamp: await readStamp(process.env),
    mirrors: options['debian-mirror'],
    layerCache: cacheFolder('layers'),
    say: (line) => console.error(line),
  };
}

await runMain(async () => {
  const options = flags.parse(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(flags.usage(PROGRAM));
    return 0;
  }
  if (options.repin) {
    await repin(ALL_PACKAGES);
    console.log(`pinned ${ALL_PACKAGES.length} Debian packages for each architecture`);
    return 0;
  }
  const request = await requestOf(options, chosenPlatforms(options.platform));
  return options.check ? check(request) : build(request, options);
});
