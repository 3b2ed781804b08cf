// quantity() and isQuantity(). Source: k8s.io/apiserver/pkg/cel/library/quantity.go.
import type { Quantity as Amount } from '@snapshot-stack/api-types';
import { parseQuantity } from '@snapshot-stack/api-types';
import type { Definition } from '../functions.ts';
import type { OpaqueValue } from '../values.ts';
import { CelError, int64 } from '../values.ts';

const NANO = 1_000_000_000n;

class Quantity implements OpaqueValue {
  readonly typeName = 'kubernetes.Quantity';
  readonly amount: Amount;
  constructor(amount: Amount) {
    this.amount = amount;
  }
  get nano(): bigint {
    return this.amount.nano;
  }
  equals(other: unknown): boolean {
    return other instanceof Quantity && other.nano === this.nano;
  }
}

// Stricter than our reader: no spaces around.
const QUANTITY = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$/;

function isQuantity(text: string): boolean {
  return QUANTITY.test(text) && text.length < 64;
}

function quantity(text: string): Quantity {
  if (!isQuantity(text)) throw new CelError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
  return new Quantity(parseQuantity(text));
}

function asInteger({ nano }: Quantity): bigint {
  if (nano % NANO !== 0n) throw new CelError('cannot convert value to integer');
  return int64(nano / NANO);
}

function plus(one: Quantity, nano: bigint): Quantity {
  return new Quantity({ ...one.amount, nano: one.nano + nano });
}

export const quantities: readonly Definition[] = [
  ['isQuantity(string): bool', isQuantity],
  ['quantity(string): Quantity', quantity],
  ['Quantity.sign(): int', ({ nano }: Quantity) => (nano > 0n ? 1n : nano < 0n ? -1n : 0n)],
  ['Quantity.isInteger(): bool', ({ nano }: Quantity) => nano % NANO === 0n],
  ['Quantity.asInteger(): int', asInteger],
  ['Quantity.asApproximateFloat(): double', ({ nano }: Quantity) => Number(nano) / 1e9],
  ['Quantity.isGreaterThan(Quantity): bool', (one: Quantity, other: Quantity) => one.nano > other.nano],
  ['Quantity.isLessThan(Quantity): bool', (one: Quantity, other: Quantity) => one.nano < other.nano],
  ['Quantity.compareTo(Quantity): int', (one: Quantity, other: Quantity) => (one.nano > other.nano ? 1n : one.nano < other.nano ? -1n : 0n)],
  ['Quantity.add(Quantity): Quantity', (one: Quantity, other: Quantity) => plus(one, other.nano)],
  ['Quantity.add(int): Quantity', (one: Quantity, other: bigint) => plus(one, other * NANO)],
  ['Quantity.sub(Quantity): Quantity', (one: Quantity, other: Quantity) => plus(one, -other.nano)],
  ['Quantity.sub(int): Quantity', (one: Quantity, other: bigint) => plus(one, -other * NANO)],
];
