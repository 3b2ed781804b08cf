// When a source may be let go: as soon as no claim, in any namespace, still waits to be filled from it. Derived
// from the claims that exist, so that nothing has to be remembered and any crash is healed by looking again.
import { hasFinalizer, type Finalizer, type KubeObject, type PersistentVolumeClaim } from '@snapshot-stack/api-types';

export type HoldPlan = { kind: 'settled'; why: string } | { kind: 'release'; object: KubeObject; finalizer: string };

export interface SeenHold {
  object: KubeObject | undefined;
  finalizer: typeof Finalizer.snapshotBeingRestored | typeof Finalizer.claimBeingCloned;
  /** Claims that are to be filled from it and have no volume yet. */
  waiting: readonly PersistentVolumeClaim[];
}

export function decideHold({ object, finalizer, waiting }: SeenHold): HoldPlan {
  if (object === undefined || !hasFinalizer(object, finalizer)) return { kind: 'settled', why: 'nothing is held' };
  const [first] = waiting;
  if (first !== undefined)
    return { kind: 'settled', why: `claim ${first.metadata.namespace ?? ''}/${first.metadata.name ?? ''} is still being filled from it` };
  return { kind: 'release', object, finalizer };
}
