// Decodes the protobuf bodies of built-in kinds (application/vnd.kubernetes.protobuf) into the JSON they stand for, by
// the field numbers in the pages of built-in types. Fields that no page knows are skipped, as protobuf wants it.
// Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
import type { BuiltinType } from '../builtin/schemas/catalogue.ts';
import { builtinKind, builtinType, qualify } from '../builtin/schemas/catalogue.ts';
import type { Field, FieldType } from '../builtin/schemas/notation.ts';
import type { JsonObject } from '../schema/schema.ts';
import { readFields, textOf, WireError } from './reader.ts';

export const PROTOBUF = 'application/vnd.kubernetes.protobuf';

const MAGIC = [0x6b, 0x38, 0x73, 0x00]; // "k8s\0"

export interface DecodedBody {
  readonly apiVersion: string;
  readonly kind: string;
  /** Undefined when the kind is none that the pages have. */
  readonly object: JsonObject | undefined;
}

/**
 * Decodes an enveloped body.
 * @throws WireError when it is no protobuf of Kubernetes
 */
export function decodeProtobuf(body: Uint8Array): DecodedBody {
  if (!MAGIC.every((byte, index) => body[index] === byte))
    throw new WireError('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]');
  let apiVersion = '';
  let kind = '';
  let raw: Uint8Array = new Uint8Array();
  for (const { number, value } of readFields(body.subarray(MAGIC.length))) {
    if (!(value instanceof Uint8Array)) continue;
    if (number === 1) ({ apiVersion, kind } = typeMeta(value));
    if (number === 2) raw = value;
  }
  const type = builtinKind(apiVersion, kind) ?? (kind === 'DeleteOptions' ? builtinType('meta.v1.DeleteOptions') : undefined);
  return { apiVersion, kind, object: type === undefined ? undefined : { kind, apiVersion, ...decodeMessage(type, raw) } };
}

function typeMeta(bytes: Uint8Array): { apiVersion: string; kind: string } {
  const meta = { apiVersion: '', kind: '' };
  for (const { number, value } of readFields(bytes)) {
    if (!(value instanceof Uint8Array)) continue;
    if (number === 1) meta.apiVersion = textOf(value);
    if (number === 2) meta.kind = textOf(value);
  }
  return meta;
}

// Fields by number; a number that stands for inlined fields leads to a table of its own.
type Table = Map<number, Field | Table>;
const tables = new WeakMap<BuiltinType, Table>();

function tableOf(type: BuiltinType): Table {
  const known = tables.get(type);
  if (known !== undefined) return known;
  const table: Table = new Map();
  for (const field of type.fields.values()) addField(table, field, field.wire);
  tables.set(type, table);
  return table;
}

function addField(table: Table, field: Field, [number, ...rest]: readonly number[]): void {
  if (number === undefined) return;
  if (rest.length === 0) {
    table.set(number, field);
    return;
  }
  const inner = table.get(number);
  const below: Table = inner instanceof Map ? inner : new Map();
  table.set(number, below);
  addField(below, field, rest);
}

function decodeMessage(type: BuiltinType, bytes: Uint8Array): JsonObject {
  const object: JsonObject = {};
  fill(object, tableOf(type), type.page, bytes);
  return object;
}

function fill(object: JsonObject, table: Table, page: string, bytes: Uint8Array): void {
  for (const { number, value } of readFields(bytes)) {
    const field = table.get(number);
    if (field === undefined) continue;
    if (field instanceof Map) fill(object, field, page, bytesOf(value));
    else put(object, field, page, value);
  }
}

function put(object: JsonObject, field: Field, page: string, value: bigint | number | Uint8Array): void {
  const { name, type } = field;
  if (type.kind === 'list') {
    const list = (object[name] ??= []) as unknown[];
    list.push(decodeValue(type.of, page, value));
  } else if (type.kind === 'map') {
    const [key, item] = decodeEntry(type.of, page, bytesOf(value));
    const map = (object[name] ??= {}) as JsonObject;
    Object.defineProperty(map, key, { value: item, enumerable: true, configurable: true, writable: true });
  } else {
    const decoded = decodeValue(type, page, value);
    if (decoded !== undefined && !isImplicit(decoded, field)) object[name] = decoded;
  }
}

// Go's protobuf writes the zero value of every field that is no pointer; its JSON leaves the optional ones out.
function isImplicit(value: unknown, { required, pointer, type }: Field): boolean {
  return !required && pointer !== true && type.kind === 'scalar' && (value === '' || value === 0 || value === false);
}

function decodeEntry(of: FieldType, page: string, bytes: Uint8Array): [string, unknown] {
  let key = '';
  let item: unknown;
  for (const { number, value } of readFields(bytes)) {
    if (number === 1) key = textOf(bytesOf(value));
    if (number === 2) item = decodeValue(of, page, value);
  }
  return [key, item ?? emptyOf(of)];
}

