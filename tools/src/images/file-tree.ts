// A tree of files in memory, as it will be in an image: paths without a leading slash, owners and modes, no times.
// All that an image holds passes through here, so that what goes in is decided in one place and in one order.

export type FileEntry =
  | { kind: 'file'; data: Buffer; mode: number; uid?: number }
  | { kind: 'directory'; mode: number; uid?: number }
  /** `target` as it is written in the link: relative to the link's folder, or absolute within the image. */
  | { kind: 'symlink'; target: string };

/** By path, such as `usr/bin/node`. */
export type FileTree = Map<string, FileEntry>;

/** Folders that are links in a merged-usr file system, and what they point to. Source: Debian's base-files. */
const MERGED = ['bin', 'sbin', 'lib', 'lib64'];

export function file(data: Buffer | string, mode = 0o644): FileEntry {
  return { kind: 'file', data: typeof data === 'string' ? Buffer.from(data) : data, mode };
}

export function directory(mode = 0o755, uid = 0): FileEntry {
  return { kind: 'directory', mode, ...(uid === 0 ? {} : { uid }) };
}

/** `./a/b/` and `/a/b` are `a/b`. */
export function cleanPath(path: string): string {
  return path.replace(/^(\.?\/)+/, '').replace(/\/+$/, '');
}

/** The path as images have it: `./lib/x` and `/lib/x` become `usr/lib/x`. */
export function canonicalPath(path: string): string {
  const clean = cleanPath(path);
  const [first = ''] = clean.split('/');
  return MERGED.includes(first) ? `usr/${clean}` : clean;
}

/** The links from `/bin`, `/lib` and so on into `/usr`. */
export function mergedUsr(): FileTree {
  return new Map(MERGED.map((name) => [name, { kind: 'symlink', target: `usr/${name}` }]));
}

/** Where a link leads, one step, as a canonical path. */
export function linkTarget(path: string, target: string): string {
  if (target.startsWith('/')) return canonicalPath(target);
  const parts = path.split('/').slice(0, -1);
  for (const part of target.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.' && part !== '') parts.push(part);
  }
  return canonicalPath(parts.join('/'));
}

/** Entries in an order that depends on nothing but the paths, with every folder that leads to one of them before it. */
export function* inOrder(tree: FileTree): Generator<[string, FileEntry]> {
  const all = new Map(tree);
  for (const path of tree.keys()) {
    const parts = path.split('/');
    for (let i = 1; i < parts.length; i++) {
      const parent = parts.slice(0, i).join('/');
      if (!all.has(parent)) all.set(parent, directory());
    }
  }
  // By bytes and not by locale; a folder's path is a prefix of what is in it, so it comes first.
  yield* [...all].sort(([a], [b]) => (a < b ? -1 : 1));
}

export function merge(...trees: readonly FileTree[]): FileTree {
  return new Map(trees.flatMap((tree) => [...tree]));
}
