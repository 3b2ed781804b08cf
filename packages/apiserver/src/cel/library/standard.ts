// The standard functions of CEL: sizes, conversions, strings, times. Source: cel-spec, langdef.md.
import type { CostModel, Definition } from '../functions.ts';
import { readsFirst, traverse } from '../functions.ts';
import { compileRe2 } from '../../schema/regexp.ts';
import type { Duration, Uint } from '../values.ts';
import { CelError, Timestamp, TypeValue, int64, keysOf, parseDuration, parseTimestamp, typeNameOf, uint64 } from '../values.ts';

const text = new TextDecoder('utf-8', { fatal: true });
const bytes = new TextEncoder();

/** The length of a string in code points. */
export function runes(value: string): bigint {
  let count = 0n;
  for (const _ of value) count++;
  return count;
}

function toInt(value: string): bigint {
  if (!/^-?\d+$/.test(value)) throw new CelError(`strconv.ParseInt: parsing ${JSON.stringify(value)}: invalid syntax`);
  return int64(BigInt(value));
}

function fromDouble(value: number): bigint {
  if (!Number.isFinite(value) || Math.abs(value) >= 2 ** 63) throw new CelError('integer overflow');
  return BigInt(Math.trunc(value));
}

function toDouble(value: string): number {
  if (value.trim() === '' || Number.isNaN(Number(value))) throw new CelError(`strconv.ParseFloat: parsing ${JSON.stringify(value)}: invalid syntax`);
  return Number(value);
}

function toBool(value: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw new CelError(`strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`);
}

function decode(value: Uint8Array): string {
  try {
    return text.decode(value);
  } catch {
    throw new CelError('invalid UTF-8 in bytes, cannot convert to string');
  }
}

/** A timestamp as RFC 3339 in UTC. */
export function timestampText({ nanos }: Timestamp): string {
  const second = 1_000_000_000n;
  const fraction = ((nanos % second) + second) % second;
  const date = new Date(Number((nanos - fraction) / 1_000_000n)).toISOString().slice(0, 19);
  return fraction === 0n ? `${date}Z` : `${date}.${fraction.toString().padStart(9, '0').replace(/0+$/, '')}Z`;
}

