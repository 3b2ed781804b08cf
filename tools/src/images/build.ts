// Builds images into a folder: oci/ (an image layout with all of them), an archive per platform for `docker load` and
// kind, sbom/ and maps/. No daemon and no root is needed; the same commit and pins give the same digests.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Bundler, type Bundle } from './bundle.ts';
import { Blobs, type Compression } from './blobs.ts';
import { codeCacheOf, whyNoCodeCache } from './code-cache.ts';
import { architectureOf, imageName, type Component, type Platform } from './components.ts';
import { writeDockerArchive } from './docker-archive.ts';
import { appLayer, baseLayer, openPackages, toolsLayer, type LayerContent } from './layers.ts';
import { licensesOf, npmPackagesIn, type NpmPackage } from './npm-packages.ts';
import { MEDIA, configOf, labelsOf, type Descriptor, type Index, type Layer, type Manifest, type Stamp } from './oci.ts';
import { sbomOf } from './sbom.ts';

export interface BuildRequest {
  components: readonly Component[];
  platforms: readonly Platform[];
  out: string;
  compression: Compression;
  stamp: Stamp;
  /** Instead of apt: roots of Debian mirrors. */
  mirrors: readonly string[];
  /** Folder of compressed layers of earlier builds; undefined compresses again. */
  layerCache: string | undefined;
  /** Told what goes on. */
  say: (line: string) => void;
}

export interface BuiltImage {
  component: Component;
  platform: Platform;
  manifest: Descriptor;
  layers: readonly Layer[];
  /** Why its start is slower than it could be; undefined when it is not. */
  withoutCodeCache: string | undefined;
}

interface Bundled {
  component: Component;
  bundle: Bundle;
  npm: readonly NpmPackage[];
}

/** What the images of one platform share. */
interface Ground {
  platform: Platform;
  base: { layer: Layer; content: Awaited<ReturnType<typeof baseLayer>> };
  tools: { layer: Layer; content: LayerContent } | undefined;
}

async function bundleAll(components: readonly Component[], say: (line: string) => void): Promise<Bundled[]> {
  say(`bundling ${components.map(({ name }) => name).join(', ')}`);
  const bundler = new Bundler();
  return Promise.all(
    components.map(async (component) => {
      const bundle = await bundler.bundle(component);
      return { component, bundle, npm: await npmPackagesIn(bundle.sources) };
    }),
  );
}

async function layGround(platform: Platform, request: BuildRequest, blobs: Blobs): Promise<Ground> {
  const architecture = architectureOf(platform);
  request.say(`${platform}: base layer`);
  const packages = await openPackages(architecture, request.mirrors);
  const content = await baseLayer(architecture, packages);
  const title = `node ${content.nodeVersion} and the libraries it needs, from Debian 12`;
  const base = { layer: await blobs.putLayer(title, content.tree, request.compression), content };
  if (!request.components.some(({ needsTools }) => needsTools)) return { platform, base, tools: undefined };
  request.say(`${platform}: tools layer`);
  const tools = await toolsLayer(architecture, packages, content.tree);
  return {
    platform,
    base,
    tools: { layer: await blobs.putLayer('mount, file system and copy tools, from Debian 12', tools.tree, request.compression), content: tools },
  };
}

async function buildImage(
  { component, bundle, npm }: Bundled,
  ground: Ground,
  request: BuildRequest,
  blobs: Blobs,
): Promise<BuiltImage & { sbom: Descriptor }> {
  const { platform, base, tools } = ground;
  const architecture = architectureOf(platform);
  const withoutCodeCache = whyNoCodeCache(architecture, base.content.nodeVersion);
  const codeCache = withoutCodeCache === undefined ? await codeCacheOf(bundle) : undefined;
  const app = await blobs.putLayer(component.name, appLayer(bundle, codeCache, await licensesOf(npm, bundle.legal)), request.compression);
  const layers = [base.layer, ...(component.needsTools && tools !== undefined ? [tools.layer] : []), app];
  const config = await blobs.putJson(configOf(component, platform, layers, request.stamp), MEDIA.config);
  const annotations = labelsOf(component, request.stamp);
  const manifest: Manifest = { schemaVersion: 2, mediaType: MEDIA.manifest, config, layers: layers.map(({ descriptor }) => descriptor), annotations };
  const descriptor = { ...(await blobs.putJson(manifest, MEDIA.manifest)), platform: { architecture, os: 'linux' } };
  const debian = [...base.content.packages, ...(component.needsTools ? (tools?.content.packages ?? []) : [])];
  const node = { version: base.content.nodeVersion, package: base.content.nodePackage };
  const document = sbomOf(component, architecture, { npm, debian, node, diffIds: layers.map(({ diffId }) => diffId) }, request.stamp);
  const text = `${JSON.stringify(document, undefined, 2)}\n`;
  await writeFile(join(request.out, 'sbom', `${component.name}-${architecture}.spdx.json`), text);
  const sbom = await attach(blobs, descriptor, text, request.stamp);
  return { component, platform, manifest: descriptor, layers, withoutCodeCache, sbom };
}

