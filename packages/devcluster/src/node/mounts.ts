// Reads the kernel's list of mounts. Source: proc_pid_mountinfo(5).
import { readFile } from 'node:fs/promises';

/** Mount points at or below `root`; [] where there is no such list (not Linux). */
export async function mountsBelow(root: string, file = '/proc/self/mountinfo'): Promise<string[]> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return parseMountPoints(text).filter((path) => path === root || path.startsWith(`${root}/`));
}

/** The fifth field of each line; space, tab, newline and backslash stand there as octal numbers. */
export function parseMountPoints(mountinfo: string): string[] {
  return mountinfo
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter((path) => path !== undefined)
    .map((path) => path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))));
}
