// The CEL type of a schema, and how large its values can get (for the estimate of costs).
// Source: k8s.io/apiserver/pkg/cel/common/schemas.go.
import type { Schema } from '../schema/schema.ts';
import { escapeField } from './escape.ts';
import type { CelType, FieldOfObject } from './types.ts';
import { BOOL, DOUBLE, DURATION, DYN, INT, STRING, TIMESTAMP } from './types.ts';

// A request has at most 3 MiB; the largest list, map or string that fits bounds what a rule may meet.
const REQUEST_BYTES = 3 * 1024 * 1024;

const objectMeta: Schema = { type: 'object', properties: { name: { type: 'string' }, generateName: { type: 'string' } } };
const resourceFields: Readonly<Record<string, Schema>> = { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: objectMeta };

const types = new WeakMap<Schema, CelType>();

/**
 * The type of `self` for a value of this schema; undefined when rules cannot see such values (unknown fields).
 * @param isRoot the root of a resource has apiVersion, kind and metadata, whatever its schema says
 */
export function celTypeOf(schema: Schema, isRoot = false): CelType | undefined {
  const known = types.get(schema);
  if (known !== undefined) return known;
  const made = make(schema, isRoot || schema['x-kubernetes-embedded-resource'] === true);
  if (made !== undefined) types.set(schema, made);
  return made;
}

function make(schema: Schema, isResource: boolean): CelType | undefined {
  if (schema['x-kubernetes-int-or-string'] === true) return DYN;
  switch (schema.type) {
    case 'array':
      return listType(schema);
    case 'object':
      return typeof schema.additionalProperties === 'object' ? mapType(schema, schema.additionalProperties) : objectType(schema, isResource);
    case 'string':
      return stringType(schema);
    case 'boolean':
      return BOOL;
    case 'number':
      return DOUBLE;
    case 'integer':
      return INT;
    default:
      return undefined;
  }
}

function listType(schema: Schema): CelType | undefined {
  const item = schema.items === undefined ? undefined : celTypeOf(schema.items);
  if (item === undefined || schema.items === undefined) return undefined;
  return { kind: 'list', of: item, sizeLimit: schema.maxItems ?? Math.floor((REQUEST_BYTES - 2) / (leastSize(schema.items) + 1)) };
}

function mapType(schema: Schema, values: Schema): CelType | undefined {
  const value = celTypeOf(values);
  if (value === undefined) return undefined;
  return { kind: 'map', key: STRING, value, sizeLimit: schema.maxProperties ?? Math.floor((REQUEST_BYTES - 2) / (leastSize(values) + 6)) };
}

function objectType(schema: Schema, isResource: boolean): CelType {
  const fields = new Map<string, FieldOfObject>();
  const properties = isResource ? { ...schema.properties, ...resourceFields } : (schema.properties ?? {});
  for (const [jsonName, property] of Object.entries(properties)) {
    const name = escapeField(jsonName);
    if (name !== undefined && celTypeOf(property) !== undefined) fields.set(name, { jsonName, type: () => celTypeOf(property) ?? DYN });
  }
  return { kind: 'object', name: 'object', fields };
}

function stringType(schema: Schema): CelType {
  switch (schema.format) {
    case 'byte':
      return { kind: 'sized', base: 'bytes', sizeLimit: schema.maxLength ?? REQUEST_BYTES - 2 };
    case 'duration':
      return DURATION;
    case 'date':
    case 'date-time':
      return TIMESTAMP;
    default:
      return { kind: 'sized', base: 'string', sizeLimit: stringLimit(schema) };
  }
}

function stringLimit(schema: Schema): number {
  if (schema.maxLength !== undefined) return schema.maxLength * 4; // four bytes of UTF-8 a character
  if (schema.enum !== undefined) return Math.max(0, ...schema.enum.map((one) => String(one).length));
  return REQUEST_BYTES - 2;
}

// The fewest bytes of JSON that a value takes.
function leastSize(schema: Schema): number {
  if (schema['x-kubernetes-int-or-string'] === true) return 1;
  switch (schema.type) {
    case 'boolean':
      return 4;
    case 'string':
      return schema.format === undefined ? 2 : 3;
    case 'array':
      return 2;
    case 'object':
      return leastObjectSize(schema);
    default:
      return 1;
  }
}

function leastObjectSize(schema: Schema): number {
  let size = 2;
  for (const name of schema.required ?? []) {
    const property = schema.properties?.[name];
    if (property !== undefined && property.default === undefined) size += name.length + 4 + leastSize(property);
  }
  return size;
}
