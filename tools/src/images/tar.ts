// File trees as tar archives and back. Written archives depend on nothing but the tree: entries are sorted, times are
// zero and owners have no names, so that the same tree gives the same bytes on every machine.
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { extract, pack, type Header } from 'tar-stream';
import { cleanPath, inOrder, type FileEntry, type FileTree } from './file-tree.ts';

const EPOCH = new Date(0);

function headerOf(path: string, entry: FileEntry): Header {
  const common = { uid: 0, gid: 0, mtime: EPOCH, uname: '', gname: '' };
  switch (entry.kind) {
    case 'file':
      return { ...common, name: path, type: 'file', mode: entry.mode, uid: entry.uid ?? 0, gid: entry.uid ?? 0, size: entry.data.length };
    case 'directory':
      return { ...common, name: `${path}/`, type: 'directory', mode: entry.mode, uid: entry.uid ?? 0, gid: entry.uid ?? 0 };
    case 'symlink':
      return { ...common, name: path, type: 'symlink', mode: 0o777, linkname: entry.target };
  }
}

/** The archive of a tree, made while it is read. */
export function tarOf(tree: FileTree): Readable {
  const archive = pack();
  const write = async (): Promise<void> => {
    for (const [path, entry] of inOrder(tree)) {
      const stream = archive.entry(headerOf(path, entry), (error) => error instanceof Error && archive.destroy(error));
      if (entry.kind === 'file') {
        stream.end(entry.data);
        await once(stream, 'close');
      }
    }
    archive.finalize();
  };
  write().catch((error: Error) => archive.destroy(error));
  return archive;
}

const PERMISSIONS = 0o7777;

async function entryOf({ header, body }: { header: Header; body: AsyncIterable<Buffer> }): Promise<FileEntry | undefined> {
  const parts: Buffer[] = [];
  for await (const part of body) parts.push(part);
  const mode = (header.mode ?? 0) & PERMISSIONS;
  const owner = header.uid === undefined || header.uid === 0 ? {} : { uid: header.uid };
  switch (header.type) {
    case 'file':
    case 'contiguous-file':
      return { kind: 'file', data: Buffer.concat(parts), mode, ...owner };
    case 'directory':
      return { kind: 'directory', mode, ...owner };
    case 'symlink':
      return { kind: 'symlink', target: header.linkname ?? '' };
    default:
      return undefined;
  }
}

/**
 * What an archive holds. A hard link becomes a file of its own, of the same bytes.
 * @param pathOf how a name in the archive is written as a path of the tree
 * @throws Error for devices and other entries that no image of ours may hold
 */
export async function readTar(source: Readable, pathOf: (name: string) => string = cleanPath): Promise<FileTree> {
  const tree: FileTree = new Map();
  const archive = extract();
  source.on('error', (error) => archive.destroy(error));
  source.pipe(archive);
  for await (const body of archive) {
    const path = pathOf(body.header.name);
    const entry = await entryOf({ header: body.header, body });
    const linked = body.header.type === 'link' ? tree.get(pathOf(body.header.linkname ?? '')) : undefined;
    const found = entry ?? linked;
    if (found === undefined) throw new Error(`the archive holds ${body.header.name}, a ${body.header.type ?? 'nameless thing'}, which images here never do`);
    if (path !== '' && path !== '.') tree.set(path, found);
  }
  return tree;
}
