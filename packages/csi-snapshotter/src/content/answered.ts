import type { VolumeSnapshotContent } from '@snapshot-stack/api-types';

const REMEMBERED_MAX = 10_000;

/**
 * The contents whose last CreateSnapshot was sent by this process and answered: nothing is running for them. What
 * falls out (the oldest beyond 10,000), and everything after a restart, is found out by asking the driver again.
 */
export class Answered {
  readonly #uids = new Set<string>();

  add({ metadata: { uid = '' } }: VolumeSnapshotContent): void {
    this.#uids.delete(uid);
    this.#uids.add(uid);
    const oldest = this.#uids.values().next();
    if (this.#uids.size > REMEMBERED_MAX && oldest.done !== true) this.#uids.delete(oldest.value);
  }

  delete({ metadata: { uid = '' } }: VolumeSnapshotContent): void {
    this.#uids.delete(uid);
  }

  has({ metadata: { uid = '' } }: VolumeSnapshotContent): boolean {
    return this.#uids.has(uid);
  }
}
