// JSON patch (RFC 6902) with the liberties that kube-apiserver's library takes: `replace` adds a missing member,
// negative indices count from the end, and a test for null passes where there is nothing.
// Source: github.com/evanphx/json-patch v4.12, which kube-apiserver uses.
import { deepEqual } from '../registry/deep-equal.ts';
import { isObject } from '../schema/schema.ts';

/** The patch does not fit the document. */
export class PatchMismatch extends Error {
  override readonly name = 'PatchMismatch';
}

export interface JsonPatchOperation {
  readonly op?: unknown;
  readonly path?: unknown;
  readonly from?: unknown;
  readonly value?: unknown;
}

/** Applies the operations to the document, which is changed in place. @throws PatchMismatch */
export function applyJsonPatch(document: unknown, operations: readonly JsonPatchOperation[]): unknown {
  const root = { document };
  for (const operation of operations) applyOne(root, operation);
  return root.document;
}

function applyOne(root: { document: unknown }, operation: JsonPatchOperation): void {
  const path = pointer(operation.path, 'path');
  switch (operation.op) {
    case 'add':
      return add(root, path, valueOf(operation));
    case 'remove':
      return void remove(root, path);
    case 'replace':
      return replace(root, path, valueOf(operation));
    case 'move':
      return add(root, path, remove(root, pointer(operation.from, 'from')));
    case 'copy':
      return add(root, path, structuredClone(existing(root, pointer(operation.from, 'from'))));
    case 'test':
      return test(root, path, operation.value);
    default:
      throw new PatchMismatch(`unexpected kind: ${String(operation.op)}`);
  }
}

function valueOf(operation: JsonPatchOperation): unknown {
  // A missing value is null, as Go decodes it.
  return operation.value === undefined ? null : structuredClone(operation.value);
}

function pointer(text: unknown, member: string): string[] {
  if (typeof text !== 'string') throw new PatchMismatch(`the operation has no ${member}`);
  if (text === '') return [];
  return text
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The container of a path's last step. */
function parentOf(root: { document: unknown }, path: readonly string[]): unknown[] | Record<string, unknown> {
  let place: unknown = root.document;
  for (const step of path.slice(0, -1)) place = child(place, step);
  if (path.length === 0 || !(Array.isArray(place) || isObject(place))) throw new PatchMismatch(`doc is missing path: /${path.join('/')}`);
  return place;
}

function child(place: unknown, step: string): unknown {
  if (Array.isArray(place)) {
    const index = indexIn(place, step);
    return index === undefined ? undefined : (place[index] as unknown);
  }
  return isObject(place) && Object.hasOwn(place, step) ? place[step] : undefined;
}

/** The index of an item that exists; undefined where there is none. */
function indexIn(list: readonly unknown[], step: string): number | undefined {
  if (!/^-?\d+$/.test(step)) return undefined;
  const index = Number(step) < 0 ? Number(step) + list.length : Number(step);
  return index >= 0 && index < list.length ? index : undefined;
}

function put(place: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(place, name, { value, enumerable: true, writable: true, configurable: true });
}

function add(root: { document: unknown }, path: readonly string[], value: unknown): void {
  const place = parentOf(root, path);
  const step = path.at(-1) as string;
  if (!Array.isArray(place)) return put(place, step, value);
  if (step === '-') return void place.push(value);
  if (!/^-?\d+$/.test(step)) throw new PatchMismatch(`${step} is no index`);
  const index = Number(step) < 0 ? Number(step) + place.length + 1 : Number(step);
  if (index < 0 || index > place.length) throw new PatchMismatch(`Unable to access invalid index: ${step}`);
  place.splice(index, 0, value);
}

function remove(root: { document: unknown }, path: readonly string[]): unknown {
  const place = parentOf(root, path);
  const step = path.at(-1) as string;
  if (Array.isArray(place)) {
    const index = indexIn(place, step);
    if (index === undefined) throw new PatchMismatch(`Unable to access invalid index: ${step}`);
    return place.splice(index, 1)[0];
  }
  if (!Object.hasOwn(place, step)) throw new PatchMismatch(`Unable to remove nonexistent key: ${step}`);
  const value = place[step];
  delete place[step];
  return value;
}

function replace(root: { document: unknown }, path: readonly string[], value: unknown): void {
  if (path.length === 0) {
    root.document = value;
    return;
  }
  const place = parentOf(root, path);
  const step = path.at(-1) as string;
  if (!Array.isArray(place)) return put(place, step, value);
  const index = indexIn(place, step);
  if (index === undefined) throw new PatchMismatch(`replace operation does not apply: doc is missing key: ${step}`);
  place[index] = value;
}

function existing(root: { document: unknown }, path: readonly string[]): unknown {
  if (path.length === 0) return root.document;
  const value = child(parentOf(root, path), path.at(-1) as string);
  if (value === undefined) throw new PatchMismatch(`doc is missing path: /${path.join('/')}`);
  return value;
}

function test(root: { document: unknown }, path: readonly string[], wanted: unknown = null): void {
  const value = path.length === 0 ? root.document : (child(parentOf(root, path), path.at(-1) as string) ?? null);
  if (!deepEqual(value, wanted)) throw new PatchMismatch(`testing value /${path.join('/')} failed`);
}
