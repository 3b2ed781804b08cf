// What commit images are made from. Its time is the images' time, so that building it again gives the same images.
import { output } from './command.ts';
import { ROOT } from './components.ts';
import type { Stamp } from './oci.ts';

/** Where git knows nothing, the time is `SOURCE_DATE_EPOCH` (seconds) or the epoch, and there is no revision. */
export async function readStamp(env: Readonly<Record<string, string | undefined>>): Promise<Stamp> {
  const given = env['SOURCE_DATE_EPOCH'];
  const at = (seconds: number): string => new Date(seconds * 1_000).toISOString().replace('.000', '');
  try {
    const [revision = '', seconds = ''] = String(await output('git', ['log', '-1', '--format=%H %ct'], { cwd: ROOT }))
      .trim()
      .split(' ');
    const isClean = String(await output('git', ['status', '--porcelain'], { cwd: ROOT })).trim() === '';
    return { created: at(Number(given ?? seconds)), revision: isClean ? revision : `${revision}-dirty` };
  } catch {
    return { created: at(Number(given ?? 0)), revision: undefined };
  }
}
