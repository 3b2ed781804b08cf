// What an expression becomes: a closure with its type, and the most that it can cost and measure.
import type { CelType } from './types.ts';
import { CelError, CostError } from './values.ts';

/** The state of one evaluation: variables by slot and what was spent. */
export interface Frame {
  readonly slots: unknown[];
  spent: number;
  readonly limit: number;
}

export interface Compiled {
  readonly type: CelType;
  readonly run: (frame: Frame) => unknown;
  /** The most an evaluation can cost, from the limits that the schema sets. */
  readonly cost: number;
  /** The largest size (characters, items, members) of the value. */
  readonly size: number;
}

export interface Variable {
  readonly slot: number;
  readonly type: CelType;
  readonly size: number;
}

export type Scope = ReadonlyMap<string, Variable>;

/** Takes the price of a step. @throws CostError when the budget is spent */
export function charge(frame: Frame, price: number): void {
  frame.spent += price;
  if (frame.spent > frame.limit) throw new CostError();
}

/** An error that says what other languages would say of a missing operator. */
export function noOverload(name: string): CelError {
  return new CelError(`no such overload: ${name}`);
}

/** The most items of a value that is no literal. */
export function sizeLimit(type: CelType): number {
  switch (type.kind) {
    case 'list':
    case 'map':
    case 'sized':
      return type.sizeLimit ?? UNKNOWN_SIZE;
    case 'dyn':
    case 'string':
    case 'bytes':
      return UNKNOWN_SIZE;
    default:
      return 1;
  }
}

const UNKNOWN_SIZE = 3 * 1024 * 1024;
