// How a value of a schema is put together: a scalar, a map whose members are owned one by one, a list whose items
// have keys, or something that is owned as a whole. Source: sigs.k8s.io/structured-merge-diff/v6/schema, and the
// conversion of OpenAPI to it in k8s.io/kube-openapi/pkg/schemaconv.
import { builtinKind, builtinType, qualify, type BuiltinType } from '../builtin/schemas/catalogue.ts';
import { groupVersionOf, type ResourceDefinition } from '../registry/resource.ts';
import { canonical, listMapKey } from '../schema/list-types.ts';
import { isObject, memberSchema, type JsonObject, type Schema } from '../schema/schema.ts';

export type Shape = 'scalar' | 'map' | 'list' | 'atomic';

/** An unknown type is deduced from its value: maps are granular, lists atomic. */
export const deduced: Schema = { 'x-kubernetes-preserve-unknown-fields': true };

const roots = new WeakMap<Schema, Schema>();

/** The schema of whole objects of a resource, with their apiVersion, kind and metadata. */
export function rootSchema(definition: ResourceDefinition): Schema {
  if (!definition.custom) return builtinKind(groupVersionOf(definition), definition.kind)?.schema ?? deduced;
  const own = definition.schema ?? deduced;
  let root = roots.get(own);
  if (root === undefined) {
    const common = { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: builtinType('meta.v1.ObjectMeta').schema };
    root = { ...own, type: 'object', properties: { ...own.properties, ...common } };
    roots.set(own, root);
  }
  return root;
}

// Structs that Go holds by value, so that they are there even in an empty object, and nobody can add them.
const VALUES: ReadonlySet<string> = new Set(['spec', 'status', 'metadata', 'core.v1.PersistentVolumeClaimSpec.resources', 'core.v1.Event.source']);
const blanks = new Map<string, JsonObject>();

/** The object that a new one is compared with: nothing at all, or of built-in kinds what Go's zero value shows. */
export function blankObject(definition: ResourceDefinition): JsonObject {
  const common = { apiVersion: groupVersionOf(definition), kind: definition.kind, metadata: {} };
  const type = definition.custom ? undefined : builtinKind(common.apiVersion, common.kind);
  if (type === undefined) return common;
  const known = blanks.get(type.name) ?? { ...blankStruct(type, true), ...common };
  blanks.set(type.name, known);
  return known;
}

function blankStruct(type: BuiltinType, isRoot: boolean): JsonObject {
  const blank: JsonObject = {};
  for (const { name, type: fieldType, required } of type.fields.values()) {
    if (fieldType.kind === 'ref') {
      const isValue = required || VALUES.has(`${type.name}.${name}`) || (isRoot && VALUES.has(name));
      if (isValue) blank[name] = blankStruct(builtinType(qualify(type.page, fieldType.name)), false);
    } else if (required && fieldType.kind !== 'scalar') blank[name] = null;
  }
  return blank;
}

function isDeduced(schema: Schema): boolean {
  return schema.type === undefined && schema['x-kubernetes-int-or-string'] !== true && schema.properties === undefined;
}

/** The shape of a place in an object; `value` decides only where the schema leaves it open. */
export function shapeOf(schema: Schema, value: unknown): Shape {
  if (isDeduced(schema)) return Array.isArray(value) ? 'atomic' : isObject(value) ? 'map' : 'scalar';
  if (schema.type === 'array') {
    const type = schema['x-kubernetes-list-type'];
    return type === 'map' || type === 'set' ? 'list' : 'atomic';
  }
  if (schema.type === 'object' || schema.properties !== undefined) return schema['x-kubernetes-map-type'] === 'atomic' ? 'atomic' : 'map';
  return 'scalar';
}

/** The schema of a member; undefined when the schema does not declare it. */
export function fieldSchema(schema: Schema, name: string): Schema | undefined {
  const declared = memberSchema(schema, name);
  if (declared !== undefined) return declared;
  return isDeduced(schema) || schema['x-kubernetes-preserve-unknown-fields'] === true || schema.additionalProperties === true ? deduced : undefined;
}

/** True for a field of a struct, false for a key of a map. */
export function isNamedField(schema: Schema, name: string): boolean {
  return schema.properties !== undefined && Object.hasOwn(schema.properties, name);
}

export function itemSchema(schema: Schema): Schema {
  return schema.items ?? deduced;
}

/** The FieldsV1 key of an item of a list map or a list set. @throws Error saying why it has none */
export function itemKey(item: unknown, schema: Schema): string {
  if (schema['x-kubernetes-list-type'] === 'set') {
    if (typeof item === 'object' && item !== null)
      throw new Error(`associative list without keys has an element that's a ${Array.isArray(item) ? 'list' : 'map'} type`);
    return `v:${canonical(item)}`;
  }
  if (item === null || item === undefined) throw new Error('associative list with keys may not have a null element');
  const key = listMapKey(item, schema);
  if (key === undefined) throw new Error('associative list with keys may not have non-map elements');
  for (const name of schema['x-kubernetes-list-map-keys'] ?? []) {
    if (!Object.hasOwn(key, name))
      throw new Error(`associative list with keys has an element that omits key field ${JSON.stringify(name)} (and doesn't have default value)`);
  }
  return `k:${canonical(key)}`;
}

/** The items of a list by key, where keys can be had; an item whose key came before is left out. */
export function itemsByKey(list: readonly unknown[], schema: Schema): Map<string, unknown> {
  const items = new Map<string, unknown>();
  for (const item of list) {
    const key = keyOrUndefined(item, schema);
    if (key !== undefined && !items.has(key)) items.set(key, item);
  }
  return items;
}

export function keyOrUndefined(item: unknown, schema: Schema): string | undefined {
  try {
    return itemKey(item, schema);
  } catch {
    return undefined;
  }
}
