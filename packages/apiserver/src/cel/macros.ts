// Macros: has, the comprehensions over lists and maps (with one variable or two), cel.bind, and those of optionals.
import type { ASTNode } from '@marcbachmann/cel-js';
import type { Compiler } from './compile.ts';
import type { Compiled, Frame, Scope, Variable } from './program.ts';
import { charge, noOverload, sizeLimit } from './program.ts';
import type { CelType } from './types.ts';
import { BOOL, DYN, ERROR, INT, accepts, listOf, mapOf, optionalOf } from './types.ts';
import { CelError, CostError, Optional, adapt, compare, keysOf, memberOf } from './values.ts';

/** A call as it is written. */
export interface CallSite {
  readonly name: string;
  readonly receiver: ASTNode | undefined;
  readonly args: readonly ASTNode[];
  /** Where the opening parenthesis is. */
  readonly offset: number;
}

interface Loop {
  readonly range: Compiled;
  readonly variables: readonly { readonly slot: number; readonly type: CelType }[];
  readonly scope: Scope;
}

/** Compiles a call that is a macro; undefined when it is an ordinary call. */
export function compileMacro(compiler: Compiler, site: CallSite, scope: Scope): Compiled | undefined {
  const { name, receiver, args } = site;
  if (receiver === undefined) return name === 'has' && args.length === 1 ? has(compiler, site, scope) : undefined;
  if (receiver.op === 'id' && receiver.args === 'cel' && name === 'bind' && args.length === 3) return bind(compiler, site, scope);
  const loops = LOOPS[name]?.[args.length];
  if (loops !== undefined && args[0]?.op === 'id') return loops(compiler, site, scope);
  if ((name === 'optMap' || name === 'optFlatMap') && args.length === 2) return mapOptional(compiler, site, scope);
  return undefined;
}

function has(compiler: Compiler, { args, offset }: CallSite, scope: Scope): Compiled {
  const [field] = args;
  if (field?.op !== '.') return compiler.fault(offset, 'invalid argument to has() macro');
  const [operand, name] = field.args;
  const selected = compiler.compile(field, scope);
  const from = compiler.compile(operand, scope);
  if (selected.type.kind === 'error') return { ...selected, type: ERROR };
  const object = from.type.kind === 'optional' ? from.type.of : from.type;
  const jsonName = object.kind === 'object' ? (object.fields.get(name)?.jsonName ?? name) : name;
  const run = (frame: Frame): unknown => {
    const found = from.run(frame);
    const value = found instanceof Optional ? found.value : found;
    charge(frame, 1);
    if (found instanceof Optional && !found.present) return false;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw noOverload('has');
    return memberOf(value, jsonName) !== undefined;
  };
  return { type: BOOL, run, cost: from.cost + 1, size: 1 };
}

function bind(compiler: Compiler, { args, offset }: CallSite, scope: Scope): Compiled {
  const [name, init, body] = args;
  if (name?.op !== 'id' || init === undefined || body === undefined) return compiler.fault(offset, 'cel.bind() variable names must be simple identifiers');
  const value = compiler.compile(init, scope);
  const slot = compiler.newSlot();
  const inner = compiler.compile(body, extend(scope, [[name.args, { slot, type: value.type, size: value.size }]]));
  const run = (frame: Frame): unknown => {
    frame.slots[slot] = value.run(frame);
    return inner.run(frame);
  };
  return { ...inner, run, cost: value.cost + inner.cost };
}

function extend(scope: Scope, variables: readonly (readonly [string, Variable])[]): Scope {
  return new Map([...scope, ...variables]);
}

// The items that a comprehension goes over, and the variables that hold them.
function loop(compiler: Compiler, { receiver, args, offset }: CallSite, scope: Scope, count: 1 | 2): Loop | Compiled {
  const range = compiler.compile(receiver as ASTNode, scope);
  const types = itemTypes(range.type, count);
  if (types === undefined) {
    if (range.type.kind === 'error') return range;
    return compiler.fault(offset, `expression of type '${range.type.kind}' cannot be range of a comprehension (must be list, map, or dynamic)`);
  }
  const variables = types.map((type) => ({ slot: compiler.newSlot(), type }));
  const named: [string, Variable][] = [];
  for (const [index, variable] of variables.entries()) {
    const name = args[index];
    if (name?.op !== 'id') return compiler.fault(name?.start ?? offset, 'argument is not an identifier');
    named.push([name.args, { ...variable, size: sizeLimit(variable.type) }]);
  }
  return { range, variables, scope: extend(scope, named) };
}

