// Arithmetic, comparison and membership. Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md
import type { CelType } from './types.ts';
import { BOOL, DURATION, DYN, ERROR, STRING, TIMESTAMP, accepts, baseKind, join } from './types.ts';
import { CelError, Duration, Timestamp, Uint, compare, equals, int64, memberOf, uint64 } from './values.ts';

export type BinaryOperator = '!=' | '==' | 'in' | '+' | '-' | '*' | '/' | '%' | '<' | '<=' | '>' | '>=';

/** The name of an operator in messages: `_==_`. */
export function operatorName(operator: string): string {
  return operator === 'in' ? '@in' : `_${operator}_`;
}

const NUMERIC: ReadonlySet<string> = new Set(['int', 'uint', 'double']);
const ORDERED: ReadonlySet<string> = new Set(['int', 'uint', 'double', 'string', 'bytes', 'bool', 'timestamp', 'duration']);
const isLoose = (type: CelType): boolean => type.kind === 'dyn' || type.kind === 'error';

/** The type of `left operator right`, undefined when the operator has no overload for them. */
export function binaryType(operator: BinaryOperator, left: CelType, right: CelType): CelType | undefined {
  switch (operator) {
    case '==':
    case '!=':
      return accepts(left, right, new Map()) || accepts(right, left, new Map()) ? BOOL : undefined;
    case 'in':
      return membershipType(left, right);
    case '<':
    case '<=':
    case '>':
    case '>=':
      return orderedType(left, right);
    default:
      return arithmeticType(operator, left, right);
  }
}

function membershipType(left: CelType, right: CelType): CelType | undefined {
  if (isLoose(right)) return BOOL;
  const of = right.kind === 'list' ? right.of : right.kind === 'map' ? right.key : undefined;
  return of !== undefined && (accepts(of, left, new Map()) || accepts(left, of, new Map())) ? BOOL : undefined;
}

function orderedType(left: CelType, right: CelType): CelType | undefined {
  const [one, other] = [baseKind(left), baseKind(right)];
  if (isLoose(left)) return isLoose(right) || ORDERED.has(other) ? BOOL : undefined;
  if (isLoose(right)) return ORDERED.has(one) ? BOOL : undefined;
  return (ORDERED.has(one) && one === other) || (NUMERIC.has(one) && NUMERIC.has(other)) ? BOOL : undefined;
}

const TIMES: Readonly<Record<string, CelType>> = {
  'timestamp+duration': TIMESTAMP,
  'duration+timestamp': TIMESTAMP,
  'duration+duration': DURATION,
  'timestamp-timestamp': DURATION,
  'timestamp-duration': TIMESTAMP,
  'duration-duration': DURATION,
};

function arithmeticType(operator: BinaryOperator, left: CelType, right: CelType): CelType | undefined {
  const [one, other] = [baseKind(left), baseKind(right)];
  if (isLoose(left) || isLoose(right)) return left.kind === 'error' || right.kind === 'error' ? ERROR : looseResult(operator, isLoose(left) ? right : left);
  const time = TIMES[`${one}${operator}${other}`];
  if (time !== undefined) return time;
  if (one !== other) return undefined;
  if (NUMERIC.has(one)) return operator === '%' && one === 'double' ? undefined : left;
  if (operator !== '+') return undefined;
  if (one === 'string') return STRING;
  if (one === 'bytes') return { kind: 'bytes' };
  return left.kind === 'list' && right.kind === 'list' ? { kind: 'list', of: join(left.of, right.of) } : undefined;
}

function looseResult(operator: BinaryOperator, known: CelType): CelType {
  const kind = baseKind(known);
  if (kind === 'timestamp' || kind === 'duration') return DYN;
  return NUMERIC.has(kind) ? known : operator === '+' && kind === 'string' ? STRING : DYN;
}

/** Computes `left operator right`. @throws CelError as cel-go does */
export function binary(operator: BinaryOperator, left: unknown, right: unknown): unknown {
  switch (operator) {
    case '==':
      return equals(left, right);
    case '!=':
      return !equals(left, right);
    case 'in':
      return isIn(left, right);
    case '<':
      return ordered(operator, left, right) < 0;
    case '<=':
      return ordered(operator, left, right) <= 0;
    case '>':
      return ordered(operator, left, right) > 0;
    case '>=':
      return ordered(operator, left, right) >= 0;
    default:
      return arithmetic(operator, left, right);
  }
}

function isIn(value: unknown, container: unknown): boolean {
  if (Array.isArray(container)) return container.some((item) => equals(item, value));
  if (typeof container === 'object' && container !== null) return memberOf(container, value) !== undefined;
  throw new CelError('no such overload');
}

function ordered(operator: string, left: unknown, right: unknown): number {
  const order = compare(left, right);
  if (order === undefined || Number.isNaN(order)) throw new CelError(`no such overload: ${operatorName(operator)}`);
  return order;
}

function arithmetic(operator: string, left: unknown, right: unknown): unknown {
  if (typeof left === 'bigint' && typeof right === 'bigint') return int64(integers(operator, left, right));
  if (typeof left === 'number' && typeof right === 'number' && operator !== '%') return doubles(operator, left, right);
  if (left instanceof Uint && right instanceof Uint) return uint64(integers(operator, left.value, right.value));
  const time = times(operator, left, right);
  if (time !== undefined) return time;
  if (operator === '+') {
    if (typeof left === 'string' && typeof right === 'string') return left + right;
    if (Array.isArray(left) && Array.isArray(right)) return [...(left as unknown[]), ...(right as unknown[])];
    if (left instanceof Uint8Array && right instanceof Uint8Array) return new Uint8Array([...left, ...right]);
  }
  throw new CelError(`no such overload: ${operatorName(operator)}`);
}

function integers(operator: string, left: bigint, right: bigint): bigint {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    default:
      if (right === 0n) throw new CelError(operator === '/' ? 'division by zero' : 'modulus by zero');
      return operator === '/' ? left / right : left % right;
  }
}

function doubles(operator: string, left: number, right: number): number {
  switch (operator) {
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    default:
      return left / right;
  }
}

function times(operator: string, left: unknown, right: unknown): unknown {
  if (left instanceof Timestamp && right instanceof Duration) return new Timestamp(operator === '+' ? left.nanos + right.nanos : left.nanos - right.nanos);
  if (left instanceof Duration && right instanceof Timestamp && operator === '+') return new Timestamp(left.nanos + right.nanos);
  if (left instanceof Timestamp && right instanceof Timestamp && operator === '-') return new Duration(left.nanos - right.nanos);
  if (left instanceof Duration && right instanceof Duration) return new Duration(int64(operator === '+' ? left.nanos + right.nanos : left.nanos - right.nanos));
  return undefined;
}
