// All images of one platform as one archive: an image layout that also has the manifest.json of `docker save`, so that
// docker, containerd (and with it kind) and podman read it. Blobs that images share are in it once.
import { createReadStream, createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { once } from 'node:events';
import { pipeline } from 'node:stream/promises';
import { pack, type Pack } from 'tar-stream';
import type { Blobs } from './blobs.ts';
import type { BuiltImage } from './build.ts';
import { imageName } from './components.ts';
import { MEDIA, type Index, type Manifest } from './oci.ts';

const COMMON = { mode: 0o644, uid: 0, gid: 0, uname: '', gname: '', mtime: new Date(0) } as const;

function blobName(digest: string): string {
  return `blobs/sha256/${digest.slice('sha256:'.length)}`;
}

function put(archive: Pack, name: string, text: string): void {
  archive.entry({ ...COMMON, name, size: Buffer.byteLength(text) }, () => {}).end(text);
}

async function putBlob(archive: Pack, blobs: Blobs, digest: string, size: number): Promise<void> {
  const entry = archive.entry({ ...COMMON, name: blobName(digest), size }, (error) => error instanceof Error && archive.destroy(error));
  createReadStream(blobs.path(digest))
    .on('error', (error) => archive.destroy(error))
    .pipe(entry);
  await once(entry, 'close');
}

/** @throws Error when the archive cannot be written */
export async function writeDockerArchive(path: string, images: readonly BuiltImage[], blobs: Blobs): Promise<void> {
  const archive = pack();
  const manifests = await Promise.all(
    images.map(async (image) => ({ image, manifest: JSON.parse(await readFile(blobs.path(image.manifest.digest), 'utf8')) as Manifest })),
  );
  const index: Index = {
    schemaVersion: 2,
    mediaType: MEDIA.index,
    manifests: images.map(({ component, manifest }) => {
      const name = imageName(component);
      return { ...manifest, annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name } };
    }),
  };
  const forDocker = manifests.map(({ image, manifest }) => ({
    Config: blobName(manifest.config.digest),
    RepoTags: [imageName(image.component)],
    Layers: manifest.layers.map(({ digest }) => blobName(digest)),
  }));
  const all = manifests.flatMap(({ image, manifest }) => [image.manifest, manifest.config, ...manifest.layers]);
  const sizes = new Map(all.map((descriptor) => [descriptor.digest, descriptor.size]));
  const write = async (): Promise<void> => {
    put(archive, 'oci-layout', JSON.stringify({ imageLayoutVersion: '1.0.0' }));
    put(archive, 'index.json', JSON.stringify(index));
    put(archive, 'manifest.json', JSON.stringify(forDocker));
    for (const [digest, size] of [...sizes].sort(([a], [b]) => (a < b ? -1 : 1))) await putBlob(archive, blobs, digest, size);
    archive.finalize();
  };
  await Promise.all([write(), pipeline(archive, createWriteStream(path))]);
}
