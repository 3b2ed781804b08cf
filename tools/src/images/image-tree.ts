// Images as a container runtime would have them: layers unpacked into one folder, and their program started in it with
// a read-only root, as the user that the image names, in a mount namespace of its own. Needs root, as all of this does.
import { spawn, type ChildProcess } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { chmod, chown, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { inOrder, type FileTree } from './file-tree.ts';
import type { Descriptor, ImageConfig, Index, Manifest } from './oci.ts';
import { readTar } from './tar.ts';
import { blobPath, decompressor } from './verify-layout.ts';

export interface ImageTree {
  root: string;
  config: ImageConfig;
}

async function json<T>(layout: string, { digest }: Descriptor): Promise<T> {
  return JSON.parse(await readFile(blobPath(layout, digest), 'utf8')) as T;
}

/** The manifest that a layout offers under a name for an architecture. @throws Error naming what it does offer */
async function findImage(layout: string, name: string, architecture: string): Promise<Manifest> {
  const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as Index;
  const named = (descriptor: Descriptor): string | undefined => descriptor.annotations?.['org.opencontainers.image.ref.name'];
  const found = index.manifests.find((descriptor) => named(descriptor) === name);
  if (found === undefined) throw new Error(`${layout} has no image ${name}; it has ${index.manifests.map(named).join(', ')}`);
  if (found.platform !== undefined) return json(layout, found);
  const ofPlatform = (await json<Index>(layout, found)).manifests.find(({ platform }) => platform?.architecture === architecture);
  if (ofPlatform === undefined) throw new Error(`${name} in ${layout} is not for ${architecture}`);
  return json(layout, ofPlatform);
}

async function writeTree(tree: FileTree, root: string): Promise<void> {
  for (const [path, entry] of inOrder(tree)) {
    const at = join(root, path);
    if (entry.kind === 'symlink') {
      await symlink(entry.target, at);
      continue;
    }
    if (entry.kind === 'directory') await mkdir(at, { recursive: true });
    else {
      await mkdir(dirname(at), { recursive: true });
      await writeFile(at, entry.data);
    }
    await chmod(at, entry.mode);
    if (entry.uid !== undefined) await chown(at, entry.uid, entry.uid);
  }
}

/** Unpacks an image of a layout into `root`, which must be empty or missing. */
export async function unpackImage(layout: string, name: string, architecture: string, root: string): Promise<ImageTree> {
  const manifest = await findImage(layout, name, architecture);
  await mkdir(root, { recursive: true });
  for (const { digest, mediaType } of manifest.layers) {
    const source = createReadStream(blobPath(layout, digest));
    await writeTree(await readTar(source.pipe(decompressor(mediaType))), root);
  }
  return { root, config: await json(layout, manifest.config) };
}

/** Why images cannot be started on this machine; undefined when they can. */
export function whyNotRun(): string | undefined {
  if (process.platform !== 'linux') return 'starting images needs Linux';
  return process.getuid?.() === 0 ? undefined : 'starting images needs root, for a mount namespace and chroot';
}

// $1 root, $2 user, $3 number of words that follow as pairs "from to" to bind, then the command.
const START = `set -e
root=$1; user=$2; binds=$3; shift 3
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
while [ "$binds" -gt 0 ]; do mkdir -p "$root$2"; mount --bind "$1" "$root$2"; binds=$((binds - 1)); shift 2; done
exec chroot --userspec="$user" --groups= "$root" "$@"`;

export interface StartOptions {
  /** Folders of this machine by path within the image. */
  binds?: Readonly<Record<string, string>>;
  /** Instead of the image's entry point. */
  entrypoint?: readonly string[];
  /** Instead of the image's user: `0:0`, as a pod's securityContext may ask for. */
  user?: string;
}

/**
 * The command that starts the image's program; its arguments are to follow. The process that runs it becomes that
 * program. Each path of `binds` is made in the tree, as a runtime makes mount points.
 */
export async function commandOf({ root, config }: ImageTree, { binds = {}, entrypoint, user }: StartOptions): Promise<[string, ...string[]]> {
  const all = Object.entries(binds);
  for (const [target] of all) await mkdir(join(root, target), { recursive: true });
  const { User, Entrypoint } = config.config;
  const values = [root, user ?? User, String(all.length), ...all.flatMap(([target, from]) => [from, target])];
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', START, 'start-image', ...values, ...(entrypoint ?? Entrypoint)];
}

/**
 * Starts the image's program with nothing in its environment but what the image says, as process 1 of a namespace that
 * ends with the returned process.
 */
export async function startImage(tree: ImageTree, args: readonly string[], options: StartOptions = {}): Promise<ChildProcess> {
  const [unshare, ...words] = await commandOf(tree, options);
  const env = Object.fromEntries(tree.config.config.Env.map((pair) => pair.split('=') as [string, string]));
  return spawn(unshare, ['--pid', '--fork', '--kill-child', ...words, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
}
