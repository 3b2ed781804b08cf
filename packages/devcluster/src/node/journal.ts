// What this node has in use, written down before it is done: a file `vol_data.json` beside every target, as kubelet
// writes it. After a crash the files say which RPCs undo what may have been done. An entry goes only when the undoing
// has succeeded, so nothing stays mounted unknown to anybody.
import { mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { VolumeMode } from '@snapshot-stack/api-types';
import type { Paths } from './paths.ts';

/** One pod's use of one volume. Names of the members are kubelet's; those after the first five are ours. */
export interface Use {
  readonly specVolID: string;
  readonly driverName: string;
  readonly volumeHandle: string;
  readonly nodeName: string;
  readonly attachmentID: string;
  readonly podUid: string;
  readonly volumeMode: VolumeMode;
  readonly staged: boolean;
  /** Set once NodePublishVolume has answered. */
  readonly published: boolean;
}

const FILE = 'vol_data.json';

export class Journal {
  readonly #paths: Paths;

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  /** Every use that is, or may be, in place; unreadable entries are an error naming the file. */
  async all(): Promise<Use[]> {
    const pods = await namesIn(join(this.#paths.root, 'pods'));
    const uses = await Promise.all(pods.map((podUid) => this.ofPod(podUid)));
    return uses.flat();
  }

  async ofPod(podUid: string): Promise<Use[]> {
    const volumes = dirname(this.#paths.podVolume(podUid, 'x'));
    const entries = await Promise.all((await namesIn(volumes)).map((volume) => readUse(join(volumes, volume, FILE))));
    return entries.filter((entry) => entry !== undefined);
  }

  /** Written whole and renamed into place: a reader never meets half an entry. */
  async write(use: Use): Promise<void> {
    const directory = this.#paths.podVolume(use.podUid, use.specVolID);
    await mkdir(directory, { recursive: true, mode: 0o750 });
    const draft = join(directory, `.${FILE}`);
    await writeFile(draft, JSON.stringify(use), { mode: 0o600, flush: true });
    await rename(draft, join(directory, FILE));
  }

  /** Removes the entry and the directories that it leaves empty; a target that is not empty is never touched. */
  async remove(use: Use): Promise<void> {
    const directory = this.#paths.podVolume(use.podUid, use.specVolID);
    await removeEmpty(join(directory, 'mount'));
    await rm(join(directory, FILE), { force: true });
    const pod = join(this.#paths.root, 'pods', use.podUid);
    for (let path = directory; path.length >= pod.length; path = dirname(path)) {
      if (!(await removeEmpty(path))) return;
    }
  }
}

async function namesIn(directory: string): Promise<string[]> {
  return await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
}

async function readUse(file: string): Promise<Use | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Use;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new Error(`cannot read ${file}, which says what a pod has mounted; mend or remove it by hand`, { cause: error });
  }
}

/** True when the directory is gone afterwards. */
export async function removeEmpty(directory: string): Promise<boolean> {
  try {
    await rmdir(directory);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return true;
    if (code === 'ENOTEMPTY' || code === 'EBUSY' || code === 'ENOTDIR') return false;
    throw error;
  }
}
