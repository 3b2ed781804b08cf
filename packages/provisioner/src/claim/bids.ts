// Which of the node-local provisioners makes the volume of a claim that no pod has to be scheduled for? Each waits for
// a time of its own, left to chance, and the first to write its node on the claim has it; who fails waits longer.
// Source: external-provisioner, "Deployment on each node".
import type { Clock, Random } from '@snapshot-stack/runtime';

interface Bid {
  uid: string;
  tries: number;
  dueAt: number;
}

export class Bids {
  readonly #byClaim = new Map<string, Bid>();
  readonly #options: { baseMs: number; maxMs: number; clock: Clock; random: Random };

  constructor(options: { baseMs: number; maxMs: number; clock: Clock; random: Random }) {
    this.#options = options;
  }

  /** How long to wait before this claim may be taken; 0 when its time has come. */
  waitMs(key: string, uid: string): number {
    const bid = this.#byClaim.get(key);
    if (bid?.uid !== uid) return this.#place(key, uid, 0);
    return Math.max(0, bid.dueAt - this.#options.clock.now());
  }

  /** It was this node's turn, and there is no room: how long to leave it to others. */
  pass(key: string, uid: string): number {
    return this.#place(key, uid, (this.#byClaim.get(key)?.tries ?? 0) + 1);
  }

  /** The claim has a node, or is gone. */
  forget(key: string): void {
    this.#byClaim.delete(key);
  }

  #place(key: string, uid: string, tries: number): number {
    const { baseMs, maxMs, clock, random } = this.#options;
    // At least a millisecond, so that a turn is never taken without the others having had a chance.
    const ms = Math.max(1, Math.ceil(Math.min(maxMs, baseMs * 2 ** Math.min(tries, 30)) * random()));
    this.#byClaim.set(key, { uid, tries, dueAt: clock.now() + ms });
    return ms;
  }
}
