// What changed between two objects, as sets of fields. Source: sigs.k8s.io/structured-merge-diff/v6/typed/compare.go.
import { deepEqual } from '../registry/deep-equal.ts';
import { isObject, type JsonObject, type Schema } from '../schema/schema.ts';
import { FieldSetBuilder, recursiveDifference, union, type FieldSet } from './field-set.ts';
import { deduced, fieldSchema, itemSchema, itemsByKey, shapeOf } from './typed.ts';

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

interface Builders {
  added: FieldSetBuilder;
  modified: FieldSetBuilder;
  removed: FieldSetBuilder;
}

export function compare(before: unknown, after: unknown, schema: Schema): Comparison {
  const into: Builders = { added: new FieldSetBuilder(), modified: new FieldSetBuilder(), removed: new FieldSetBuilder() };
  visit(before, after, schema, into);
  return { added: into.added.build(), modified: into.modified.build(), removed: into.removed.build() };
}

/** The comparison without the fields that the request cannot change. */
export function without({ added, modified, removed }: Comparison, ignored: FieldSet): Comparison {
  return { added: recursiveDifference(added, ignored), modified: recursiveDifference(modified, ignored), removed: recursiveDifference(removed, ignored) };
}

export function changedFields({ added, modified }: Comparison): FieldSet {
  return union(added, modified);
}

function below(into: Builders, key: string): Builders {
  return { added: into.added.at(key), modified: into.modified.at(key), removed: into.removed.at(key) };
}

function visit(before: unknown, after: unknown, schema: Schema, into: Builders): void {
  if (before === after) return;
  const shape = shapeOf(schema, after ?? before);
  const isLeaf = shape === 'map' ? visitMap(before, after, schema, into) : shape === 'list' ? visitList(before, after, schema, into) : true;
  if (before === undefined) into.added.insert();
  else if (after === undefined) into.removed.insert();
  else if (isLeaf && !deepEqual(before, after)) into.modified.insert();
}

const asMap = (value: unknown): JsonObject => (isObject(value) ? value : {});
const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/** @returns true when the place counts as one leaf: both sides are empty */
function visitMap(before: unknown, after: unknown, schema: Schema, into: Builders): boolean {
  const [left, right] = [asMap(before), asMap(after)];
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  for (const name of names) {
    const [a, b] = [left[name], right[name]];
    if (a !== b) visit(a, b, fieldSchema(schema, name) ?? deduced, below(into, `f:${name}`));
  }
  return names.size === 0;
}

function visitList(before: unknown, after: unknown, schema: Schema, into: Builders): boolean {
  const [left, right] = [itemsByKey(asList(before), schema), itemsByKey(asList(after), schema)];
  for (const key of new Set([...left.keys(), ...right.keys()])) visit(left.get(key), right.get(key), itemSchema(schema), below(into, key));
  return left.size === 0 && right.size === 0;
}
