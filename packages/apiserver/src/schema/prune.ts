// Pruning: what the schema does not name is dropped and reported; objects are changed in place.
// Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning.
import type { JsonObject, Schema } from './schema.ts';
import { childPath, isObject } from './schema.ts';

const META_FIELDS: ReadonlySet<string> = new Set(['apiVersion', 'kind', 'metadata']);

/**
 * Drops the members of a custom resource that its schema does not know.
 * @returns the paths of what was dropped, sorted (`spec.list[0].extra`); metadata is left to {@link pruneMetadata}
 */
export function prune(object: JsonObject, schema: Schema): string[] {
  const unknown: string[] = [];
  pruneObject(object, schema, '', true, unknown);
  return unknown.sort();
}

function pruneValue(value: unknown, schema: Schema | undefined, path: string, unknown: string[]): void {
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) pruneValue(value[index], schema?.items, childPath(path, index), unknown);
  } else if (isObject(value)) {
    pruneObject(value, schema, path, schema?.['x-kubernetes-embedded-resource'] === true, unknown);
  }
}

function pruneObject(object: JsonObject, schema: Schema | undefined, path: string, isResource: boolean, unknown: string[]): void {
  const keepsUnknown = schema?.['x-kubernetes-preserve-unknown-fields'] === true;
  const { properties, additionalProperties } = schema ?? {};
  for (const name of Object.keys(object)) {
    if (properties !== undefined && Object.hasOwn(properties, name)) {
      if (isResource && name === 'metadata') continue;
      pruneValue(object[name], properties[name], childPath(path, name), unknown);
    } else if (isResource && META_FIELDS.has(name)) {
      continue;
    } else if (additionalProperties !== undefined && additionalProperties !== false) {
      pruneValue(object[name], additionalProperties === true ? undefined : additionalProperties, childPath(path, name), unknown);
    } else if (!keepsUnknown) {
      unknown.push(childPath(path, name));
      delete object[name];
    }
  }
}

/** Calls `visit` with every embedded resource (x-kubernetes-embedded-resource) below a value. */
export function forEachEmbedded(value: unknown, schema: Schema | undefined, path: string, visit: (resource: JsonObject, path: string) => void): void {
  if (schema === undefined || !holdsEmbedded(schema)) return;
  if (Array.isArray(value)) {
    value.forEach((item, index) => forEachEmbedded(item, schema.items, childPath(path, index), visit));
  } else if (isObject(value)) {
    if (schema['x-kubernetes-embedded-resource'] === true) visit(value, path);
    const rest = schema.additionalProperties;
    for (const [name, member] of Object.entries(value)) {
      const below = schema.properties?.[name] ?? (typeof rest === 'object' ? rest : undefined);
      forEachEmbedded(member, below, childPath(path, name), visit);
    }
  }
}

const embeddedKnown = new WeakMap<Schema, boolean>();

function holdsEmbedded(schema: Schema): boolean {
  const known = embeddedKnown.get(schema);
  if (known !== undefined) return known;
  embeddedKnown.set(schema, false);
  const below = [...Object.values(schema.properties ?? {}), schema.items, schema.additionalProperties];
  const holds = schema['x-kubernetes-embedded-resource'] === true || below.some((one) => typeof one === 'object' && holdsEmbedded(one));
  embeddedKnown.set(schema, holds);
  return holds;
}
