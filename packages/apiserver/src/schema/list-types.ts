// Uniqueness in lists of x-kubernetes-list-type set and map.
// Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/listtype.
import { stringifyJson } from '@snapshot-stack/api-types';
import type { FieldError } from './field-error.ts';
import { duplicate } from './field-error.ts';
import type { Schema } from './schema.ts';
import { childPath, isObject, memberSchema } from './schema.ts';

const interesting = new WeakMap<Schema, boolean>();

function holdsUniqueLists(schema: Schema): boolean {
  const known = interesting.get(schema);
  if (known !== undefined) return known;
  interesting.set(schema, false); // a type may contain itself
  const below = [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties];
  const type = schema['x-kubernetes-list-type'];
  const holds = type === 'set' || type === 'map' || below.some((one) => typeof one === 'object' && holdsUniqueLists(one));
  interesting.set(schema, holds);
  return holds;
}

/** The duplicates in the sets and maps of a value. */
export function listTypeErrors(value: unknown, schema: Schema, path = ''): FieldError[] {
  const errors: FieldError[] = [];
  collect(value, schema, path, errors);
  return errors;
}

function collect(value: unknown, schema: Schema | undefined, path: string, errors: FieldError[]): void {
  if (schema === undefined || !holdsUniqueLists(schema)) return;
  if (Array.isArray(value)) {
    if (schema['x-kubernetes-list-type'] === 'set') collectDuplicates(value, path, errors, (item) => item);
    if (schema['x-kubernetes-list-type'] === 'map') collectDuplicates(value, path, errors, (item) => listMapKey(item, schema));
    for (let index = 0; index < value.length; index++) collect(value[index], schema.items, childPath(path, index), errors);
  } else if (isObject(value)) {
    for (const name of Object.keys(value)) collect(value[name], memberSchema(schema, name), childPath(path, name), errors);
  }
}

function collectDuplicates(list: readonly unknown[], path: string, errors: FieldError[], keyOf: (item: unknown) => unknown): void {
  const seen = new Set<string>();
  list.forEach((item, index) => {
    const key = keyOf(item);
    if (key === undefined) return;
    const text = canonical(key);
    if (seen.has(text)) errors.push(duplicate(childPath(path, index), key));
    seen.add(text);
  });
}

/** The members of an item that identify it in a list map, with the defaults of its schema; undefined for a non-object. */
export function listMapKey(item: unknown, schema: Schema): Record<string, unknown> | undefined {
  if (!isObject(item)) return undefined;
  const key: Record<string, unknown> = {};
  for (const name of schema['x-kubernetes-list-map-keys'] ?? []) {
    const value = item[name] ?? schema.items?.properties?.[name]?.default;
    if (value !== undefined) key[name] = value;
  }
  return key;
}

/** One text for equal JSON values, whatever the order of their members. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (!isObject(value)) return stringifyJson(value);
  const members = Object.keys(value)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`);
  return `{${members.join(',')}}`;
}
