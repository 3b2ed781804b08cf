// Strategic merge patch: a merge patch that merges lists by key and knows directives ($patch, $retainKeys,
// $deleteFromPrimitiveList, $setElementOrder). Only built-in kinds have it, as their types name merge keys.
// Source: k8s.io/apimachinery/pkg/util/strategicpatch.
import { isObject, memberSchema, type JsonObject, type Schema } from '../schema/schema.ts';
import { StatusError, badRequest } from '../status.ts';
import { goText } from '../managed-fields/typed-errors.ts';
import { arrangeByPatch, partition, sameScalar } from './element-order.ts';

const DIRECTIVE = '$patch';
const RETAIN_KEYS = '$retainKeys';
const DELETE_FROM = '$deleteFromPrimitiveList/';
const SET_ORDER = '$setElementOrder/';

interface Merging {
  readonly mergeKey: string;
  readonly merges: boolean;
  readonly replaces: boolean;
  readonly schema: Schema | undefined;
}

/** The original with the patch applied; both stay as they are. @throws StatusError for a patch that makes no sense */
export function strategicMerge(original: JsonObject, patch: JsonObject, schema: Schema | undefined): JsonObject {
  return mergeMap(structuredClone(original), structuredClone(patch), schema);
}

function plain(message: string): StatusError {
  return new StatusError(500, '', message);
}

function noMergeKey(item: unknown, key: string): StatusError {
  return plain(`map: ${goText(item)} does not contain declared merge key: ${key}`);
}

function badDirective(directive: unknown, map: JsonObject): StatusError {
  return plain(`unknown patch type: ${String(directive)} in map: ${goText(map)}`);
}

function mergingOf(schema: Schema | undefined, field: string): Merging {
  const member = memberSchema(schema, field);
  const strategies = (member?.['x-kubernetes-patch-strategy'] ?? '').split(',');
  return {
    mergeKey: member?.['x-kubernetes-patch-merge-key'] ?? '',
    merges: strategies.includes('merge'),
    replaces: strategies.includes('replace'),
    schema: member,
  };
}

function mergeMap(original: JsonObject, patch: JsonObject, schema: Schema | undefined): JsonObject {
  if (Object.hasOwn(patch, DIRECTIVE)) return directed(patch);
  retainKeys(original, patch);
  mergeOrdered(original, patch, schema);
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith(SET_ORDER)) continue;
    if (key.startsWith(DELETE_FROM)) deleteScalars(original, key.slice(DELETE_FROM.length), value);
    else if (value === null) delete original[key];
    else setMember(original, key, mergeMember(original[key], value, mergingOf(schema, key)));
  }
  return original;
}

/** `$patch` in a map: replace takes the rest of the patch as it is, delete leaves nothing. */
function directed(patch: JsonObject): JsonObject {
  const { [DIRECTIVE]: directive, ...rest } = patch;
  if (directive === 'replace') return rest;
  if (directive === 'delete') return {};
  throw badDirective(directive, patch);
}

function setMember(target: JsonObject, key: string, value: unknown): void {
  if (value === undefined) delete target[key];
  else Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
}

function mergeMember(original: unknown, patch: unknown, merging: Merging): unknown {
  if (isObject(original) && isObject(patch)) return merging.replaces ? patch : mergeMap(original, patch, merging.schema);
  if (Array.isArray(original) && Array.isArray(patch)) return merging.merges ? mergeList(original, patch, merging) : patch;
  return cleaned(patch);
}

/** A value that is new: nulls in it say nothing, and parts that carry directives fall away. */
function cleaned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(cleaned).filter((item) => item !== undefined);
  if (!isObject(value)) return value;
  if (Object.hasOwn(value, DIRECTIVE)) return undefined;
  const kept: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    if (member === null) continue;
    setMember(kept, key, cleaned(member));
  }
  return kept;
}

function retainKeys(original: JsonObject, patch: JsonObject): void {
  if (!Object.hasOwn(patch, RETAIN_KEYS)) return;
  const keys = patch[RETAIN_KEYS];
  delete patch[RETAIN_KEYS];
  if (!Array.isArray(keys)) throw badRequest('invalid patch format of retainKeys');
  for (const [key, value] of Object.entries(patch)) {
    if (value === null || key.startsWith(DELETE_FROM) || key.startsWith(SET_ORDER)) continue;
    if (!keys.includes(key)) throw badRequest('invalid patch format of retainKeys');
  }
  for (const key of Object.keys(original)) if (!keys.includes(key)) delete original[key];
}

function deleteScalars(original: JsonObject, key: string, values: unknown): void {
  if (!Array.isArray(values)) throw badRequest('invalid patch format of primitive list');
  const list = original[key];
  if (Array.isArray(list)) original[key] = list.filter((item) => !values.some((value) => sameScalar(value, item)));
}

