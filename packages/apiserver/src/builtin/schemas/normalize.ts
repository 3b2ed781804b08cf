// The form that a built-in object has after a round trip through its Go type: nulls, empty lists, maps and texts that
// say nothing are not there.
import { formatQuantity, parseQuantity } from '@snapshot-stack/api-types';
import { isObject, type JsonObject } from '../../schema/schema.ts';
import type { BuiltinType } from './catalogue.ts';
import { builtinType, qualify } from './catalogue.ts';
import type { Field, FieldType } from './notation.ts';

/** Brings an object of a built-in type into that form, in place. */
export function normalize(object: JsonObject, type: BuiltinType): void {
  for (const name of Object.keys(object)) {
    const field = type.fields.get(name);
    if (object[name] === null && field?.always !== true) delete object[name];
    else if (field !== undefined) normalizeMember(object, field, type.page);
  }
  for (const [name, zero] of zerosOf(type)) if (object[name] === undefined) object[name] = zero();
}

const zeros = new WeakMap<BuiltinType, readonly (readonly [string, () => unknown])[]>();

/** The fields that are written even when nobody set them, and what Go writes then. */
function zerosOf(type: BuiltinType): readonly (readonly [string, () => unknown])[] {
  const known = zeros.get(type) ?? [...type.fields.values()].filter(({ always }) => always === true).flatMap(zeroOf);
  zeros.set(type, known);
  return known;
}

function zeroOf({ name, type }: Field): (readonly [string, () => unknown])[] {
  if (type.kind === 'ref') return [[name, () => ({})]];
  if (type.kind !== 'scalar') return [];
  return [[name, type.name === 'string' ? () => '' : () => null]];
}

function normalizeMember(object: JsonObject, field: Field, page: string): void {
  const value = normalizeItem(object[field.name], field.type, page, object[field.name]);
  object[field.name] = value;
  if (isEmpty(value, field)) delete object[field.name];
}

function isEmpty(value: unknown, { type, required, pointer, always }: Field): boolean {
  if (required || always === true) return false;
  if (Array.isArray(value)) return value.length === 0;
  if (type.kind === 'map') return isObject(value) && Object.keys(value).length === 0;
  return value === '' && pointer !== true;
}

function normalizeValue(value: unknown, type: FieldType, page: string): void {
  if (type.kind === 'ref') {
    if (isObject(value)) normalize(value, builtinType(qualify(page, type.name)));
  } else if (type.kind === 'list') {
    if (Array.isArray(value)) for (const [index, item] of value.entries()) value[index] = normalizeItem(item, type.of, page);
  } else if (type.kind === 'map' && isObject(value)) {
    for (const name of Object.keys(value)) {
      const item = normalizeItem(value[name], type.of, page);
      if (item !== value[name]) Object.defineProperty(value, name, { value: item, enumerable: true, configurable: true, writable: true });
    }
  }
}

// null in a list or map of structs is a struct with nothing in it; a quantity takes its canonical spelling.
function normalizeItem(item: unknown, type: FieldType, page: string, absent: unknown = {}): unknown {
  if (item === null && type.kind === 'ref') return absent;
  if (type.kind === 'scalar' && type.name === 'quantity' && (typeof item === 'string' || typeof item === 'number')) return formatQuantity(parseQuantity(item));
  normalizeValue(item, type, page);
  return item;
}