function itemTypes(range: CelType, count: 1 | 2): readonly CelType[] | undefined {
  switch (range.kind) {
    case 'list':
      return count === 1 ? [range.of] : [INT, range.of];
    case 'map':
      return count === 1 ? [range.key] : [range.key, range.value];
    case 'dyn':
      return count === 1 ? [DYN] : [DYN, DYN];
    default:
      return undefined;
  }
}

const isLoop = (made: Loop | Compiled): made is Loop => 'range' in made;

/** Runs `step` with the variables set to each item; stops when it returns false. */
function forEachItem({ range, variables }: Loop, frame: Frame, step: () => boolean): void {
  const items = range.run(frame);
  const isList = Array.isArray(items);
  if (typeof items !== 'object' || items === null) throw noOverload('comprehension');
  const keys: readonly unknown[] = isList ? items : keysOf(items);
  const [first, second] = variables;
  for (let index = 0; index < keys.length; index++) {
    charge(frame, 1);
    if (second === undefined) {
      if (first !== undefined) frame.slots[first.slot] = adapt(keys[index], first.type);
    } else if (first !== undefined) {
      frame.slots[first.slot] = isList ? BigInt(index) : keys[index];
      frame.slots[second.slot] = adapt(isList ? keys[index] : memberOf(items, keys[index]), second.type);
    }
    if (!step()) return;
  }
}

type MacroOf = (compiler: Compiler, site: CallSite, scope: Scope) => Compiled;

function loopCost({ range }: Loop, body: number, perItem: number): number {
  return range.cost + range.size * (body + perItem) + 1;
}

function predicateOf(compiler: Compiler, node: ASTNode | undefined, made: Loop, offset: number): Compiled {
  if (node === undefined) return compiler.fault(offset, 'missing predicate');
  const predicate = compiler.compile(node, made.scope);
  if (!accepts(BOOL, predicate.type, new Map()))
    return compiler.fault(node.start, `found no matching overload for '_&&_' applied to '(bool, ${predicate.type.kind})'`);
  return predicate;
}

/** all and exists: an error counts only when no item decides. */
const quantifier =
  (count: 1 | 2, decisive: boolean): MacroOf =>
  (compiler, site, scope) => {
    const made = loop(compiler, site, scope, count);
    if (!isLoop(made)) return made;
    const predicate = predicateOf(compiler, site.args[count], made, site.offset);
    const run = (frame: Frame): unknown => {
      let outcome: unknown = !decisive;
      forEachItem(made, frame, () => {
        const found = attempt(predicate, frame);
        if (found === decisive) outcome = decisive;
        else if (typeof found !== 'boolean' && outcome === !decisive) outcome = found;
        return found !== decisive;
      });
      if (outcome instanceof CelError) throw outcome;
      if (typeof outcome !== 'boolean') throw noOverload(site.name);
      return outcome;
    };
    return { type: BOOL, run, cost: loopCost(made, predicate.cost, 3), size: 1 };
  };

function attempt(part: Compiled, frame: Frame): unknown {
  try {
    return part.run(frame);
  } catch (error) {
    if (error instanceof CelError && !(error instanceof CostError)) return error;
    throw error;
  }
}

const existsOne =
  (count: 1 | 2): MacroOf =>
  (compiler, site, scope) => {
    const made = loop(compiler, site, scope, count);
    if (!isLoop(made)) return made;
    const predicate = predicateOf(compiler, site.args[count], made, site.offset);
    const run = (frame: Frame): unknown => {
      let found = 0;
      forEachItem(made, frame, () => {
        if (predicate.run(frame) === true) found++;
        return true;
      });
      return found === 1;
    };
    return { type: BOOL, run, cost: loopCost(made, predicate.cost, 3), size: 1 };
  };