/** Lists whose order the patch fixes: merged here, and taken out of the patch. */
function mergeOrdered(original: JsonObject, patch: JsonObject, schema: Schema | undefined): void {
  for (const directive of Object.keys(patch).filter((key) => key.startsWith(SET_ORDER))) {
    const order = patch[directive];
    delete patch[directive];
    if (!Array.isArray(order)) throw badRequest('invalid patch format of setElementOrder list');
    const key = directive.slice(SET_ORDER.length);
    const merging = mergingOf(schema, key);
    const [before, added] = [original[key], patch[key]];
    for (const list of [before, added])
      if (list !== undefined && !Array.isArray(list)) throw plain(`expected a []interface {}, but received a ${goKind(list)}`);
    if (before === undefined && added === undefined) continue;
    if (Array.isArray(added)) checkOrder(added, order, merging.mergeKey);
    const merged =
      Array.isArray(before) && Array.isArray(added) ? (mergeMember(before, added, merging) as unknown[]) : ((before ?? cleaned(added)) as unknown[]);
    original[key] = arrangeByPatch(merged, order, Array.isArray(before) ? before : [], merging.mergeKey);
    delete patch[key];
  }
}

/** What the patch adds must stand in its own order list, in the same order. */
function checkOrder(list: readonly unknown[], order: readonly unknown[], mergeKey: string): void {
  const wanted = list.filter((item) => !(isObject(item) && item[DIRECTIVE] === 'delete'));
  let next = 0;
  for (const entry of order) {
    const item = wanted[next];
    const same = mergeKey === '' ? sameScalar(item, entry) : isObject(item) && isObject(entry) && sameScalar(item[mergeKey], entry[mergeKey]);
    if (next < wanted.length && same) next++;
  }
  if (next < wanted.length) throw plain(`The order in patch list:\n${goText(list)}\n doesn't match $setElementOrder list:\n${goText(order)}\n`);
}

function goKind(value: unknown): string {
  if (isObject(value)) return 'map[string]interface {}';
  return typeof value === 'string' ? 'string' : typeof value === 'boolean' ? 'bool' : value === null ? '<nil>' : 'int64';
}

function mergeList(original: unknown[], patch: unknown[], merging: Merging): unknown[] {
  if (original.length === 0 && patch.length === 0) return original;
  const all = [...original, ...patch];
  // Like kube-apiserver, which says nothing but that the request is wrong.
  if (all.some((item) => Array.isArray(item))) throw new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', {});
  if (new Set(all.map(goKind)).size > 1) throw plain(`list element types are not identical: ${goText([original, patch])}`);
  if (!all.every(isObject)) {
    const merged = all.filter((item, index) => all.findIndex((other) => sameScalar(other, item)) === index);
    return arrangeByPatch(merged, patch, original, '');
  }
  if (merging.mergeKey === '') throw plain('cannot merge lists without merge key for type struct');
  return mergeMaps(original as JsonObject[], patch as JsonObject[], merging);
}

function mergeMaps(original: JsonObject[], patch: JsonObject[], { mergeKey, schema }: Merging): unknown[] {
  const { base, items } = takeDirectives(original, patch, mergeKey);
  const merged = [...base];
  for (const item of items) {
    if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey);
    const index = merged.findIndex((other) => sameScalar(other[mergeKey], item[mergeKey]));
    if (index >= 0) merged[index] = mergeMap(merged[index] as JsonObject, item, schema?.items);
    else {
      const fresh = cleaned(item);
      if (isObject(fresh)) merged.push(fresh);
    }
  }
  for (const item of merged) if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey);
  return arrangeByPatch(merged, items, base, mergeKey);
}

/** Carries out the items that are directives; what is left is merged. */
function takeDirectives(original: JsonObject[], patch: JsonObject[], mergeKey: string): { base: JsonObject[]; items: JsonObject[] } {
  let base = original;
  let replaces = false;
  const items: JsonObject[] = [];
  for (const item of patch) {
    if (!Object.hasOwn(item, DIRECTIVE)) items.push(item);
    else if (item[DIRECTIVE] === 'delete') {
      if (!Object.hasOwn(item, mergeKey)) throw noMergeKey(item, mergeKey);
      base = partition(base, [item], mergeKey).others as JsonObject[];
    } else if (item[DIRECTIVE] === 'replace') replaces = true;
    else if (item[DIRECTIVE] === 'merge') throw plain('merging lists cannot yet be specified in the patch');
    else throw badDirective(item[DIRECTIVE], item);
  }
  return replaces ? { base: items, items: [] } : { base, items };
}
