// Functions on lists of Kubernetes (isSorted, sum, min, max, indexOf, …), sets, and optionals.
// Sources: k8s.io/apiserver/pkg/cel/library/lists.go, cel-go ext/sets.go, ext/lists.go and cel/library.go.
import type { CostModel, Definition } from '../functions.ts';
import { binary } from '../operators.ts';
import { CelError, Duration, Optional, compare, equals } from '../values.ts';

type List = readonly unknown[];

const scans: CostModel = { cost: ([first = 0]) => first, size: ([first = 0]) => first };
const scansBoth: CostModel = { cost: ([first = 0, second = 0]) => first * second };

// Items of typed lists stay as JSON has them; integers of JSON are ints here.
const number = (item: unknown): unknown => (typeof item === 'number' && Number.isInteger(item) ? BigInt(item) : item);

function isSorted(list: List): boolean {
  return list.every((item, index) => index === 0 || (compare(list[index - 1], item) ?? 0) <= 0);
}

function extreme(list: List, name: string, sign: number): unknown {
  if (list.length === 0) throw new CelError(`${name} called on empty list`);
  return list.reduce((best, item) => ((compare(item, best) ?? 0) * sign > 0 ? item : best));
}

const sum =
  (zero: unknown) =>
  (list: List): unknown => {
    const isDouble = typeof zero === 'number';
    return list.reduce((total, item) => binary('+', total, isDouble ? Number(item) : number(item)), zero);
  };

function flatten(list: List, depth: bigint): unknown[] {
  return list.flatMap((item) => (Array.isArray(item) && depth > 0n ? flatten(item, depth - 1n) : [item]));
}

const includes = (list: List, item: unknown): boolean => list.some((one) => equals(one, item));
const contains = (list: List, part: List): boolean => part.every((item) => includes(list, item));

function slice(list: List, from: bigint, to: bigint): unknown[] {
  if (from < 0n || to > BigInt(list.length) || from > to) throw new CelError(`cannot slice(${from}, ${to}), list is length ${list.length}`);
  return list.slice(Number(from), Number(to));
}

function distinct(list: List): unknown[] {
  const kept: unknown[] = [];
  for (const item of list) if (!includes(kept, item)) kept.push(item);
  return kept;
}

function valueOf(optional: Optional): unknown {
  if (!optional.present) throw new CelError('optional.none() dereference');
  return optional.value;
}

function ofNonZero(value: unknown): Optional {
  const zero = value === null || value === '' || value === 0 || value === 0n || value === false;
  const empty =
    typeof value === 'object' &&
    value !== null &&
    (Array.isArray(value) ? value.length === 0 : Object.getPrototypeOf(value) === Object.prototype && Object.keys(value).length === 0);
  return zero || empty ? Optional.none : new Optional(value);
}

const at = (list: List, index: number): Optional => (list.length === 0 ? Optional.none : new Optional(list.at(index)));

export const lists: readonly Definition[] = [
  ['list<A>.isSorted(): bool', isSorted, scans],
  ['list<A>.min(): A', (list: List) => extreme(list, 'min', -1), scans],
  ['list<A>.max(): A', (list: List) => extreme(list, 'max', 1), scans],
  ['list<int>.sum(): int', sum(0n), scans],
  ['list<double>.sum(): double', sum(0), scans],
  ['list<duration>.sum(): duration', sum(new Duration(0n)), scans],
  ['list<A>.indexOf(A): int', (list: List, item: unknown) => BigInt(list.findIndex((one) => equals(one, item))), scans],
  ['list<A>.lastIndexOf(A): int', (list: List, item: unknown) => BigInt(list.findLastIndex((one) => equals(one, item))), scans],
  ['list<A>.slice(int, int): list<A>', slice, scans],
  ['list<A>.flatten(): list<dyn>', (list: List) => flatten(list, 1n), scans],
  ['list<A>.flatten(int): list<dyn>', flatten, scans],
  ['list<A>.sort(): list<A>', (list: List) => [...list].sort((one, other) => compare(one, other) ?? 0), scans],
  ['list<A>.distinct(): list<A>', distinct, { cost: ([first = 0]) => first * first, size: ([first = 0]) => first }],
  ['list<A>.reverse(): list<A>', (list: List) => [...list].reverse(), scans],
  ['list<A>.first(): optional<A>', (list: List) => at(list, 0)],
  ['list<A>.last(): optional<A>', (list: List) => at(list, -1)],
  ['lists.range(int): list<int>', (count: bigint) => Array.from({ length: Math.min(Number(count), 100_000) }, (_, index) => BigInt(index))],
  ['sets.contains(list<A>, list<A>): bool', contains, scansBoth],
  ['sets.intersects(list<A>, list<A>): bool', (list: List, other: List) => other.some((item) => includes(list, item)), scansBoth],
  ['sets.equivalent(list<A>, list<A>): bool', (list: List, other: List) => contains(list, other) && contains(other, list), scansBoth],
  ['optional.none(): optional<A>', () => Optional.none],
  ['optional.of(A): optional<A>', (value: unknown) => new Optional(value)],
  ['optional.ofNonZeroValue(A): optional<A>', ofNonZero],
  ['optional<A>.hasValue(): bool', (optional: Optional) => optional.present],
  ['optional<A>.value(): A', valueOf],
  ['optional<A>.or(optional<A>): optional<A>', (optional: Optional, other: Optional) => (optional.present ? optional : other)],
  ['optional<A>.orValue(A): A', (optional: Optional, other: unknown) => (optional.present ? optional.value : other)],
];
