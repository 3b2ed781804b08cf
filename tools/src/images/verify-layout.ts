// Holds an image layout to the OCI image specification: everything that its index reaches is there, is what its digest
// and size say, has a media type that readers know, and unpacks to what the configuration promises. Source: image-spec
// 1.1, image-layout.md, descriptor.md, manifest.md and config.md.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { MEDIA, type Descriptor, type ImageConfig, type Index, type Manifest } from './oci.ts';

const DIGEST = /^sha256:[a-f0-9]{64}$/;

/** What turns a layer's bytes back into an archive. @throws Error for a media type that is no layer's */
export function decompressor(mediaType: string): Transform {
  switch (mediaType.slice(MEDIA.layer.length)) {
    case '+gzip':
      return createGunzip();
    case '+zstd':
      return createZstdDecompress();
    case '':
      return new PassThrough();
    default:
      throw new Error(`${mediaType} is no media type of a layer`);
  }
}

async function hashOf(path: string, through: Transform): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), through, hash);
  return `sha256:${hash.digest('hex')}`;
}

export function blobPath(layout: string, digest: string): string {
  return join(layout, 'blobs', 'sha256', digest.slice('sha256:'.length));
}

class Verification {
  readonly problems: string[] = [];
  readonly seen = new Set<string>();
  readonly #layout: string;
  /** Digests of what layers unpack to, by digest; images share layers. */
  readonly #unpacked = new Map<string, Promise<string>>();

  constructor(layout: string) {
    this.#layout = layout;
  }

  check(isTrue: boolean, problem: string): void {
    if (!isTrue) this.problems.push(problem);
  }

  /** Whether the blob is what its descriptor says. */
  async blob({ digest, size, mediaType }: Descriptor, what: string): Promise<boolean> {
    if (!DIGEST.test(digest)) this.problems.push(`${what}: "${digest}" is no SHA-256 digest`);
    else if (!this.seen.has(digest)) {
      const path = blobPath(this.#layout, digest);
      const found = await stat(path).catch(() => undefined);
      if (found === undefined) this.problems.push(`${what}: the blob ${digest} (${mediaType}) is missing`);
      if (found === undefined) return false;
      this.seen.add(digest);
      this.check(found.size === size, `${what}: ${digest} has ${found.size} bytes, and its descriptor says ${size}`);
      this.check((await hashOf(path, new PassThrough())) === digest, `${what}: the content of ${digest} has another digest`);
    }
    return this.seen.has(digest);
  }

  async json<T>(descriptor: Descriptor, what: string): Promise<T | undefined> {
    if (!(await this.blob(descriptor, what))) return undefined;
    try {
      return JSON.parse(await readFile(blobPath(this.#layout, descriptor.digest), 'utf8')) as T;
    } catch (error) {
      this.problems.push(`${what}: ${descriptor.digest} is no JSON (${(error as Error).message})`);
      return undefined;
    }
  }

  async index(index: Index, what: string): Promise<void> {
    this.check(index.schemaVersion === 2, `${what}: schemaVersion is not 2`);
    this.check(index.mediaType === MEDIA.index, `${what}: the media type is ${index.mediaType}`);
    for (const descriptor of index.manifests) {
      const name = descriptor.annotations?.['org.opencontainers.image.ref.name'] ?? `${what}, ${descriptor.digest.slice(0, 19)}`;
      if (descriptor.mediaType === MEDIA.manifest) await this.manifest(descriptor, name);
      else if (descriptor.mediaType === MEDIA.index) {
        const nested = await this.json<Index>(descriptor, name);
        if (nested !== undefined) await this.index(nested, name);
      } else this.problems.push(`${name}: ${descriptor.mediaType} is neither an index nor a manifest`);
    }
  }

  async manifest(descriptor: Descriptor, what: string): Promise<void> {
    const manifest = await this.json<Manifest>(descriptor, what);
    if (manifest === undefined) return;
    this.check(manifest.schemaVersion === 2 && manifest.mediaType === MEDIA.manifest, `${what}: the manifest does not say what it is`);
    this.check(manifest.layers.length > 0, `${what}: there is no layer`);
    for (const layer of manifest.layers) await this.blob(layer, what);
    if (manifest.artifactType !== undefined) return this.artifact(descriptor, manifest, what);
    this.check(manifest.config.mediaType === MEDIA.config, `${what}: the configuration's media type is ${manifest.config.mediaType}`);
    const config = await this.json<ImageConfig>(manifest.config, what);
    if (config !== undefined) await this.image(descriptor, manifest, config, what);
  }

  async artifact(descriptor: Descriptor, manifest: Manifest, what: string): Promise<void> {
    this.check(descriptor.artifactType === manifest.artifactType, `${what}: index and manifest name different kinds of artifact`);
    this.check(manifest.config.mediaType === MEDIA.empty, `${what}: an artifact's configuration is ${manifest.config.mediaType}`);
    await this.blob(manifest.config, what);
    if (manifest.subject !== undefined) await this.blob(manifest.subject, `${what}, what it refers to`);
  }

  async image(descriptor: Descriptor, manifest: Manifest, config: ImageConfig, what: string): Promise<void> {
    this.check(config.rootfs.type === 'layers', `${what}: rootfs is of type ${config.rootfs.type}`);
    this.check(
      config.rootfs.diff_ids.length === manifest.layers.length,
      `${what}: ${manifest.layers.length} layers, ${config.rootfs.diff_ids.length} diff_ids`,
    );
    this.check(config.history.length === manifest.layers.length, `${what}: the history tells of another number of layers`);
    const { platform } = descriptor;
    this.check(platform?.architecture === config.architecture && platform.os === config.os, `${what}: index and configuration name different platforms`);
    for (const [i, { digest, mediaType }] of manifest.layers.entries()) {
      const known = this.#unpacked.get(digest);
      const unpacked = known ?? hashOf(blobPath(this.#layout, digest), decompressor(mediaType)).catch((error: Error) => error.message);
      this.#unpacked.set(digest, unpacked);
      const actual = await unpacked;
      this.check(actual === config.rootfs.diff_ids[i], `${what}: layer ${i} unpacks to ${actual}, and the configuration says ${config.rootfs.diff_ids[i]}`);
    }
  }
}

/** What is wrong with a layout, in sentences; nothing when it is valid. */
export async function problemsOf(layout: string): Promise<string[]> {
  const verification = new Verification(layout);
  const version = await readFile(join(layout, 'oci-layout'), 'utf8').catch(() => '{}');
  verification.check((JSON.parse(version) as { imageLayoutVersion?: string }).imageLayoutVersion === '1.0.0', 'oci-layout does not say version 1.0.0');
  const index = await readFile(join(layout, 'index.json'), 'utf8').catch(() => undefined);
  if (index === undefined) return [...verification.problems, `${layout} has no index.json`];
  await verification.index(JSON.parse(index) as Index, 'index.json');
  const all = await readdir(join(layout, 'blobs', 'sha256'));
  for (const name of all) verification.check(verification.seen.has(`sha256:${name}`), `the blob ${name} belongs to nothing`);
  return verification.problems;
}
