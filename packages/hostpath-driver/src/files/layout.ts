// Where things are in the data folder. Every path is made from an id that this driver made up itself and found
// again in its state: nothing that a request says ever becomes part of a path here.
import { mkdirSync, readdirSync, chmodSync } from 'node:fs';
import { join } from 'node:path';
import type { Backend } from '../state/state.ts';

const OURS = /^([0-9a-f]{8}-[0-9a-f-]{27}|csi-[0-9a-f]{64}|\.probe[a-z-]*)(\.img)?(\.partial)?$/;

export class Layout {
  readonly volumes: string;
  readonly snapshots: string;

  constructor(stateDir: string) {
    this.volumes = join(stateDir, 'volumes');
    this.snapshots = join(stateDir, 'snapshots');
    for (const dir of [this.volumes, this.snapshots]) {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      chmodSync(dir, 0o700); // snapshots hold other people's secrets
    }
  }

  volume(id: string, backend: Backend): string {
    return join(this.volumes, backend === 'directory' ? id : `${id}.img`);
  }

  snapshot(id: string, backend: Backend): string {
    return join(this.snapshots, backend === 'directory' ? id : `${id}.img`);
  }

  /**
   * Paths of everything in our folders that we named and that belongs to none of the known ids. What has another
   * name was put there by somebody else, and stays.
   */
  orphans(known: ReadonlySet<string>): string[] {
    return [this.volumes, this.snapshots].flatMap((dir) =>
      readdirSync(dir)
        .filter((name) => {
          const [, id = '', , partial] = OURS.exec(name) ?? [];
          return id !== '' && (partial !== undefined || !known.has(id));
        })
        .map((name) => join(dir, name)),
    );
  }
}
