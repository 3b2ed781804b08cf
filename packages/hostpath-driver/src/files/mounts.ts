// Mounts and loop devices as the kernel has them, not as somebody remembers them.
import { readFileSync, readdirSync } from 'node:fs';
import { run } from './run.ts';

export interface Mount {
  point: string;
  /** Path within the mounted file system: what a bind mount shows. */
  root: string;
  fsType: string;
  source: string;
  options: readonly string[];
}

/** mountinfo writes space, tab, newline and backslash as octal escapes. Source: proc_pid_mountinfo(5). */
function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_match, octal: string) => String.fromCodePoint(Number.parseInt(octal, 8)));
}

export function mounts(): Mount[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const [left = '', right = ''] = line.split(' - ');
    const [, , , root = '', point = '', options = ''] = left.split(' ');
    const [fsType = '', source = ''] = right.split(' ');
    return { point: unescape(point), root: unescape(root), fsType, source: unescape(source), options: options.split(',') };
  });
}

/** The uppermost mount at exactly this path. */
export function mountAt(path: string): Mount | undefined {
  return mounts().findLast((mount) => mount.point === path);
}

export async function bindMount(source: string, target: string, options: { readOnly: boolean; flags: readonly string[] }): Promise<void> {
  await run('mount', ['--bind', source, target]);
  const remount = [...(options.readOnly ? ['ro'] : []), ...options.flags];
  if (remount.length === 0) return;
  try {
    await run('mount', ['-o', `remount,bind,${remount.join(',')}`, target]);
  } catch (error) {
    await run('umount', [target]);
    throw error;
  }
}

/** Unmounts everything at the path, however often it was mounted; nothing there is fine. */
export async function unmount(path: string): Promise<void> {
  const STACKED_MAX = 16;
  for (let i = 0; i < STACKED_MAX && mountAt(path) !== undefined; i++) await run('umount', [path]);
}

/** The loop devices that an image is attached to; none when it is not. */
export function loopDevicesOf(image: string): string[] {
  return [...loopBackings()].filter(([, backing]) => backing === image).map(([device]) => device);
}

function isReadOnly(device: string): boolean {
  return readFileSync(`/sys/block/${device.slice('/dev/'.length)}/ro`, 'utf8').trim() === '1';
}

/** Attaches an image, or finds where it is attached the same way: a device that may be written to is none that may not. */
export async function attachLoop(image: string, options: { readOnly: boolean }): Promise<string> {
  const existing = loopDevicesOf(image).find((device) => isReadOnly(device) === options.readOnly);
  if (existing !== undefined) return existing;
  const out = await run('losetup', ['--find', '--show', ...(options.readOnly ? ['--read-only'] : []), image]);
  return out.trim();
}

export async function detachLoops(image: string): Promise<void> {
  for (const device of loopDevicesOf(image)) await run('losetup', ['--detach', device]);
}

/** What each loop device of this machine shows, by device: read from the kernel, which needs no rights and no process. */
export function loopBackings(): Map<string, string> {
  const backings = new Map<string, string>();
  for (const name of readdirSync('/sys/block')) {
    if (!name.startsWith('loop')) continue;
    try {
      backings.set(`/dev/${name}`, readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8').trimEnd());
    } catch {
      // not attached
    }
  }
  return backings;
}

/** Where the file system in an image is mounted now. */
export function mountPointOf(image: string): string | undefined {
  const backings = loopBackings();
  return mounts().find((mount) => backings.get(mount.source) === image)?.point;
}

// A file system can be frozen once: whoever wants it frozen too has to wait. By mount point; each entry ends when it is thawed.
const frozen = new Map<string, Promise<void>>();

async function whileOneFrozen<T>(point: string, task: () => Promise<T>): Promise<T> {
  for (let before = frozen.get(point); before !== undefined; before = frozen.get(point)) await before;
  const { promise, resolve } = Promise.withResolvers<void>();
  frozen.set(point, promise);
  try {
    await run('fsfreeze', ['--freeze', point]);
    try {
      return await task();
    } finally {
      await run('fsfreeze', ['--unfreeze', point]);
    }
  } finally {
    frozen.delete(point);
    resolve();
  }
}

/** Runs `task` while the file systems at these points stand still; they are thawed whatever happens. */
export function whileFrozen<T>(points: readonly string[], task: () => Promise<T>): Promise<T> {
  // Always in the same order, so that two groups never wait for each other.
  const inOrder = [...points].sort();
  return inOrder.reduceRight((inner, point) => () => whileOneFrozen(point, inner), task)();
}

/** Thaws what a process that died left frozen; a file system that is not frozen is fine. */
export async function thaw(point: string): Promise<void> {
  await run('fsfreeze', ['--unfreeze', point]).catch(() => ''); // EINVAL: not frozen
}
