// What CEL values are at run time: int is bigint, double is number, string, boolean, null, bytes is Uint8Array, list is
// an array, map and object are plain objects or Map, and the classes below. Values of an object stay as JSON has them
// until they are touched: `adapt` turns one into what its type says, and leaves alone what already is.
import { isDateTime } from '../schema/formats.ts';
import type { CelType } from './types.ts';

/** An error of evaluation: no such key, division by zero, … */
export class CelError extends Error {
  override readonly name = 'CelError';
}

/** Evaluation went over its budget; never absorbed by `||`, `&&` or a macro. */
export class CostError extends CelError {
  constructor() {
    super('operation cancelled: actual cost limit exceeded');
  }
}

export class Uint {
  readonly value: bigint;
  constructor(value: bigint) {
    this.value = value;
  }
}

/** Nanoseconds since 1970. */
export class Timestamp {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

export class Duration {
  readonly nanos: bigint;
  constructor(nanos: bigint) {
    this.nanos = nanos;
  }
}

export class Optional {
  static readonly none: Optional = new Optional(undefined);
  /** undefined when there is none. */
  readonly value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
  get present(): boolean {
    return this.value !== undefined;
  }
}

/** A value of a library type (Quantity, IP, URL, …): it knows how to compare itself. */
export interface OpaqueValue {
  readonly typeName: string;
  equals(other: unknown): boolean;
}

export function isOpaque(value: unknown): value is OpaqueValue {
  return typeof value === 'object' && value !== null && 'typeName' in value && 'equals' in value && typeof value.equals === 'function';
}

const MIN_INT = -(2n ** 63n);
const MAX_INT = 2n ** 63n - 1n;

/** Checks that an int fits 64 bits. @throws CelError */
export function int64(value: bigint): bigint {
  if (value < MIN_INT || value > MAX_INT) throw new CelError('integer overflow');
  return value;
}

export function uint64(value: bigint): Uint {
  if (value < 0n || value >= 2n ** 64n) throw new CelError('unsigned integer overflow');
  return new Uint(value);
}

/** Reads RFC 3339 with its nanoseconds. @throws CelError */
export function parseTimestamp(text: string): Timestamp {
  const match = /^(.{19})(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/i.exec(text);
  if (match === null || !isDateTime(text)) throw new CelError(`parsing time ${JSON.stringify(text)}: not an RFC 3339 time`);
  const [, seconds = '', fraction = '', zone = 'Z'] = match;
  const nanos = BigInt(fraction.padEnd(9, '0').slice(0, 9));
  return new Timestamp(BigInt(Date.parse(`${seconds}${zone}`)) * 1_000_000n + nanos);
}

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** Reads a duration of Go (`1h5m`). @throws CelError */
export function parseDuration(text: string): Duration {
  const match = /^([+-]?)((?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+|0)$/.exec(text);
  if (match === null) throw new CelError(`time: invalid duration ${JSON.stringify(text)}`);
  let nanos = 0n;
  for (const [, whole = '', fraction = '', unit = 's'] of (match[2] ?? '').matchAll(/(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/g)) {
    const scale = UNITS[unit] ?? 1n;
    nanos += BigInt(whole === '' ? '0' : whole) * scale + (BigInt(fraction.padEnd(18, '0').slice(0, 18)) * scale) / 10n ** 18n;
  }
  return new Duration(match[1] === '-' ? -nanos : nanos);
}

/** A value of an object as its type says it. */
export function adapt(value: unknown, type: CelType): unknown {
  switch (type.kind) {
    case 'int':
      return typeof value === 'number' ? BigInt(Math.trunc(value)) : value;
    case 'double':
      return typeof value === 'bigint' ? Number(value) : value;
    case 'timestamp':
      return typeof value === 'string' ? parseTimestamp(value.length === 10 ? `${value}T00:00:00Z` : value) : value;
    case 'duration':
      return typeof value === 'string' ? parseDuration(value) : value;
    case 'bytes':
      return typeof value === 'string' ? new Uint8Array(Buffer.from(value, 'base64')) : value;
    case 'dyn':
      return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value;
    case 'sized':
      return type.base === 'bytes' ? adapt(value, { kind: 'bytes' }) : value;
    default:
      return value;
  }
}

/** The members of a map or an object. */
export function keysOf(map: unknown): unknown[] {
  return map instanceof Map ? [...map.keys()] : Object.keys(map as object);
}

const mapKey = (key: unknown): string => (key instanceof Uint ? key.value.toString() : String(key));

/** The member of a map or an object; undefined when there is none. */
export function memberOf(map: unknown, key: unknown): unknown {
  if (map instanceof Map) {
    if (map.has(key)) return map.get(key);
    for (const [name, value] of map) if (equals(name, key)) return value;
    return undefined;
  }
  const name = mapKey(key);
  return Object.hasOwn(map as object, name) ? (map as Record<string, unknown>)[name] : undefined;
}

/** Equality of CEL: numbers compare by value across their types, lists and maps deeply, different types are unequal. */
export function equals(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (isNumeric(left) && isNumeric(right)) return numberOf(left) == numberOf(right); // eslint-disable-line eqeqeq -- bigint with number
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left)) return Array.isArray(right) && left.length === right.length && left.every((item, index) => equals(item, right[index]));
  if (left instanceof Timestamp) return right instanceof Timestamp && left.nanos === right.nanos;
  if (left instanceof Duration) return right instanceof Duration && left.nanos === right.nanos;
  if (left instanceof Uint8Array) return right instanceof Uint8Array && Buffer.compare(left, right) === 0;
  if (left instanceof Optional) return right instanceof Optional && left.present === right.present && (!left.present || equals(left.value, right.value));
  if (isOpaque(left)) return left.equals(right);
  if (Array.isArray(right)) return false;
  const names = keysOf(left);
  return (
    names.length === keysOf(right).length &&
    names.every((name) => {
      const other = memberOf(right, name);
      return other !== undefined && equals(memberOf(left, name), other);
    })
  );
}

export function isNumeric(value: unknown): value is number | bigint | Uint {
  return typeof value === 'bigint' || typeof value === 'number' || value instanceof Uint;
}

export function numberOf(value: number | bigint | Uint): number | bigint {
  return value instanceof Uint ? value.value : value;
}

/** Order of two values: negative, 0 or positive; undefined when they have none. */
export function compare(left: unknown, right: unknown): number | undefined {
  if (isNumeric(left) && isNumeric(right)) return order(numberOf(left), numberOf(right));
  if (typeof left === 'string' && typeof right === 'string') return compareText(left, right);
  if (typeof left === 'boolean' && typeof right === 'boolean') return Number(left) - Number(right);
  if (left instanceof Timestamp && right instanceof Timestamp) return order(left.nanos, right.nanos);
  if (left instanceof Duration && right instanceof Duration) return order(left.nanos, right.nanos);
  if (left instanceof Uint8Array && right instanceof Uint8Array) return Buffer.compare(left, right);
  return undefined;
}

function order(left: number | bigint, right: number | bigint): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

// Go compares bytes of UTF-8, which is the order of code points; JavaScript's < compares UTF-16 units.
function compareText(left: string, right: string): number {
  if (left === right) return 0;
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

/** The name of a value's type, as `type()` and messages give it. */
export function typeNameOf(value: unknown): string {
  if (value === null) return 'null_type';
  switch (typeof value) {
    case 'bigint':
      return 'int';
    case 'number':
      return 'double';
    case 'boolean':
      return 'bool';
    case 'string':
      return 'string';
    default:
      break;
  }
  if (Array.isArray(value)) return 'list';
  if (value instanceof Uint) return 'uint';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Timestamp) return 'google.protobuf.Timestamp';
  if (value instanceof Duration) return 'google.protobuf.Duration';
  if (value instanceof Optional) return 'optional_type';
  return isOpaque(value) ? value.typeName : 'map';
}

/** The size that costs are counted in: characters, bytes, items or members; 1 for anything else. */
export function sizeOf(value: unknown): number {
  if (typeof value === 'string' || Array.isArray(value) || value instanceof Uint8Array) return value.length;
  if (value instanceof Map) return value.size;
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype ? Object.keys(value).length : 1;
}

/** A type as a value: what `type(x)` gives. */
export class TypeValue implements OpaqueValue {
  readonly typeName = 'type';
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
  equals(other: unknown): boolean {
    return other instanceof TypeValue && other.name === this.name;
  }
}

/** True when a value at run time is of a type of a signature. */
export function fits(value: unknown, type: CelType): boolean {
  switch (type.kind) {
    case 'parameter':
    case 'dyn':
      return true;
    case 'list':
      return Array.isArray(value);
    case 'optional':
      return value instanceof Optional;
    case 'opaque':
      return isOpaque(value) && value.typeName === type.name;
    case 'timestamp':
      return value instanceof Timestamp;
    case 'duration':
      return value instanceof Duration;
    case 'null':
      return value === null;
    case 'map':
    case 'object':
      return typeNameOf(value) === 'map';
    case 'sized':
      return typeNameOf(value) === type.base;
    default:
      return typeNameOf(value) === type.kind;
  }
}
