// Garbage collection by owner references: what is left behind goes with its last owner. An owner may ask, by a
// finalizer, that its dependents be let go (orphan) or be deleted first (foregroundDeletion).
// Source: https://kubernetes.io/docs/concepts/architecture/garbage-collection/
import { hasFinalizer, isBeingDeleted, type KubeObject, type OwnerReference } from '@snapshot-stack/api-types';
import { act, settled, type Plan } from '../plan.ts';

export const ORPHAN = 'orphan';
export const FOREGROUND = 'foregroundDeletion';

export interface Owner {
  readonly ref: OwnerReference;
  /** `waiting`: being deleted, its dependents first. `unknown`: of a kind that is not served, or out of reach. */
  readonly state: 'present' | 'waiting' | 'absent' | 'unknown';
}

export interface CollectorSeen {
  readonly object: KubeObject | undefined;
  readonly owners: readonly Owner[];
  readonly dependents: readonly KubeObject[];
}

export type CollectorAction =
  | { readonly kind: 'delete'; readonly object: KubeObject; readonly propagation: 'Background' | 'Foreground' | 'Orphan' }
  | { readonly kind: 'keepOwners'; readonly object: KubeObject; readonly refs: readonly OwnerReference[] }
  | { readonly kind: 'dropFinalizer'; readonly object: KubeObject; readonly finalizer: string };

export function decideCollection(seen: CollectorSeen): Plan<CollectorAction> {
  const { object } = seen;
  if (object === undefined) return settled('the object is gone');
  if (isBeingDeleted(object)) return finishDeletion(object, seen.dependents);
  return seen.owners.length === 0 ? settled('nobody owns it') : judge(object, seen);
}

function finishDeletion(object: KubeObject, dependents: readonly KubeObject[]): Plan<CollectorAction> {
  if (hasFinalizer(object, ORPHAN)) return orphan(object, dependents);
  if (hasFinalizer(object, FOREGROUND)) return deleteDependents(object, dependents);
  return settled('it is being deleted');
}

function orphan(object: KubeObject, dependents: readonly KubeObject[]): Plan<CollectorAction> {
  if (dependents.length === 0) return act('it has no dependents left', { kind: 'dropFinalizer', object, finalizer: ORPHAN });
  return act(
    'its dependents are to outlive it',
    ...dependents.map((dependent): CollectorAction => ({
      kind: 'keepOwners',
      object: dependent,
      refs: refsOf(dependent).filter(({ uid }) => uid !== object.metadata.uid),
    })),
  );
}

function deleteDependents(object: KubeObject, dependents: readonly KubeObject[]): Plan<CollectorAction> {
  const isBlocking = (dependent: KubeObject) => refsOf(dependent).some((ref) => ref.uid === object.metadata.uid && ref.blockOwnerDeletion === true);
  if (!dependents.some(isBlocking)) return act('no dependent blocks its deletion', { kind: 'dropFinalizer', object, finalizer: FOREGROUND });
  // Each dependent is judged in its own pass, where its other owners are asked too.
  return settled('its dependents go first');
}

function judge(object: KubeObject, { owners, dependents }: CollectorSeen): Plan<CollectorAction> {
  if (owners.some(({ state }) => state === 'unknown')) return settled('an owner cannot be looked up');
  const solid = owners.filter(({ state }) => state === 'present');
  if (solid.length === owners.length) return settled('its owners live');
  if (solid.length > 0) return act('some of its owners are gone', { kind: 'keepOwners', object, refs: solid.map(({ ref }) => ref) });
  const first = owners.some(({ state }) => state === 'waiting') && dependents.length > 0;
  return act('its last owner is gone', { kind: 'delete', object, propagation: propagationOf(object, first) });
}

function propagationOf(object: KubeObject, dependentsFirst: boolean): 'Background' | 'Foreground' | 'Orphan' {
  if (hasFinalizer(object, ORPHAN)) return 'Orphan';
  return dependentsFirst || hasFinalizer(object, FOREGROUND) ? 'Foreground' : 'Background';
}

function refsOf(object: KubeObject): readonly OwnerReference[] {
  return object.metadata.ownerReferences ?? [];
}