/** The bill of materials as an artifact that refers to its image. Source: image-spec, "Artifacts usage". */
async function attach(blobs: Blobs, { mediaType, digest, size }: Descriptor, text: string, stamp: Stamp): Promise<Descriptor> {
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    artifactType: MEDIA.spdx,
    config: await blobs.put('{}', MEDIA.empty),
    layers: [await blobs.put(text, MEDIA.spdx)],
    subject: { mediaType, digest, size },
    annotations: { 'org.opencontainers.image.created': stamp.created },
  };
  return { ...(await blobs.putJson(manifest, MEDIA.manifest)), artifactType: MEDIA.spdx };
}

/** What the layout offers under a component's name: one image, or an index of several platforms'. */
async function offer(component: Component, images: readonly BuiltImage[], blobs: Blobs): Promise<Descriptor> {
  const name = imageName(component);
  const annotations = { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name };
  const manifests = images.filter((image) => image.component === component).map(({ manifest }) => manifest);
  const [only, another] = manifests;
  if (only !== undefined && another === undefined) return { ...only, annotations };
  const index: Index = { schemaVersion: 2, mediaType: MEDIA.index, manifests };
  return { ...(await blobs.putJson(index, MEDIA.index)), annotations };
}

async function writeMaps(out: string, bundled: readonly Bundled[]): Promise<void> {
  for (const { component, bundle } of bundled) {
    const folder = join(out, 'maps', component.name);
    await mkdir(folder, { recursive: true });
    for (const [name, data] of bundle.maps) await writeFile(join(folder, name), data);
  }
}

export function archivePath(out: string, platform: Platform): string {
  return join(out, `snapshot-stack-${architectureOf(platform)}.tar`);
}

/** Whatever an earlier build left in `out` is replaced. @throws Error naming what could not be had */
export async function buildImages(request: BuildRequest): Promise<BuiltImage[]> {
  const { out, components } = request;
  const layout = join(out, 'oci');
  for (const folder of ['oci', 'sbom', 'maps']) await rm(join(out, folder), { recursive: true, force: true });
  await mkdir(join(out, 'sbom'), { recursive: true });
  const blobs = new Blobs(layout, request.layerCache);
  await blobs.open();
  const bundled = await bundleAll(components, request.say);
  const images: (BuiltImage & { sbom: Descriptor })[] = [];
  for (const platform of request.platforms) {
    const ground = await layGround(platform, request, blobs);
    request.say(`${platform}: ${components.length === 1 ? 'image' : `${components.length} images`}`);
    images.push(...(await Promise.all(bundled.map((one) => buildImage(one, ground, request, blobs)))));
  }
  const offers = await Promise.all(components.map((component) => offer(component, images, blobs)));
  const index: Index = { schemaVersion: 2, mediaType: MEDIA.index, manifests: [...offers, ...images.map(({ sbom }) => sbom)] };
  await writeFile(join(layout, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  await writeFile(join(layout, 'index.json'), JSON.stringify(index));
  await writeMaps(out, bundled);
  for (const platform of request.platforms) {
    const own = images.filter((image) => image.platform === platform);
    await writeDockerArchive(archivePath(out, platform), own, blobs);
  }
  return images.map(({ sbom: _sbom, ...image }) => image);
}
