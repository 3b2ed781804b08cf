// The bookkeeping of owners: what an update takes over, and what an applied configuration claims, shares and lets go.
// Source: sigs.k8s.io/structured-merge-diff/v6/merge/update.go.
import { deepEqual } from '../registry/deep-equal.ts';
import type { Schema } from '../schema/schema.ts';
import { changedFields, compare, without, type Comparison } from './compare.ts';
import { fieldsOf, withNamedFields } from './fields-of.ts';
import { difference, emptySet, intersection, isEmpty, recursiveDifference, union, type FieldSet } from './field-set.ts';
import { managerId, type Manager, type Managers } from './managers.ts';
import { merge, removeFields } from './merge.ts';

/** Ownership is meant to change, and others own what it changes. */
export class OwnershipConflict extends Error {
  override readonly name = 'OwnershipConflict';
  readonly claims: ReadonlyMap<string, { manager: Manager; fields: FieldSet }>;

  constructor(claims: ReadonlyMap<string, { manager: Manager; fields: FieldSet }>) {
    super(`the fields belong to ${claims.size} other managers`);
    this.claims = claims;
  }
}

/** What the request cannot change, as the kind's strategy resets it. */
export interface Scope {
  readonly schema: Schema;
  readonly ignored: FieldSet;
}

/** Takes changed and removed fields away from all but one. @throws OwnershipConflict unless forced */
function takeAway(managers: Managers, { added, modified, removed }: Comparison, except: string, force: boolean): Managers {
  const changed = union(added, modified);
  const claims = new Map<string, { manager: Manager; fields: FieldSet }>();
  for (const [id, manager] of managers) {
    if (id === except) continue;
    const fields = intersection(manager.fields, changed);
    if (!isEmpty(fields)) claims.set(id, { manager, fields });
  }
  if (!force && claims.size > 0) throw new OwnershipConflict(claims);
  const left = new Map<string, Manager>();
  for (const [id, manager] of managers) {
    const fields = id === except ? manager.fields : difference(difference(manager.fields, claims.get(id)?.fields ?? emptySet), removed);
    if (!isEmpty(fields)) left.set(id, { ...manager, fields });
  }
  return left;
}

/** The owners after an update. The one who updates owns what it changed, besides what it owned before. */
export function afterUpdate(managers: Managers, live: unknown, next: unknown, updater: Omit<Manager, 'fields'>, { schema, ignored }: Scope): Managers {
  const whole = compare(live, next, schema);
  const left = new Map(takeAway(managers, without(whole, ignored), '', true));
  const gained = recursiveDifference(changedFields(whole), ignored);
  if (isEmpty(gained)) return left;
  const id = managerId(updater);
  left.set(id, { ...updater, fields: union(left.get(id)?.fields ?? emptySet, gained) });
  return left;
}

export interface Applied {
  readonly object: unknown;
  readonly managers: Managers;
  /** False when the object stays as it is; its owners may still change. */
  readonly changed: boolean;
}

/** Applies a configuration. @throws OwnershipConflict unless forced */
export function afterApply(
  managers: Managers,
  live: unknown,
  config: unknown,
  applier: Omit<Manager, 'fields'>,
  { schema, ignored }: Scope,
  force: boolean,
): Applied {
  const id = managerId(applier);
  const last = managers.get(id)?.fields ?? emptySet;
  const claimed = new Map(managers);
  claimed.set(id, { ...applier, fields: recursiveDifference(fieldsOf(config, schema), ignored) });
  const merged = merge(live, config, schema);
  const object = prune(merged, claimed, last, schema);
  const comparison = without(compare(live, object, schema), ignored);
  return { object, managers: takeAway(claimed, comparison, id, force), changed: !deepEqual(live, object) };
}

/** Takes out what the applier owned before and nobody owns now. */
function prune(merged: unknown, managers: Managers, last: FieldSet, schema: Schema): unknown {
  if (isEmpty(last)) return merged;
  const named = (set: FieldSet): FieldSet => withNamedFields(set, schema);
  const mergedFields = named(fieldsOf(merged, schema));
  let pruned = removeFields(merged, named(last), schema);
  let owned = emptySet;
  for (const manager of managers.values()) owned = union(owned, manager.fields);
  pruned = removeFields(merged, difference(mergedFields, union(named(fieldsOf(pruned, schema)), named(owned))), schema);
  // What the applier never owned stays, even where its parent went.
  const gone = difference(mergedFields, named(fieldsOf(pruned, schema)));
  return removeFields(merged, intersection(gone, named(last)), schema);
}
