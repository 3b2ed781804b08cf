// Since when each CA has been in every caBundle without a break: what a new certificate waits for.
import type { BundleSeen } from './decide.ts';

export class Trust {
  readonly #sinceMs = new Map<string, number>();

  /**
   * Called with each change of a caBundle. Where there is none (nothing is registered), every CA counts as trusted.
   * @param candidates CAs to know of
   */
  update(bundles: readonly BundleSeen[] | undefined, candidates: readonly string[], elapsedMs: number): void {
    const trusted = candidates.filter((ca) => bundles?.every(({ cas }) => cas.some(({ pem }) => pem === ca)) === true);
    for (const ca of this.#sinceMs.keys()) if (!trusted.includes(ca)) this.#sinceMs.delete(ca);
    for (const ca of trusted) if (!this.#sinceMs.has(ca)) this.#sinceMs.set(ca, elapsedMs);
  }

  forMs(elapsedMs: number): ReadonlyMap<string, number> {
    return new Map([...this.#sinceMs].map(([ca, since]) => [ca, elapsedMs - since]));
  }
}
