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

/** An archive, before and after it was compressed. */
interface Packed {
  archive: Sum;
  packed: Sum;
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
    const used = await stat(path).catch(() => undefined); // another build may drop it first
    if (used !== undefined && Date.now() - used.mtimeMs > UNUSED_AFTER_MS) await rm(path, { force: true });
  }
}

export class Blobs {
  readonly #folder: string;
  readonly #cache: string | undefined;
  #packing = 0;

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
    const { archive, packed } = this.#cache === undefined ? await this.#pack(tree, compression) : await this.#packOnce(this.#cache, tree, compression);
    return { title, descriptor: { mediaType: `${MEDIA.layer}+${compression.kind}`, ...packed }, diffId: archive.digest, unpackedBytes: archive.size };
  }

  async #pack(tree: FileTree, compression: Compression): Promise<Packed> {
    const [archive, packed] = [meter(), meter()];
    const partial = join(this.#folder, `partial-${this.#packing++}`);
    await pipeline(tarOf(tree), archive.stream, compressor(compression), packed.stream, createWriteStream(partial));
    const sums = { archive: archive.sum(), packed: packed.sum() };
    await rename(partial, this.path(sums.packed.digest));
    return sums;
  }

  /** As {@link #pack}, unless an earlier build has done it. */
  async #packOnce(cache: string, tree: FileTree, compression: Compression): Promise<Packed> {
    const archive = await sumOf(tarOf(tree));
    const cached = join(cache, `${archive.digest.slice('sha256:'.length)}.${compression.kind}-${compression.level}`);
    if ((await stat(cached).catch(() => undefined)) === undefined) {
      const sums = await this.#pack(tree, compression);
      await this.#keep(this.path(sums.packed.digest), cached);
      return sums;
    }
    const packed = await sumOf(createReadStream(cached));
    await copyFile(cached, this.path(packed.digest));
    await utimes(cached, new Date(), new Date());
    return { archive, packed };
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
