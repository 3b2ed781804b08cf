// Who owns which fields: metadata.managedFields, decoded. A manager is told apart by name, operation, subresource
// and, for updates, the version it wrote in. Source: k8s.io/apimachinery/pkg/util/managedfields.
import type { KubeObject } from '@snapshot-stack/api-types';
import type { JsonObject } from '../schema/schema.ts';
import { isObject } from '../schema/schema.ts';
import { emptySet, formatFields, isEmpty, parseFields, pathText, pathsOf, union, type FieldSet } from './field-set.ts';

export type Operation = 'Apply' | 'Update';

export interface Manager {
  readonly name: string;
  readonly operation: Operation;
  readonly apiVersion: string;
  readonly subresource: string;
  /** RFC 3339; undefined where a client left it out. */
  readonly time: string | undefined;
  readonly fields: FieldSet;
}

/** Managers by {@link managerId}. */
export type Managers = ReadonlyMap<string, Manager>;

/** More managers that update are folded into one, called `ancient-changes`. */
export const UPDATE_MANAGERS_MAX = 10;
const ANCIENT = 'ancient-changes';

export function managerId({ name, operation, apiVersion, subresource }: Pick<Manager, 'name' | 'operation' | 'apiVersion' | 'subresource'>): string {
  return JSON.stringify([name, operation, operation === 'Apply' ? '' : apiVersion, subresource]);
}

/** undefined when an entry is not one of ours, which makes the whole list worthless. */
export function decodeManagers(entries: unknown): Managers | undefined {
  const managers = new Map<string, Manager>();
  if (entries === undefined || entries === null) return managers;
  if (!Array.isArray(entries)) return undefined;
  for (const entry of entries) {
    if (!isObject(entry)) return undefined;
    const { manager = '', operation, apiVersion = '', subresource = '', time, fieldsType, fieldsV1 } = entry as Record<string, string | undefined>;
    if ((operation !== 'Apply' && operation !== 'Update') || (fieldsType !== undefined && fieldsType !== 'FieldsV1')) return undefined;
    const decoded: Manager = { name: manager, operation, apiVersion, subresource, time, fields: parseFields(fieldsV1) };
    const id = managerId(decoded);
    managers.set(id, { ...decoded, fields: union(managers.get(id)?.fields ?? emptySet, decoded.fields) });
  }
  return managers;
}

/** `[]` and `[{}]` ask to forget all owners. */
export function asksForReset(entries: unknown): boolean {
  if (!Array.isArray(entries)) return false;
  return entries.length === 0 || (entries.length === 1 && isObject(entries[0]) && Object.keys(entries[0]).length === 0);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function order(a: Manager, b: Manager): number {
  return (
    compareText(a.operation, b.operation) ||
    compareText(a.time ?? '', b.time ?? '') ||
    compareText(a.name, b.name) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource, b.subresource)
  );
}

/** The wire form; undefined when nobody owns anything. */
export function encodeManagers(managers: Managers): JsonObject[] | undefined {
  const owners = [...managers.values()].filter((manager) => !isEmpty(manager.fields)).sort(order);
  if (owners.length === 0) return undefined;
  return owners.map(({ name, operation, apiVersion, time, fields, subresource }) => ({
    ...(name === '' ? {} : { manager: name }),
    operation,
    apiVersion,
    ...(time === undefined ? {} : { time }),
    fieldsType: 'FieldsV1',
    fieldsV1: formatFields(fields),
    ...(subresource === '' ? {} : { subresource }),
  }));
}

/** Folds the oldest updating managers into one for each version when there are too many. */
export function capUpdateManagers(managers: Managers): Managers {
  const updaters = [...managers].filter(([, manager]) => manager.operation === 'Update').sort(([, a], [, b]) => order(a, b));
  let excess = updaters.length - UPDATE_MANAGERS_MAX;
  if (excess <= 0) return managers;
  const capped = new Map(managers);
  const buckets = new Map<string, string>();
  for (const [id, manager] of updaters) {
    if (excess < 0) break;
    const bucketId = managerId({ ...manager, name: ANCIENT, subresource: '' });
    const bucket = capped.get(bucketId);
    capped.delete(id);
    capped.set(bucketId, { ...manager, name: ANCIENT, subresource: '', fields: union(bucket?.fields ?? emptySet, manager.fields) });
    // The first of a version only renames itself; each further one makes one manager fewer.
    if (buckets.has(manager.apiVersion) || bucket !== undefined) excess--;
    buckets.set(manager.apiVersion, bucketId);
  }
  return capped;
}

/** A manager as a conflict names it: `"carol" with subresource "status" using v1`. */
export function managerText({ name, operation, apiVersion, subresource }: Manager): string {
  const where = subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`;
  const version = operation === 'Update' ? ` using ${apiVersion}` : '';
  return `${JSON.stringify(name)}${where}${version}`;
}

export interface FieldConflict {
  readonly manager: Manager;
  /** `.spec.size` */
  readonly field: string;
}

/** The conflicts of a set of fields with their owners, by manager and path. */
export function conflictsOf(claims: ReadonlyMap<string, { manager: Manager; fields: FieldSet }>): FieldConflict[] {
  return [...claims]
    .sort(([a], [b]) => compareText(a, b))
    .flatMap(([, { manager, fields }]) => pathsOf(fields).map((keys) => ({ manager, field: pathText(keys) })));
}

export function managersOf(object: KubeObject | undefined): unknown {
  return (object?.metadata as JsonObject | undefined)?.['managedFields'];
}
