// Checks an expression against the types of its variables and turns it into a closure. Parsing is cel-js's; types,
// messages and costs follow cel-go, which is what kube-apiserver runs.
import type { ASTNode } from '@marcbachmann/cel-js';
import { Environment, ParseError } from '@marcbachmann/cel-js';
import type { FunctionTable, Overload } from './functions.ts';
import { resolve, sizesOf } from './functions.ts';
import type { Issue } from './issues.ts';
import { CompileError } from './issues.ts';
import { compileMacro } from './macros.ts';
import type { BinaryOperator } from './operators.ts';
import { binary, binaryType, operatorName } from './operators.ts';
import type { Compiled, Frame, Scope, Variable } from './program.ts';
import { charge, noOverload, sizeLimit } from './program.ts';
import type { CelType } from './types.ts';
import { BOOL, BYTES, DOUBLE, DYN, ERROR, INT, NULL, UINT, accepts, baseKind, formatType, join, listOf, mapOf, optionalOf } from './types.ts';
import { CelError, CostError, Optional, TypeValue, Uint, adapt, fits, memberOf, sizeOf } from './values.ts';

const environment = new Environment({ unlistedVariablesAreDyn: true, enableOptionalTypes: true, homogeneousAggregateLiterals: false });

/** A compiled expression: its type, the most it can cost, and how to evaluate it. */
export interface Program {
  readonly type: CelType;
  readonly maxCost: number;
  /** Names of the variables that the expression reads. */
  readonly reads: ReadonlySet<string>;
  /** @throws CelError when evaluation fails; `cost` is also told then */
  evaluate(variables: readonly unknown[], costLimit: number): { readonly value: unknown; readonly cost: number };
}

/** A failed evaluation and what was spent on it. */
export class EvaluationFailure extends Error {
  override readonly name = 'EvaluationFailure';
  readonly cost: number;
  constructor(cause: CelError, cost: number) {
    super(cause.message, { cause });
    this.cost = cost;
  }
}

/**
 * Compiles an expression.
 * @param variables the names and types of its variables, in the order in which values are given later
 * @throws CompileError with all faults, in cel-go's words
 */
export function compile(source: string, variables: readonly (readonly [string, CelType])[], table: FunctionTable): Program {
  const compiler = new Compiler(source, table);
  const scope = new Map(variables.map(([name, type], slot): [string, Variable] => [name, { slot, type, size: sizeLimit(type) }]));
  const compiled = compiler.compileRoot(scope, variables.length);
  const { slots, reads } = compiler;
  return {
    type: compiled.type,
    maxCost: compiled.cost,
    reads,
    evaluate(values, limit) {
      const frame: Frame = { slots: [...values], spent: 0, limit };
      frame.slots.length = slots;
      try {
        return { value: compiled.run(frame), cost: Math.ceil(frame.spent) };
      } catch (error) {
        if (error instanceof CelError) throw new EvaluationFailure(error, Math.ceil(frame.spent));
        throw error;
      }
    },
  };
}

const EXPECTED = "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}";

function parse(source: string): ASTNode {
  try {
    return environment.parse(source).ast;
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    const offset = error.range?.start ?? 0;
    const token = offset >= source.length ? '<EOF>' : (/\w+|./y.exec(source.slice(offset))?.[0] ?? '');
    throw new CompileError(source, [{ offset, text: `Syntax error: mismatched input '${token}' expecting ${EXPECTED}` }]);
  }
}

const TYPE_NAMES: ReadonlySet<string> = new Set(['int', 'uint', 'double', 'string', 'bool', 'bytes', 'list', 'map', 'null_type', 'type']);

/** The work on one expression. Macros call back into it. */
export class Compiler {
  readonly source: string;
  readonly reads: Set<string> = new Set();
  slots = 0;
  readonly #table: FunctionTable;
  readonly #issues: Issue[] = [];

  constructor(source: string, table: FunctionTable) {
    this.source = source;
    this.#table = table;
  }

