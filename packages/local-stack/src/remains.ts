// What a stack may leave on a machine when its processes are gone: mounts, loop devices and files below one
// folder. Removing it looks at what is there (mountinfo, losetup), not at what somebody remembered.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** mountinfo writes space, tab, newline and backslash as octal escapes. Source: proc_pid_mountinfo(5). */
function unescapeMountPath(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_match, octal: string) => String.fromCodePoint(Number.parseInt(octal, 8)));
}

/** The mount points at or below `dir`, innermost and latest first: the order in which they can be unmounted. */
export function mountsBelow(dir: string): string[] {
  const lines = readFileSync('/proc/self/mountinfo', 'utf8').trimEnd().split('\n');
  const points = lines.map((line) => unescapeMountPath(line.split(' ')[4] ?? ''));
  return points.filter((point) => point === dir || point.startsWith(`${dir}/`)).toReversed();
}

interface LoopDevice {
  name: string;
  'back-file': string;
}

/** Loop devices whose backing file lies (or lay) below `dir`. */
export async function loopDevicesBelow(dir: string): Promise<string[]> {
  if (!existsSync('/dev/loop-control') || process.getuid?.() !== 0) return [];
  const { stdout } = await run('losetup', ['--json', '--list', '--output', 'NAME,BACK-FILE']);
  if (stdout.trim() === '') return [];
  const { loopdevices } = JSON.parse(stdout) as { loopdevices: LoopDevice[] };
  return loopdevices.filter((device) => device['back-file'].startsWith(`${dir}/`)).map((device) => device.name);
}

/**
 * Unmounts, detaches and deletes everything below `dir`, and the folder itself.
 * @throws Error when something is still busy; nothing outside `dir` is touched, whatever is mounted inside.
 */
export async function removeRemains(dir: string): Promise<void> {
  for (const point of mountsBelow(dir)) {
    await run('umount', [point]).catch(() => run('umount', ['--lazy', point]));
  }
  for (const device of await loopDevicesBelow(dir)) await run('losetup', ['--detach', device]);
  const left = mountsBelow(dir);
  if (left.length > 0) throw new Error(`${left.join(', ')} cannot be unmounted; find who uses it with "fuser -vm", then remove ${dir}`);
  await rm(dir, { recursive: true, force: true, maxRetries: 3 });
}