/** A duration in seconds: `5400s`, `0.5s`. */
export function durationText({ nanos }: Duration): string {
  const sign = nanos < 0n ? '-' : '';
  const size = nanos < 0n ? -nanos : nanos;
  const fraction = (size % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${sign}${size / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}s`;
}

function find(value: string, pattern: string): boolean {
  try {
    return compileRe2(pattern).matcher(value).find();
  } catch (error) {
    throw new CelError(`error parsing regexp: ${error instanceof Error ? error.message : String(error)}`);
  }
}

type Part = (date: Date) => number;

function datePart(timestamp: Timestamp, part: Part, zone = 'UTC'): bigint {
  return BigInt(part(new Date(Number(timestamp.nanos / 1_000_000n) + offsetMs(timestamp, zone))));
}

function offsetMs(timestamp: Timestamp, zone: string): number {
  const fixed = /^([+-]?)(\d\d):(\d\d)$/.exec(zone);
  if (fixed !== null) return (fixed[1] === '-' ? -1 : 1) * (Number(fixed[2]) * 60 + Number(fixed[3])) * 60_000;
  if (zone === 'UTC') return 0;
  const at = new Date(Number(timestamp.nanos / 1_000_000n));
  try {
    const local = new Date(`${at.toLocaleString('sv-SE', { timeZone: zone }).replace(' ', 'T')}Z`);
    return Math.round((local.getTime() - at.getTime()) / 60_000) * 60_000;
  } catch {
    throw new CelError(`unknown time zone ${zone}`);
  }
}

const dayOfYear: Part = (date) => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000);
const parts: readonly (readonly [string, Part])[] = [
  ['getFullYear', (date) => date.getUTCFullYear()],
  ['getMonth', (date) => date.getUTCMonth()],
  ['getDate', (date) => date.getUTCDate()],
  ['getDayOfMonth', (date) => date.getUTCDate() - 1],
  ['getDayOfWeek', (date) => date.getUTCDay()],
  ['getDayOfYear', dayOfYear],
  ['getHours', (date) => date.getUTCHours()],
  ['getMinutes', (date) => date.getUTCMinutes()],
  ['getSeconds', (date) => date.getUTCSeconds()],
  ['getMilliseconds', (date) => date.getUTCMilliseconds()],
];

const dateParts = parts.flatMap(([name, part]): Definition[] => [
  [`timestamp.${name}(): int`, (timestamp: Timestamp) => datePart(timestamp, part)],
  [`timestamp.${name}(string): int`, (timestamp: Timestamp, zone: string) => datePart(timestamp, part, zone)],
]);

const spans = (
  [
    ['getHours', 3_600_000_000_000n],
    ['getMinutes', 60_000_000_000n],
    ['getSeconds', 1_000_000_000n],
  ] as const
).map(([name, unit]): Definition => [`duration.${name}(): int`, ({ nanos }: Duration) => nanos / unit]);

const readsSecond: CostModel = { cost: ([, second = 0]) => traverse(second) };
const searches: CostModel = { cost: ([first = 0, second = 0]) => Math.ceil(first * 0.1 * Math.max(1, second * 0.1)) };
const regex: CostModel = { cost: ([first = 0, second = 0]) => Math.ceil((first + 1) * 0.1 * Math.max(1, second * 0.25)) };

export const standard: readonly Definition[] = [
  ['dyn(A): dyn', (value: unknown) => value],
  ['type(A): dyn', (value: unknown) => new TypeValue(typeNameOf(value))],
  ['size(string): int', runes, { cost: ([first = 0]) => traverse(first) }],
  ['string.size(): int', runes, { cost: ([first = 0]) => traverse(first) }],
  ['size(bytes): int', (value: Uint8Array) => BigInt(value.length)],
  ['bytes.size(): int', (value: Uint8Array) => BigInt(value.length)],
  ['size(list<A>): int', (list: readonly unknown[]) => BigInt(list.length)],
  ['list<A>.size(): int', (list: readonly unknown[]) => BigInt(list.length)],
  ['size(map<A, B>): int', (map: unknown) => BigInt(keysOf(map).length)],
  ['map<A, B>.size(): int', (map: unknown) => BigInt(keysOf(map).length)],
  ['bool(bool): bool', (value: boolean) => value],
  ['bool(string): bool', toBool],
  ['int(int): int', (value: bigint) => value],
  ['int(uint): int', ({ value }: Uint) => int64(value)],
  ['int(double): int', fromDouble],
  ['int(string): int', toInt],
  ['int(timestamp): int', ({ nanos }: Timestamp) => nanos / 1_000_000_000n],
  ['uint(uint): uint', (value: Uint) => value],
  ['uint(int): uint', (value: bigint) => uint64(value)],
  ['uint(double): uint', (value: number) => uint64(fromDouble(value))],
  ['uint(string): uint', (value: string) => uint64(toInt(value))],
  ['double(double): double', (value: number) => value],
  ['double(int): double', (value: bigint) => Number(value)],
  ['double(uint): double', ({ value }: Uint) => Number(value)],
  ['double(string): double', toDouble],
  ['string(string): string', (value: string) => value, { size: ([first = 0]) => first }],
  ['string(bool): string', (value: boolean) => String(value), { size: () => 5 }],
  ['string(int): string', (value: bigint) => value.toString(), { size: () => 20 }],
  ['string(uint): string', ({ value }: Uint) => value.toString(), { size: () => 20 }],
  ['string(double): string', (value: number) => String(value), { size: () => 24 }],
  ['string(bytes): string', decode, readsFirst],
  ['string(timestamp): string', timestampText, { size: () => 30 }],
  ['string(duration): string', durationText, { size: () => 30 }],
  ['bytes(string): bytes', (value: string) => bytes.encode(value), readsFirst],
  ['bytes(bytes): bytes', (value: Uint8Array) => value],
  ['timestamp(string): timestamp', parseTimestamp],
  ['timestamp(int): timestamp', (seconds: bigint) => new Timestamp(seconds * 1_000_000_000n)],
  ['timestamp(timestamp): timestamp', (value: Timestamp) => value],
  ['duration(string): duration', parseDuration],
  ['duration(duration): duration', (value: Duration) => value],
  ['string.contains(string): bool', (value: string, part: string) => value.includes(part), searches],
  ['string.startsWith(string): bool', (value: string, part: string) => value.startsWith(part), readsSecond],
  ['string.endsWith(string): bool', (value: string, part: string) => value.endsWith(part), readsSecond],
  ['string.matches(string): bool', find, regex],
  ['matches(string, string): bool', find, regex],
  ...dateParts,
  ...spans,
  ['duration.getMilliseconds(): int', ({ nanos }: Duration) => (nanos / 1_000_000n) % 1000n],
];
