// A mount namespace of our own: mounts and loop devices made in it vanish with the last process in it, so that
// not even kill -9 of the demo leaves any. Without root, a user namespace makes mounting possible at all.
import { existsSync } from 'node:fs';

const UNSHARE = '/usr/bin/unshare';
const MARK = 'SNAPSHOT_DEMO_NAMESPACE';

/** Replaces this process by itself inside a namespace of its own; returns when it is there already, or cannot be. */
export function enterNamespace(): void {
  if (process.env[MARK] !== undefined || process.platform !== 'linux' || !existsSync(UNSHARE) || process.execve === undefined) return;
  const isRoot = process.getuid?.() === 0;
  const how = isRoot ? ['--mount'] : ['--user', '--map-root-user', '--mount'];
  process.execve(UNSHARE, [UNSHARE, ...how, '--', process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    ...process.env,
    [MARK]: '1',
  } as NodeJS.ProcessEnv);
}
