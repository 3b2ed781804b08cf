// The table of functions: an overload is a signature and what it does. Signatures are written
// `string.startsWith(string): bool` (called on a value) or `size(string): int`; capital letters are type parameters.
import type { Bindings, CelType } from './types.ts';
import { accepts, parseType, substitute } from './types.ts';
import { sizeOf } from './values.ts';

type Run = (...args: never[]) => unknown;

export interface Overload {
  readonly args: readonly CelType[];
  readonly result: CelType;
  readonly run: (...args: unknown[]) => unknown;
  /** What a call costs beyond 1, from the sizes of its arguments. */
  readonly cost: (sizes: readonly number[]) => number;
  /** How large the result can be. */
  readonly size: (sizes: readonly number[]) => number;
}

export interface FunctionTable {
  /** Overloads by name; those called on a value are under `.name`, the value being the first argument. */
  readonly overloads: ReadonlyMap<string, readonly Overload[]>;
}

export interface CostModel {
  readonly cost?: (sizes: readonly number[]) => number;
  readonly size?: (sizes: readonly number[]) => number;
}

/** One line of a library: signature, implementation, cost. */
export type Definition = readonly [signature: string, run: Run, model?: CostModel];

/** Traversing a string costs a tenth of its size. */
export const traverse = (size: number): number => Math.ceil(size * 0.1);
/** The cost of a function that reads its first argument once. */
export const readsFirst: CostModel = { cost: ([first = 0]) => traverse(first), size: ([first = 0]) => first };

const free: Required<CostModel> = { cost: () => 0, size: () => 1 };
const SIGNATURE = /^(?:([\w.]+(?:<.*>)?)\.)?(\w+(?:\.\w+)*)\((.*)\): (.+)$/;

function splitArguments(text: string): string[] {
  if (text === '') return [];
  return text.split(/, (?![^<]*>)/);
}

function parse(signature: string): { name: string; args: CelType[]; result: CelType } {
  const member = /^(\w+(?:<[^(]*>)?)\.(\w+)\((.*)\): (.+)$/.exec(signature);
  const found = member !== null && isTypeName(member[1] ?? '') ? member : null;
  if (found !== null) {
    const [, receiver = '', name = '', args = '', result = ''] = found;
    return { name: `.${name}`, args: [receiver, ...splitArguments(args)].map(parseType), result: parseType(result) };
  }
  const [, namespace, name = '', args = '', result = ''] = SIGNATURE.exec(signature) ?? [];
  if (name === '') throw new Error(`bad signature ${signature}`);
  return { name: namespace === undefined ? name : `${namespace}.${name}`, args: splitArguments(args).map(parseType), result: parseType(result) };
}

const isTypeName = (text: string): boolean => /^(?:list|map|optional)<|^[A-Z]|^(?:string|bytes|int|uint|double|bool|dyn|timestamp|duration)$/.test(text);

/** Makes the table of all functions of some libraries. @throws Error on a bad signature */
export function functionTable(...libraries: readonly (readonly Definition[])[]): FunctionTable {
  const overloads = new Map<string, Overload[]>();
  for (const [signature, run, model] of libraries.flat()) {
    const { name, args, result } = parse(signature);
    const overload: Overload = { args, result, run: run as Overload['run'], ...free, ...model };
    const known = overloads.get(name);
    if (known === undefined) overloads.set(name, [overload]);
    else known.push(overload);
  }
  return { overloads };
}

export interface Resolution {
  /** All overloads that may fit; more than one only when arguments are dyn. */
  readonly candidates: readonly Overload[];
  readonly result: CelType;
}

/** The overloads that arguments of these types may be meant for; undefined when there is none. */
export function resolve(overloads: readonly Overload[], args: readonly CelType[]): Resolution | undefined {
  const fitting: { overload: Overload; result: CelType }[] = [];
  for (const overload of overloads) {
    const bindings: Bindings = new Map();
    if (overload.args.length !== args.length) continue;
    if (overload.args.every((wanted, index) => accepts(wanted, args[index] ?? wanted, bindings))) {
      fitting.push({ overload, result: substitute(overload.result, bindings) });
    }
  }
  const [first] = fitting;
  if (first === undefined) return undefined;
  const same = fitting.every((one) => one.result.kind === first.result.kind);
  return { candidates: fitting.map((one) => one.overload), result: same ? first.result : { kind: 'dyn' } };
}

/** Sizes of arguments at run time, as costs count them. */
export function sizesOf(args: readonly unknown[]): number[] {
  return args.map(sizeOf);
}
