// Defaulting: values that are missing, or null where null is not allowed, take the default of their schema; objects
// are changed in place. Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting.
import type { JsonObject, Schema } from './schema.ts';
import { isObject, memberSchema } from './schema.ts';

/** Fills in the defaults of a schema, and drops nulls that are neither allowed nor have a default. */
export function applyDefaults(object: JsonObject, schema: Schema): void {
  defaultObject(object, schema);
}

const namesByDefault = new WeakMap<Schema, readonly string[]>();

function namesWithDefault(schema: Schema): readonly string[] {
  const known = namesByDefault.get(schema);
  if (known !== undefined) return known;
  const names = Object.entries(schema.properties ?? {}).filter(([, property]) => property.default !== undefined);
  const found = names.map(([name]) => name);
  namesByDefault.set(schema, found);
  return found;
}

function isForbiddenNull(value: unknown, schema: Schema | undefined): boolean {
  return value === null && schema !== undefined && schema.nullable !== true;
}

function defaultValue(value: unknown, schema: Schema | undefined): void {
  if (schema === undefined) return;
  if (Array.isArray(value)) defaultList(value, schema);
  else if (isObject(value)) defaultObject(value, schema);
}

function defaultList(list: unknown[], schema: Schema): void {
  const { items } = schema;
  if (items === undefined) return;
  for (let index = 0; index < list.length; index++) {
    if (items.default !== undefined && isForbiddenNull(list[index], items)) list[index] = structuredClone(items.default);
    defaultValue(list[index], items);
  }
}

function defaultObject(object: JsonObject, schema: Schema): void {
  for (const name of namesWithDefault(schema)) {
    const property = schema.properties?.[name];
    if (!Object.hasOwn(object, name) || isForbiddenNull(object[name], property)) object[name] = structuredClone(property?.default);
  }
  for (const name of Object.keys(object)) defaultMember(object, name, memberSchema(schema, name));
}

function defaultMember(object: JsonObject, name: string, schema: Schema | undefined): void {
  if (!isForbiddenNull(object[name], schema)) defaultValue(object[name], schema);
  else if (schema?.default === undefined) delete object[name];
  else object[name] = structuredClone(schema.default);
}
