// Puts the finalizer on claims that snapshots are taken of, and takes it off. Both happen under one lock per
// claim: a release that was decided before another snapshot needed the claim, and is carried out after, would
// leave that snapshot unprotected.
import { Finalizer, hasFinalizer, isBeingDeleted, keyOf, persistentVolumeClaims, type PersistentVolumeClaim } from '@snapshot-stack/api-types';
import { KubeError, guarded, isNotFound, type Client } from '@snapshot-stack/runtime';
import type { Cluster } from '../cluster.ts';
import { decideClaim } from './decide.ts';
import { KeyedLock } from './keyed-lock.ts';
import { observeClaim } from './observe.ts';

export class ClaimProtection {
  readonly #client: Client;
  readonly #cluster: Cluster;
  readonly #lock = new KeyedLock();
  #mayPatch = true;

  constructor(client: Client, cluster: Cluster) {
    this.#client = client;
    this.#cluster = cluster;
  }

  /**
   * Resolves when the claim carries the finalizer; no write when it does already.
   * @throws KubeError `Conflict` when the claim has changed or gone meanwhile
   */
  hold(key: string, signal: AbortSignal): Promise<void> {
    return this.#lock.run(key, async () => {
      const claim = this.#cluster.claims.cache.get(key);
      if (claim !== undefined && hasFinalizer(claim, Finalizer.claimAsSource)) return;
      if (claim === undefined || isBeingDeleted(claim)) throw new KubeError('Conflict', `claim ${key} is going; looking again`);
      await this.#write(claim, [...(claim.metadata.finalizers ?? []), Finalizer.claimAsSource], signal);
    });
  }

  /** Takes the finalizer off unless some snapshot needs the claim; resolves with why it was or was not done. */
  releaseIfUnneeded(key: string, signal: AbortSignal): Promise<string> {
    return this.#lock.run(key, async () => {
      const plan = decideClaim(observeClaim(key, this.#cluster));
      if (plan.kind === 'nothing') return plan.why;
      const rest = (plan.claim.metadata.finalizers ?? []).filter((finalizer) => finalizer !== Finalizer.claimAsSource);
      await this.#write(plan.claim, rest, signal);
      return 'no snapshot needs the claim any more';
    });
  }

  async #write(claim: PersistentVolumeClaim, finalizers: readonly string[], signal: AbortSignal): Promise<void> {
    try {
      this.#cluster.claims.cache.remember(await this.#send(claim, finalizers, signal));
    } catch (error) {
      if (isNotFound(error)) throw new KubeError('Conflict', `claim ${keyOf(claim)} is gone; looking again`, { cause: error });
      throw error;
    }
  }

  /** A guarded patch; or, under upstream's ClusterRole, which allows only updates of claims, the whole claim. */
  async #send(claim: PersistentVolumeClaim, finalizers: readonly string[], signal: AbortSignal): Promise<PersistentVolumeClaim> {
    const { name = '', namespace } = claim.metadata;
    if (this.#mayPatch) {
      try {
        return await this.#client.patch(persistentVolumeClaims, { name, namespace }, guarded(claim, { metadata: { finalizers } }), { signal });
      } catch (error) {
        if (KubeError.from(error).code !== 'Forbidden') throw error;
      }
    }
    const replaced = await this.#client.replace(persistentVolumeClaims, { ...claim, metadata: { ...claim.metadata, finalizers: [...finalizers] } }, { signal });
    this.#mayPatch = false;
    return replaced;
  }
}
