// The set of fields that an applied configuration speaks of.
// Source: sigs.k8s.io/structured-merge-diff/v6/typed/tofieldset.go and fieldpath/set.go (EnsureNamedFieldsAreMembers).
import { isObject, type JsonObject, type Schema } from '../schema/schema.ts';
import { FieldSetBuilder, leafSet, type FieldSet } from './field-set.ts';
import { deduced, fieldSchema, isNamedField, itemSchema, keyOrUndefined, shapeOf } from './typed.ts';

/** Leaves, items of keyed lists, keys of maps, and members that are empty. */
export function fieldsOf(value: unknown, schema: Schema): FieldSet {
  const builder = new FieldSetBuilder();
  collect(value, schema, builder);
  return builder.build();
}

function collect(value: unknown, schema: Schema, into: FieldSetBuilder): void {
  switch (shapeOf(schema, value)) {
    case 'map':
      if (isObject(value)) collectMembers(value, schema, into);
      return;
    case 'list':
      if (Array.isArray(value)) collectItems(value, schema, into);
      return;
    default:
      into.insert();
  }
}

function collectMembers(value: JsonObject, schema: Schema, into: FieldSetBuilder): void {
  for (const [name, member] of Object.entries(value)) {
    if (member === undefined) continue;
    const place = into.at(`f:${name}`);
    collect(member, fieldSchema(schema, name) ?? deduced, place);
    const isBare = member === null || (isObject(member) && Object.keys(member).length === 0);
    if (isBare || !isNamedField(schema, name)) place.insert();
  }
}

function collectItems(list: readonly unknown[], schema: Schema, into: FieldSetBuilder): void {
  const keys = list.map((item) => keyOrUndefined(item, schema));
  const counts = new Map<string, number>();
  for (const key of keys) if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1);
  keys.forEach((key, index) => {
    if (key === undefined) return;
    const place = into.at(key);
    place.insert();
    if (counts.get(key) === 1) collect(list[index], itemSchema(schema), place);
  });
}

/** Adds the struct fields on the way to each path: `spec` and `spec.size` for `spec.size`, but no key of a map. */
export function withNamedFields(set: FieldSet, schema: Schema): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [key, child] of set.children) {
    if (child.children.size === 0) {
      children.set(key, leafSet);
      continue;
    }
    const name = key.startsWith('f:') ? key.slice(2) : undefined;
    const below = withNamedFields(child, name === undefined ? itemSchema(schema) : (fieldSchema(schema, name) ?? deduced));
    children.set(key, { member: child.member || (name !== undefined && isNamedField(schema, name)), children: below.children });
  }
  return { member: set.member, children };
}