function emptyOf(type: FieldType): unknown {
  if (type.kind !== 'scalar') return type.kind === 'list' ? [] : {};
  return type.name === 'string' || type.name === 'bytes' ? '' : type.name === 'quantity' ? '0' : 0;
}

function decodeValue(type: FieldType, page: string, value: bigint | number | Uint8Array): unknown {
  switch (type.kind) {
    case 'ref':
      return decodeMessage(builtinType(qualify(page, type.name)), bytesOf(value));
    case 'list':
      return decodeWrappedList(type.of, page, bytesOf(value));
    case 'map':
      return undefined; // maps of maps do not occur
    default:
      return decodeScalar(type.name, value);
  }
}

// A list inside a map (SubjectAccessReview.extra) is a message with the items in field 1.
function decodeWrappedList(of: FieldType, page: string, bytes: Uint8Array): unknown[] {
  const list: unknown[] = [];
  for (const { number, value } of readFields(bytes)) if (number === 1) list.push(decodeValue(of, page, value));
  return list;
}

function decodeScalar(name: string, value: bigint | number | Uint8Array): unknown {
  switch (name) {
    case 'bool':
      return value !== 0n;
    case 'int32':
    case 'int64':
      return integer(value);
    case 'double':
      return double(value);
    case 'string':
      return textOf(bytesOf(value));
    case 'bytes':
      return Buffer.from(bytesOf(value)).toString('base64');
    case 'time':
    case 'microtime':
      return decodeTime(bytesOf(value), name === 'microtime');
    case 'quantity':
      return decodeFirstText(bytesOf(value));
    case 'intOrString':
      return decodeIntOrString(bytesOf(value));
    case 'schemaOrBool':
    case 'schemaOrArray':
    case 'schemaOrStrings':
      return decodeUnion(name, bytesOf(value));
    default:
      return decodeRaw(bytesOf(value));
  }
}

function bytesOf(value: bigint | number | Uint8Array): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new WireError('wrong wireType for a length-delimited field');
}

function integer(value: bigint | number | Uint8Array): number | bigint {
  const signed = BigInt.asIntN(64, typeof value === 'bigint' ? value : BigInt(typeof value === 'number' ? value : 0));
  return signed >= BigInt(Number.MIN_SAFE_INTEGER) && signed <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(signed) : signed;
}

function double(value: bigint | number | Uint8Array): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, typeof value === 'bigint' ? value : 0n);
  return view.getFloat64(0);
}

function decodeTime(bytes: Uint8Array, withMicros: boolean): string | undefined {
  let seconds = 0n;
  let nanos = 0n;
  for (const { number, value } of readFields(bytes)) {
    if (number === 1 && typeof value === 'bigint') seconds = BigInt.asIntN(64, value);
    if (number === 2 && typeof value === 'bigint') nanos = BigInt.asIntN(64, value);
  }
  if (bytes.length === 0 || seconds < -62_135_596_799n) return undefined; // Go's zero time
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return withMicros ? `${text}.${(nanos / 1000n).toString().padStart(6, '0')}Z` : `${text}Z`;
}

function decodeFirstText(bytes: Uint8Array): string {
  for (const { number, value } of readFields(bytes)) if (number === 1) return textOf(bytesOf(value));
  return '';
}

function decodeIntOrString(bytes: Uint8Array): number | string {
  let isText = false;
  let number: number | bigint = 0;
  let text = '';
  for (const field of readFields(bytes)) {
    if (field.number === 1) isText = field.value === 1n;
    if (field.number === 2) number = integer(field.value);
    if (field.number === 3) text = textOf(bytesOf(field.value));
  }
  return isText ? text : Number(number);
}

function decodeRaw(bytes: Uint8Array): unknown {
  for (const { number, value } of readFields(bytes)) {
    if (number !== 1) continue;
    const text = textOf(bytesOf(value));
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw new WireError('raw JSON field holds no JSON');
    }
  }
  return {};
}

function decodeUnion(name: string, bytes: Uint8Array): unknown {
  const type = builtinType('apiextensions.v1.JSONSchemaProps');
  const texts: string[] = [];
  let allows = true;
  for (const { number, value } of readFields(bytes)) {
    if (value instanceof Uint8Array) {
      const holdsSchema = name === 'schemaOrBool' ? number === 2 : number === 1;
      if (holdsSchema) return decodeMessage(type, value);
      texts.push(textOf(value));
    } else if (name === 'schemaOrBool' && number === 1) allows = value !== 0n;
  }
  return name === 'schemaOrBool' ? allows : texts;
}
