// Decoding as Go does it for built-in types: unknown fields are dropped and told, and a value of a wrong type ends it.
// Source: sigs.k8s.io/json.
import type { JsonObject, Schema } from './schema.ts';
import { childPath, isObject, memberSchema } from './schema.ts';

/**
 * Drops the members that a built-in type does not have, in place.
 * @returns their paths (`spec.list[0].extra`), in the order of the object
 */
export function unknownFields(object: JsonObject, schema: Schema, path = ''): string[] {
  const unknown: string[] = [];
  visit(object, schema, path, unknown);
  return unknown;
}

function visit(value: unknown, schema: Schema | undefined, path: string, unknown: string[]): void {
  if (schema === undefined || schema['x-kubernetes-preserve-unknown-fields'] === true) return;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) visit(value[index], schema.items, childPath(path, index), unknown);
  } else if (isObject(value) && (schema.properties !== undefined || schema.additionalProperties !== undefined)) {
    for (const name of Object.keys(value)) {
      const member = memberSchema(schema, name);
      if (member === undefined) {
        unknown.push(childPath(path, name));
        delete value[name];
      } else {
        visit(value[name], member, childPath(path, name), unknown);
      }
    }
  }
}

/**
 * The message of Go's decoder for the first value of a wrong type; undefined when all fit.
 * `json: cannot unmarshal number into Go struct field ConfigMap.data of type string`
 * @param typeName the Go type of the root (`ConfigMap`)
 */
export function decodeFault(value: unknown, schema: Schema, typeName: string): string | undefined {
  return fault(value, schema, typeName, '');
}

function fault(value: unknown, schema: Schema | undefined, typeName: string, path: string): string | undefined {
  if (value === null || value === undefined || schema === undefined) return undefined;
  const found = goKind(value);
  const wanted = goType(schema, value);
  if (wanted !== undefined) {
    const where = path === '' ? 'Go value' : `Go struct field ${typeName}.${path}`;
    return `json: cannot unmarshal ${found} into ${where} of type ${wanted}`;
  }
  if (schema.format === 'quantity' || schema.format === 'byte') return textFault(value, schema.format);
  return Array.isArray(value) ? listFault(value, schema, typeName, path) : isObject(value) ? objectFault(value, schema, typeName, path) : undefined;
}

const QUANTITY = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function textFault(value: unknown, format: 'quantity' | 'byte'): string | undefined {
  const text = typeof value === 'string' ? value : String(value as number);
  if (format === 'quantity')
    return QUANTITY.test(text) ? undefined : "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
  const joined = text.replaceAll(/[\r\n]/g, '');
  if (BASE64.test(joined)) return undefined;
  const good = /^[A-Za-z0-9+/]*/.exec(text)?.[0].length ?? 0;
  return `illegal base64 data at input byte ${good < text.length && text[good] !== '=' ? good : Math.max(0, text.length - (text.length % 4 || 4))}`;
}

function listFault(list: readonly unknown[], schema: Schema, typeName: string, path: string): string | undefined {
  for (const item of list) {
    const found = fault(item, schema.items, typeName, path);
    if (found !== undefined) return found;
  }
  return undefined;
}

function objectFault(object: JsonObject, schema: Schema, typeName: string, path: string): string | undefined {
  for (const name of Object.keys(object)) {
    const isField = schema.properties !== undefined && Object.hasOwn(schema.properties, name);
    const found = fault(object[name], memberSchema(schema, name), typeName, isField ? childPath(path, name) : path);
    if (found !== undefined) return found;
  }
  return undefined;
}

function goKind(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'bigint':
    case 'number':
      return 'number';
    default:
      return typeof value;
  }
}

const GO_NAMES: Readonly<Record<string, string>> = { boolean: 'bool', integer: 'int64', number: 'float64', string: 'string' };

// The Go type that a value does not fit; undefined when it fits.
function goType(schema: Schema, value: unknown): string | undefined {
  if (schema['x-kubernetes-preserve-unknown-fields'] === true || schema.type === undefined) return undefined;
  switch (schema.type) {
    case 'object':
      return isObject(value) ? undefined : schema.properties === undefined ? 'map[string]string' : 'struct';
    case 'array':
      return Array.isArray(value) || (schema.properties !== undefined && isObject(value)) ? undefined : `[]${GO_NAMES[schema.items?.type ?? ''] ?? 'struct'}`;
    case 'string':
      return typeof value === 'string' || (schema.format === 'quantity' && typeof value === 'number') ? undefined : 'string';
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'bool';
    default:
      return isNumber(schema, value) ? undefined : (schema.format ?? GO_NAMES[schema.type]);
  }
}

function isNumber(schema: Schema, value: unknown): boolean {
  if (typeof value !== 'number' && typeof value !== 'bigint') return false;
  if (schema.type !== 'integer') return true;
  return typeof value === 'bigint' || (Number.isInteger(value) && (schema.format !== 'int32' || Math.abs(value) <= 2 ** 31));
}