  compileRoot(scope: Scope, slots: number): Compiled {
    this.slots = slots;
    const compiled = this.compile(parse(this.source), scope);
    if (this.#issues.length > 0) throw new CompileError(this.source, this.#issues);
    return compiled;
  }

  /** A fresh slot for a variable of a macro. */
  newSlot(): number {
    return this.slots++;
  }

  /** Notes a fault; the expression gets the error type, so that it causes no further ones. */
  fault(offset: number, text: string): Compiled {
    this.#issues.push({ offset, text });
    return { type: ERROR, run: () => undefined, cost: 0, size: 1 };
  }

  compile(node: ASTNode, scope: Scope): Compiled {
    switch (node.op) {
      case 'value':
        return literal(node.args);
      case 'id':
        return this.#identifier(node.args, node.start, scope);
      case '.':
      case '.?':
        return this.#select(node.args[0], node.args[1], node.op === '.?', scope);
      case '[]':
      case '[?]':
        return this.#index(node.args, node.op === '[?]', scope);
      case 'call':
        return this.#call(node.args[0], undefined, node.args[1], node, scope);
      case 'rcall':
        return this.#call(node.args[0], node.args[1], node.args[2], node, scope);
      case 'list':
        return this.#list(node.args, scope);
      case 'map':
        return this.#map(node.args, scope);
      case '?:':
        return this.#ternary(node.args, scope);
      case '||':
      case '&&':
        return this.#logical(node.args, node.op, scope);
      case '!_':
      case '-_':
        return this.#unary(node.args, node.op, node.start, scope);
      default:
        return this.#binary(node.args, node.op, scope);
    }
  }

  #identifier(name: string, offset: number, scope: Scope): Compiled {
    const variable = scope.get(name);
    if (variable !== undefined) {
      this.reads.add(name);
      const { slot, type, size } = variable;
      return { type, size, cost: 1, run: (frame) => (charge(frame, 1), frame.slots[slot]) };
    }
    if (TYPE_NAMES.has(name)) return constant(new TypeValue(name), { kind: 'type', of: DYN });
    return this.fault(offset, `undeclared reference to '${name}' (in container '')`);
  }

