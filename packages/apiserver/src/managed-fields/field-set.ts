// Sets of field paths, as metadata.managedFields records them: a tree whose edges are the keys of FieldsV1
// (`f:name` a member, `k:{…}` an item of a list map, `v:…` an item of a list set). Sets are never changed once
// they were handed out. Source: sigs.k8s.io/structured-merge-diff/v6/fieldpath.
import { isObject, type JsonObject } from '../schema/schema.ts';

export interface FieldSet {
  /** True when the path that leads here is itself in the set, and not only paths below it. */
  readonly member: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

const NONE: ReadonlyMap<string, FieldSet> = new Map();
export const emptySet: FieldSet = { member: false, children: NONE };
export const leafSet: FieldSet = { member: true, children: NONE };

export function isEmpty(set: FieldSet): boolean {
  return !set.member && set.children.size === 0;
}

function make(member: boolean, children: Map<string, FieldSet>): FieldSet {
  if (children.size === 0) return member ? leafSet : emptySet;
  return { member, children };
}

/** Collects paths while a value is walked. */
export class FieldSetBuilder {
  #member = false;
  readonly #children = new Map<string, FieldSetBuilder>();

  /** The place below, under one key of FieldsV1. */
  at(key: string): FieldSetBuilder {
    let child = this.#children.get(key);
    if (child === undefined) {
      child = new FieldSetBuilder();
      this.#children.set(key, child);
    }
    return child;
  }

  /** Puts the path that leads here into the set. */
  insert(): void {
    this.#member = true;
  }

  build(): FieldSet {
    const children = new Map<string, FieldSet>();
    for (const [key, child] of this.#children) {
      const built = child.build();
      if (!isEmpty(built)) children.set(key, built);
    }
    return make(this.#member, children);
  }
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a) || a === b) return b;
  if (isEmpty(b)) return a;
  const children = new Map(a.children);
  for (const [key, child] of b.children) {
    const own = children.get(key);
    children.set(key, own === undefined ? child : union(own, child));
  }
  return make(a.member || b.member, children);
}

/** The paths of a that b does not have; paths below one of b's stay. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  if (isEmpty(a) || isEmpty(b)) return a;
  return combine(a, b, a.member && !b.member, difference);
}

/** The paths of a that are neither in b nor below a path of b. */
export function recursiveDifference(a: FieldSet, b: FieldSet): FieldSet {
  if (b.member) return emptySet;
  if (isEmpty(a) || isEmpty(b)) return a;
  return combine(a, b, a.member, recursiveDifference);
}

function combine(a: FieldSet, b: FieldSet, member: boolean, below: (a: FieldSet, b: FieldSet) => FieldSet): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [key, child] of a.children) {
    const other = b.children.get(key);
    const kept = other === undefined ? child : below(child, other);
    if (!isEmpty(kept)) children.set(key, kept);
  }
  return make(member, children);
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [key, child] of a.children) {
    const other = b.children.get(key);
    if (other === undefined) continue;
    const shared = intersection(child, other);
    if (!isEmpty(shared)) children.set(key, shared);
  }
  return make(a.member && b.member, children);
}

export function equalSets(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  if (a.member !== b.member || a.children.size !== b.children.size) return false;
  for (const [key, child] of a.children) {
    const other = b.children.get(key);
    if (other === undefined || !equalSets(child, other)) return false;
  }
  return true;
}

/** Every path of the set as its list of keys, parents first, members in the order of their keys. */
export function pathsOf(set: FieldSet, above: readonly string[] = []): string[][] {
  const paths = set.member ? [[...above]] : [];
  for (const key of [...set.children.keys()].sort()) {
    const child = set.children.get(key);
    if (child !== undefined) paths.push(...pathsOf(child, [...above, key]));
  }
  return paths;
}

/** The set that FieldsV1 describes; what is no object counts as nothing. */
export function parseFields(fields: unknown): FieldSet {
  if (!isObject(fields)) return emptySet;
  const children = new Map<string, FieldSet>();
  for (const [key, below] of Object.entries(fields)) {
    if (key === '.' || !isObject(below)) continue;
    const child = parseFields(below);
    children.set(key, child.children.size === 0 ? leafSet : child);
  }
  return make(Object.hasOwn(fields, '.'), children);
}

/** FieldsV1: `{"f:spec":{".":{},"f:size":{}}}`, keys sorted. */
export function formatFields(set: FieldSet): JsonObject {
  const fields: JsonObject = {};
  if (set.member && set.children.size > 0) fields['.'] = {};
  for (const key of [...set.children.keys()].sort()) {
    const child = set.children.get(key);
    if (child !== undefined) Object.defineProperty(fields, key, { value: formatFields(child), enumerable: true, writable: true, configurable: true });
  }
  return fields;
}

/** A path as conflicts name it: `.spec.items[name="x"].value`. */
export function pathText(keys: readonly string[]): string {
  return keys.map(keyText).join('');
}

/** One step of a path: `.name`, `[name="x"]`, `[="x"]`, `[0]`. */
export function keyText(key: string): string {
  const rest = key.slice(2);
  if (key.startsWith('f:')) return `.${rest}`;
  if (key.startsWith('i:')) return `[${rest}]`;
  if (key.startsWith('v:')) return `[=${rest}]`;
  const members = JSON.parse(rest) as Record<string, unknown>;
  return `[${Object.entries(members)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(',')}]`;
}