/** map, filter and transformList: a list made of the items that pass. */
const listMaker =
  (count: 1 | 2, parts: { filter?: number; transform?: number }): MacroOf =>
  (compiler, site, scope) => {
    const made = loop(compiler, site, scope, count);
    if (!isLoop(made)) return made;
    const filter = parts.filter === undefined ? undefined : predicateOf(compiler, site.args[parts.filter], made, site.offset);
    const transform = parts.transform === undefined ? undefined : compiler.compile(site.args[parts.transform] as ASTNode, made.scope);
    const item = made.variables[0];
    const run = (frame: Frame): unknown => {
      const list: unknown[] = [];
      forEachItem(made, frame, () => {
        if (filter === undefined || filter.run(frame) === true) list.push(transform === undefined ? frame.slots[item?.slot ?? 0] : transform.run(frame));
        return true;
      });
      return list;
    };
    const type = listOf(transform?.type ?? item?.type ?? DYN);
    return { type, run, cost: loopCost(made, (filter?.cost ?? 0) + (transform?.cost ?? 0), 12), size: made.range.size };
  };

/** transformMap: a map with the same keys. */
const mapMaker =
  (parts: { filter?: number; transform: number }): MacroOf =>
  (compiler, site, scope) => {
    const made = loop(compiler, site, scope, 2);
    if (!isLoop(made)) return made;
    const filter = parts.filter === undefined ? undefined : predicateOf(compiler, site.args[parts.filter], made, site.offset);
    const transform = compiler.compile(site.args[parts.transform] as ASTNode, made.scope);
    const key = made.variables[0];
    const run = (frame: Frame): unknown => {
      const map = new Map<unknown, unknown>();
      forEachItem(made, frame, () => {
        if (filter === undefined || filter.run(frame) === true) map.set(frame.slots[key?.slot ?? 0], transform.run(frame));
        return true;
      });
      return map;
    };
    return { type: mapOf(key?.type ?? DYN, transform.type), run, cost: loopCost(made, (filter?.cost ?? 0) + transform.cost, 32), size: made.range.size };
  };

/** sortBy(x, key): the items in the order of their keys. */
const sortBy: MacroOf = (compiler, site, scope) => {
  const made = loop(compiler, site, scope, 1);
  if (!isLoop(made)) return made;
  const key = compiler.compile(site.args[1] as ASTNode, made.scope);
  const run = (frame: Frame): unknown => {
    const pairs: [unknown, unknown][] = [];
    forEachItem(made, frame, () => {
      pairs.push([key.run(frame), frame.slots[made.variables[0]?.slot ?? 0]]);
      return true;
    });
    return pairs.sort(([one], [other]) => compare(one, other) ?? 0).map(([, item]) => item);
  };
  return { type: made.range.type, run, cost: loopCost(made, key.cost, 12), size: made.range.size };
};

function mapOptional(compiler: Compiler, { name, receiver, args, offset }: CallSite, scope: Scope): Compiled {
  const from = compiler.compile(receiver as ASTNode, scope);
  const [variable, body] = args;
  const type = from.type.kind === 'optional' ? from.type.of : DYN;
  if (variable?.op !== 'id' || body === undefined) return compiler.fault(offset, `${name}() variable name must be a simple identifier`);
  const slot = compiler.newSlot();
  const inner = compiler.compile(body, extend(scope, [[variable.args, { slot, type, size: sizeLimit(type) }]]));
  const run = (frame: Frame): unknown => {
    const value = from.run(frame);
    if (!(value instanceof Optional)) throw noOverload(name);
    if (!value.present) return Optional.none;
    frame.slots[slot] = value.value;
    const mapped = inner.run(frame);
    return mapped instanceof Optional ? mapped : new Optional(mapped);
  };
  return { type: name === 'optFlatMap' ? inner.type : optionalOf(inner.type), run, cost: from.cost + inner.cost + 1, size: inner.size };
}

// By name and number of arguments.
const LOOPS: Readonly<Record<string, Readonly<Record<number, MacroOf>>>> = {
  all: { 2: quantifier(1, false), 3: quantifier(2, false) },
  exists: { 2: quantifier(1, true), 3: quantifier(2, true) },
  exists_one: { 2: existsOne(1), 3: existsOne(2) },
  existsOne: { 2: existsOne(1), 3: existsOne(2) },
  map: { 2: listMaker(1, { transform: 1 }), 3: listMaker(1, { filter: 1, transform: 2 }) },
  filter: { 2: listMaker(1, { filter: 1 }) },
  transformList: { 3: listMaker(2, { transform: 2 }), 4: listMaker(2, { filter: 2, transform: 3 }) },
  transformMap: { 3: mapMaker({ transform: 2 }), 4: mapMaker({ filter: 2, transform: 3 }) },
  sortBy: { 2: sortBy },
};