  #select(operand: ASTNode, name: string, optional: boolean, scope: Scope): Compiled {
    const qualified = this.#qualifiedType(operand, name, scope);
    if (qualified !== undefined) return qualified;
    const from = this.compile(operand, scope);
    const offset = Math.max(this.source.indexOf('.', operand.end), operand.end);
    const inner = from.type.kind === 'optional' ? from.type.of : from.type;
    const field = this.#fieldType(inner, name, offset);
    if (field === undefined) return { ...from, type: ERROR };
    const { jsonName, type } = field;
    const read = (value: unknown): unknown => adapt(memberOrUndefined(value, jsonName), type);
    if (optional || from.type.kind === 'optional') return optionalAccess(from, type, (value) => read(value));
    const run = (frame: Frame): unknown => {
      const value = read(from.run(frame));
      charge(frame, 1);
      if (value === undefined) throw new CelError(`no such key: ${name}`);
      return value;
    };
    return { type, run, cost: from.cost + 1, size: sizeLimit(type) };
  }

  // google.protobuf.Timestamp and the like are names of types.
  #qualifiedType(operand: ASTNode, name: string, scope: Scope): Compiled | undefined {
    const text = `${this.source.slice(operand.start, operand.end)}.${name}`;
    if (!text.startsWith('google.protobuf.') || scope.has('google')) return undefined;
    return operand.op === '.' ? constant(new TypeValue(text), { kind: 'type', of: DYN }) : undefined;
  }

  #fieldType(type: CelType, name: string, offset: number): { jsonName: string; type: CelType } | undefined {
    switch (type.kind) {
      case 'object': {
        const field = type.fields.get(name);
        if (field !== undefined) return { jsonName: field.jsonName, type: field.type() };
        this.fault(offset, `undefined field '${name}'`);
        return undefined;
      }
      case 'map':
        return { jsonName: name, type: type.value };
      case 'dyn':
        return { jsonName: name, type: DYN };
      case 'error':
        return undefined;
      default:
        this.fault(offset, `type '${formatType(type)}' does not support field selection`);
        return undefined;
    }
  }

  #index([operand, key]: readonly [ASTNode, ASTNode], optional: boolean, scope: Scope): Compiled {
    const from = this.compile(operand, scope);
    const at = this.compile(key, scope);
    const inner = from.type.kind === 'optional' ? from.type.of : from.type;
    const type = indexedType(inner, at.type);
    const offset = this.source.indexOf('[', operand.end);
    if (type === undefined) return this.#mismatch(offset, optional ? '_[?_]' : '_[_]', [from.type, at.type]);
    const cost = from.cost + at.cost + 1;
    if (optional || from.type.kind === 'optional') {
      return { ...optionalAccess(from, type, (value, frame) => adapt(itemOf(value, at.run(frame)), type)), cost };
    }
    const run = (frame: Frame): unknown => {
      const container = from.run(frame);
      const index = at.run(frame);
      charge(frame, 1);
      const value = itemOf(container, index);
      if (value === undefined) throw new CelError(Array.isArray(container) ? `index out of bounds: ${String(index)}` : `no such key: ${String(index)}`);
      return adapt(value, type);
    };
    return { type, run, cost, size: sizeLimit(type) };
  }

  #call(name: string, receiver: ASTNode | undefined, args: readonly ASTNode[], node: ASTNode, scope: Scope): Compiled {
    const offset = this.source.indexOf('(', receiver === undefined ? node.start : receiver.end);
    const macro = compileMacro(this, { name, receiver, args, offset }, scope);
    if (macro !== undefined) return macro;
    const namespace = receiver === undefined ? undefined : this.#namespaceOf(receiver, name, scope);
    const onValue = receiver !== undefined && namespace === undefined;
    // The arguments of a format are of any types.
    const mixed = onValue && name === 'format';
    const operands = [...(onValue ? [receiver] : []), ...args].map((one) =>
      mixed && one.op === 'list' ? this.#list(one.args, scope, true) : this.compile(one, scope),
    );
    const fullName = namespace ?? name;
    const overloads = this.#table.overloads.get(onValue ? `.${name}` : fullName);
    if (overloads === undefined) return this.fault(offset, `undeclared reference to '${fullName}' (in container '')`);
    if (operands.some((one) => one.type.kind === 'error')) return { type: ERROR, run: () => undefined, cost: 0, size: 1 };
    const types = operands.map((one) => one.type);
    const found = resolve(overloads, types);
    if (found === undefined) return this.#mismatch(offset, fullName, types, onValue);
    return call(fullName, operands, found.candidates, found.result);
  }

  // `sets.contains(...)` parses as a call on a variable; it is a function when there is no such variable.
  #namespaceOf(receiver: ASTNode, name: string, scope: Scope): string | undefined {
    const text = this.source.slice(receiver.start, receiver.end);
    if (!/^[\w.]+$/.test(text) || scope.has(text.split('.')[0] ?? '')) return undefined;
    return this.#table.overloads.has(`${text}.${name}`) ? `${text}.${name}` : undefined;
  }

  #mismatch(offset: number, name: string, types: readonly CelType[], onValue = false): Compiled {
    if (types.some((type) => type.kind === 'error')) return { type: ERROR, run: () => undefined, cost: 0, size: 1 };
    const names = types.map(formatType);
    const applied = onValue ? `${names[0] ?? ''}.(${names.slice(1).join(', ')})` : `(${names.join(', ')})`;
    return this.fault(offset, `found no matching overload for '${name}' applied to '${applied}'`);
  }

  #list(nodes: readonly ASTNode[], scope: Scope, mixed = false): Compiled {
    const items = nodes.map((node) => this.compile(node, scope));
    const type = mixed ? DYN : this.#homogeneous(items, nodes);
    const run = (frame: Frame): unknown => (charge(frame, 10), items.map((item) => item.run(frame)));
    return { type: listOf(type), run, cost: 10 + total(items), size: items.length };
  }

  #homogeneous(items: readonly Compiled[], nodes: readonly ASTNode[]): CelType {
    let type = items[0]?.type ?? DYN;
    items.forEach((item, index) => {
      if (!accepts(type, item.type, new Map()) && !accepts(item.type, type, new Map())) {
        this.fault(nodes[index]?.start ?? 0, `expected type '${formatType(type)}' but found '${formatType(item.type)}'`);
      }
      type = join(type, item.type);
    });
    return type;
  }

  #map(entries: readonly (readonly [ASTNode, ASTNode])[], scope: Scope): Compiled {
    const keys = entries.map(([key]) => this.compile(key, scope));
    const values = entries.map(([, value]) => this.compile(value, scope));
    const key = this.#homogeneous(
      keys,
      entries.map((entry) => entry[0]),
    );
    const value = this.#homogeneous(
      values,
      entries.map((entry) => entry[1]),
    );
    const run = (frame: Frame): unknown => {
      charge(frame, 30);
      return new Map(keys.map((one, index) => [one.run(frame), values[index]?.run(frame)]));
    };
    return { type: mapOf(key, value), run, cost: 30 + total(keys) + total(values), size: entries.length };
  }

  #ternary([condition, yes, no]: readonly [ASTNode, ASTNode, ASTNode], scope: Scope): Compiled {
    const [test, left, right] = [this.compile(condition, scope), this.compile(yes, scope), this.compile(no, scope)];
    const offset = this.source.indexOf('?', condition.end);
    if (!accepts(BOOL, test.type, new Map()) || (!accepts(left.type, right.type, new Map()) && !accepts(right.type, left.type, new Map()))) {
      return this.#mismatch(offset, '_?_:_', [test.type, left.type, right.type]);
    }
    const run = (frame: Frame): unknown => {
      const outcome = test.run(frame);
      if (typeof outcome !== 'boolean') throw noOverload('_?_:_');
      return outcome ? left.run(frame) : right.run(frame);
    };
    return { type: join(left.type, right.type), run, cost: test.cost + Math.max(left.cost, right.cost), size: Math.max(left.size, right.size) };
  }

  #logical([one, other]: readonly [ASTNode, ASTNode], operator: '||' | '&&', scope: Scope): Compiled {
    const [left, right] = [this.compile(one, scope), this.compile(other, scope)];
    if (!accepts(BOOL, left.type, new Map()) || !accepts(BOOL, right.type, new Map())) {
      return this.#mismatch(this.source.indexOf(operator, one.end), operatorName(operator), [left.type, right.type]);
    }
    const decisive = operator === '||';
    const run = (frame: Frame): unknown => {
      const first = attempt(left, frame);
      if (first === decisive) return decisive;
      const second = attempt(right, frame);
      if (second === decisive) return decisive;
      if (first instanceof CelError) throw first;
      if (second instanceof CelError) throw second;
      if (typeof first !== 'boolean' || typeof second !== 'boolean') throw noOverload(operatorName(operator));
      return !decisive;
    };
    return { type: BOOL, run, cost: left.cost + right.cost, size: 1 };
  }

  #unary(operand: ASTNode, operator: '!_' | '-_', offset: number, scope: Scope): Compiled {
    const value = this.compile(operand, scope);
    const kinds = operator === '!_' ? ['bool'] : ['int', 'double'];
    const kind = baseKind(value.type);
    if (kind !== 'dyn' && kind !== 'error' && !kinds.includes(kind)) return this.#mismatch(offset, operator === '!_' ? '!_' : '-_', [value.type]);
    const run = (frame: Frame): unknown => {
      const inner = value.run(frame);
      charge(frame, 1);
      if (operator === '!_' && typeof inner === 'boolean') return !inner;
      if (operator === '-_' && (typeof inner === 'bigint' || typeof inner === 'number')) return -inner;
      throw noOverload(operator);
    };
    return { type: operator === '!_' ? BOOL : value.type, run, cost: value.cost + 1, size: 1 };
  }

  #binary([one, other]: readonly [ASTNode, ASTNode], operator: BinaryOperator, scope: Scope): Compiled {
    const [left, right] = [this.compile(one, scope), this.compile(other, scope)];
    const type = binaryType(operator, left.type, right.type);
    if (type === undefined) return this.#mismatch(this.source.indexOf(operator, one.end), operatorName(operator), [left.type, right.type]);
    const run = (frame: Frame): unknown => {
      const [first, second] = [left.run(frame), right.run(frame)];
      charge(frame, 1 + binaryCost(operator, sizeOf(first), sizeOf(second)));
      return binary(operator, first, second);
    };
    const size = operator === '+' ? left.size + right.size : 1;
    return { type, run, cost: left.cost + right.cost + 1 + binaryCost(operator, left.size, right.size), size };
  }
}

