// Lays an applied configuration over the live object, and takes fields out of an object.
// Source: sigs.k8s.io/structured-merge-diff/v6/typed/merge.go and remove.go.
import { isObject, type JsonObject, type Schema } from '../schema/schema.ts';
import { isEmpty, type FieldSet } from './field-set.ts';
import { deduced, fieldSchema, itemSchema, itemsByKey, keyOrUndefined, shapeOf } from './typed.ts';

/** The live value with the applied one over it; neither is changed. */
export function merge(live: unknown, applied: unknown, schema: Schema): unknown {
  if (applied === undefined) return live;
  if (live === undefined) return applied;
  const shape = shapeOf(schema, applied ?? live);
  if (shape === 'map' && (isObject(live) || isObject(applied))) return mergeMaps(isObject(live) ? live : {}, isObject(applied) ? applied : {}, schema);
  if (shape === 'list' && (Array.isArray(live) || Array.isArray(applied)))
    return mergeLists(Array.isArray(live) ? live : [], Array.isArray(applied) ? applied : [], schema);
  return applied;
}

function mergeMaps(live: JsonObject, applied: JsonObject, schema: Schema): JsonObject {
  const merged: JsonObject = { ...live };
  for (const name of Object.keys(applied)) {
    const value = merge(Object.hasOwn(live, name) ? live[name] : undefined, applied[name], fieldSchema(schema, name) ?? deduced);
    Object.defineProperty(merged, name, { value, enumerable: true, writable: true, configurable: true });
  }
  return merged;
}

/** Items of the live list keep their place unless the applied list orders them otherwise. */
function mergeLists(live: readonly unknown[], applied: readonly unknown[], schema: Schema): unknown[] {
  const [liveItems, appliedItems] = [itemsByKey(live, schema), itemsByKey(applied, schema)];
  const appliedKeys = [...appliedItems.keys()];
  const shared = appliedKeys.filter((key) => liveItems.has(key));
  const merged: unknown[] = [];
  const taken = new Set<string>();
  const take = (key: string): void => {
    taken.add(key);
    if (shared[0] === key) shared.shift();
    merged.push(merge(liveItems.get(key), appliedItems.get(key), itemSchema(schema)));
  };
  let next = 0;
  for (const item of live) {
    const key = keyOrUndefined(item, schema);
    if (key === undefined || !appliedItems.has(key)) {
      merged.push(item);
      continue;
    }
    // An item that the applied list has further down waits for its turn there.
    if (taken.has(key) || shared[0] !== key) continue;
    while (appliedKeys[next] !== key && next < appliedKeys.length) take(appliedKeys[next++] as string);
    take(key);
    next++;
  }
  for (; next < appliedKeys.length; next++) {
    const key = appliedKeys[next] as string;
    if (!taken.has(key)) take(key);
  }
  return merged;
}

/** The value without the fields of the set. A map or list that loses its last member becomes null. */
export function removeFields(value: unknown, set: FieldSet, schema: Schema): unknown {
  if (isEmpty(set)) return value;
  const shape = shapeOf(schema, value);
  if (shape === 'map' && isObject(value)) return removeMembers(value, set, schema);
  if (shape === 'list' && Array.isArray(value)) return removeItems(value, set, schema);
  return shape === 'scalar' ? value : null;
}

function removeMembers(value: JsonObject, set: FieldSet, schema: Schema): JsonObject | null {
  const kept: JsonObject = {};
  for (const [name, member] of Object.entries(value)) {
    const child = set.children.get(`f:${name}`);
    if (child?.member === true) continue;
    const left = child === undefined ? member : removeFields(member, child, fieldSchema(schema, name) ?? deduced);
    Object.defineProperty(kept, name, { value: left, enumerable: true, writable: true, configurable: true });
  }
  return Object.keys(kept).length === 0 ? null : kept;
}

function removeItems(list: readonly unknown[], set: FieldSet, schema: Schema): unknown[] | null {
  const kept = list.flatMap((item) => {
    const child = set.children.get(keyOrUndefined(item, schema) ?? '');
    if (child === undefined) return [item];
    return child.member ? [] : [removeFields(item, child, itemSchema(schema))];
  });
  return kept.length === 0 ? null : kept;
}
