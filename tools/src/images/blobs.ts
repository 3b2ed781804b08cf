// The blobs of an image layout: files named after their own digest.
import { createHash, type Hash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { copyFile, mkdir, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import type { FileTree } from './file-tree.ts';
import { MEDIA, type Descriptor, type Layer } from './oci.ts';
import { tarOf } from './tar.ts';

export interface Compression {
  kind: 'gzip' | 'zstd';
  /** 1 to 9 for gzip, 1 to 19 for zstd. */
  level: number;
}

interface Sum {
  digest: string;
  size: number;
}

/** Passes everything on and counts it. */
function meter(): { stream: Transform; sum(): Sum } {
  const hash: Hash = createHash('sha256');
  let size = 0;
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  return { stream, sum: () => ({ digest: `sha256:${hash.digest('hex')}`, size }) };
}

async function sumOf(source: Readable): Promise<Sum> {
  const { stream, sum } = meter();
  await pipeline(source, stream, async (chunks: AsyncIterable<Buffer>) => {
    for await (const _chunk of chunks);
  });
  return sum();
}

function compressor({ kind, level }: Compression): Transform {
  // zlib leaves the time and name in gzip's header empty, so the result depends on the input alone.
  return kind === 'gzip' ? createGzip({ level }) : createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: level } });
}

const UNUSED_AFTER_MS = 14 * 24 * 3_600_000;

/** Removes what no build of the last two weeks used, so that the folder does not grow without end. */
async function dropUnused(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name);
    const { mtimeMs } = await stat(path);
    if (Date.now() - mtimeMs > UNUSED_AFTER_MS) await rm(path, { force: true });
  }
}

export class Blobs {
  readonly #folder: string;
  readonly #cache: string | undefined;

  /** @param cache folder with layers of earlier builds, as compressing takes most of the time; undefined for none */
  constructor(layout: string, cache: string | undefined) {
    this.#folder = join(layout, 'blobs', 'sha256');
    this.#cache = cache;
  }

  async open(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    if (this.#cache === undefined) return;
    await mkdir(this.#cache, { recursive: true });
    await dropUnused(this.#cache);
  }

  path(digest: string): string {
    return join(this.#folder, digest.slice('sha256:'.length));
  }

  async put(data: Buffer | string, mediaType: string): Promise<Descriptor> {
    const bytes = Buffer.from(data);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    await writeFile(this.path(digest), bytes);
    return { mediaType, digest, size: bytes.length };
  }

  putJson(value: object, mediaType: string): Promise<Descriptor> {
    return this.put(JSON.stringify(value), mediaType);
  }

  async putLayer(title: string, tree: FileTree, compression: Compression): Promise<Layer> {
    const { digest: diffId, size: unpackedBytes } = await sumOf(tarOf(tree));
    const mediaType = `${MEDIA.layer}+${compression.kind}`;
    const cached = this.#cache === undefined ? undefined : join(this.#cache, `${diffId.slice('sha256:'.length)}.${compression.kind}-${compression.level}`);
    const packed = join(this.#folder, `${diffId.slice('sha256:'.length)}.packing`);
    const isCached = cached !== undefined && (await stat(cached).catch(() => undefined)) !== undefined;
    const sum = isCached ? await sumOf(createReadStream(cached)) : await this.#compress(tree, compression, packed);
    if (isCached) {
      await copyFile(cached, packed);
      await utimes(cached, new Date(), new Date());
    } else if (cached !== undefined) await this.#keep(packed, cached);
    await rename(packed, this.path(sum.digest));
    return { title, descriptor: { mediaType, ...sum }, diffId, unpackedBytes };
  }

  async #compress(tree: FileTree, compression: Compression, path: string): Promise<Sum> {
    const { stream, sum } = meter();
    await pipeline(tarOf(tree), compressor(compression), stream, createWriteStream(path));
    return sum();
  }

  async #keep(packed: string, cached: string): Promise<void> {
    const partial = `${cached}.${process.pid}`;
    try {
      await copyFile(packed, partial);
      await rename(partial, cached);
    } finally {
      await rm(partial, { force: true });
    }
  }
}