function binaryCost(operator: BinaryOperator, left: number, right: number): number {
  if (operator === 'in') return right;
  const size = operator === '+' ? left + right : Math.min(left, right);
  return size <= 1 ? 0 : Math.ceil(size * 0.1);
}

const total = (parts: readonly Compiled[]): number => parts.reduce((sum, part) => sum + part.cost, 0);

function constant(value: unknown, type: CelType): Compiled {
  return { type, run: () => value, cost: 0, size: sizeOf(value) };
}

function literal(value: unknown): Compiled {
  switch (typeof value) {
    case 'bigint':
      return constant(value, INT);
    case 'number':
      return constant(value, DOUBLE);
    case 'string':
      return constant(value, { kind: 'sized', base: 'string', sizeLimit: value.length });
    case 'boolean':
      return constant(value, BOOL);
    default:
      if (value === null) return constant(null, NULL);
      if (value instanceof Uint8Array) return constant(value, BYTES);
      return constant(new Uint(BigInt(String((value as { valueOf(): unknown }).valueOf()))), UINT);
  }
}

/** Evaluates, giving an error back as a value; running out of budget is never one. */
export function attempt(part: Compiled, frame: Frame): unknown {
  try {
    return part.run(frame);
  } catch (error) {
    if (error instanceof CelError && !(error instanceof CostError)) return error;
    throw error;
  }
}

function memberOrUndefined(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new CelError('no such overload');
  return memberOf(value, name);
}

function itemOf(container: unknown, index: unknown): unknown {
  if (Array.isArray(container)) {
    const at = index instanceof Uint ? index.value : index;
    if (typeof at !== 'bigint' && typeof at !== 'number') throw new CelError('no such overload');
    return at >= 0 && at < container.length ? (container[Number(at)] as unknown) : undefined;
  }
  if (typeof container !== 'object' || container === null) throw new CelError('no such overload');
  return memberOf(container, index);
}

function indexedType(container: CelType, key: CelType): CelType | undefined {
  if (container.kind === 'dyn' || container.kind === 'error') return DYN;
  if (container.kind === 'list') return ['int', 'uint', 'dyn', 'error'].includes(key.kind) ? container.of : undefined;
  if (container.kind === 'map') return accepts(container.key, key, new Map()) ? container.value : undefined;
  return undefined;
}

// `a.?b`: none when a is none or has no b.
function optionalAccess(from: Compiled, type: CelType, read: (value: unknown, frame: Frame) => unknown): Compiled {
  const inner = type.kind === 'optional' ? type.of : type;
  const run = (frame: Frame): unknown => {
    const value = from.run(frame);
    charge(frame, 1);
    if (!(value instanceof Optional)) return wrap(read(value, frame));
    return value.present ? wrap(read(value.value, frame)) : Optional.none;
  };
  return { type: optionalOf(inner), run, cost: from.cost + 1, size: sizeLimit(inner) };
}

function wrap(value: unknown): Optional {
  if (value instanceof Optional) return value;
  return value === undefined ? Optional.none : new Optional(value);
}

function call(name: string, operands: readonly Compiled[], candidates: readonly Overload[], result: CelType): Compiled {
  const sizes = operands.map((one) => one.size);
  const worst = Math.max(...candidates.map((one) => one.cost(sizes)));
  const only = candidates.length === 1 ? candidates[0] : undefined;
  const mayDiffer = operands.some((one) => one.type.kind === 'dyn');
  const run = (frame: Frame): unknown => {
    const args = operands.map((one) => one.run(frame));
    // A field that may be null has the type of what it is otherwise.
    const chosen =
      only !== undefined && !mayDiffer && !args.includes(null) ? only : candidates.find((one) => one.args.every((type, index) => fits(args[index], type)));
    if (chosen === undefined) throw noOverload(name);
    charge(frame, 1 + chosen.cost(sizesOf(args)));
    return chosen.run(...args.map((value, index) => adapt(value, chosen.args[index] ?? DYN)));
  };
  const size = Math.max(...candidates.map((one) => one.size(sizes)));
  return { type: result, run, cost: total(operands) + 1 + worst, size };
}
