// Checks an object against its kind as the API server does when the CRD is installed: first the shape, and, where
// that is sound, the rules. The definitions are those that the CRDs are written from (crds/), so an answer here
// and an answer of the API server cannot differ. Fields unknown to the schema are no fault: the server prunes them.
import { snapshotKinds } from './crds/index.ts';
import { objectSchema, type Kind, type KindVersion } from './crds/definition.ts';
import type { VolumeGroupSnapshot, VolumeGroupSnapshotClass, VolumeGroupSnapshotContent, VolumeGroupSnapshotContentV1Beta1 } from './group-snapshot.ts';
import type { KubeObject } from './meta.ts';
import type { Schema } from './schema.ts';
import { shapeFaults } from './shape.ts';
import type { VolumeSnapshot, VolumeSnapshotClass, VolumeSnapshotContent } from './snapshot.ts';

export interface Violation {
  /** Path of the field, as the API server spells it: `spec.source.volumeHandle`. */
  readonly field: string;
  /** Name of the broken rule, for example `exactly-one` or `required`. */
  readonly rule: string;
  /** The words the API server would use, without its `Invalid value: …` in front. */
  readonly message: string;
  /** What the author of the object can do about it. */
  readonly remedy: string;
}

/** `old` is the stored object, given on update: rules about changes are checked against it. */
export function validateSnapshot(snapshot: VolumeSnapshot, old?: VolumeSnapshot): Violation[] {
  return validateAs('VolumeSnapshot', snapshot, old);
}

export function validateContent(content: VolumeSnapshotContent, old?: VolumeSnapshotContent): Violation[] {
  return validateAs('VolumeSnapshotContent', content, old);
}

export function validateClass(snapshotClass: VolumeSnapshotClass, old?: VolumeSnapshotClass): Violation[] {
  return validateAs('VolumeSnapshotClass', snapshotClass, old);
}

export function validateGroupSnapshot(groupSnapshot: VolumeGroupSnapshot, old?: VolumeGroupSnapshot): Violation[] {
  return validateAs('VolumeGroupSnapshot', groupSnapshot, old);
}

export function validateGroupContent(
  content: VolumeGroupSnapshotContent | VolumeGroupSnapshotContentV1Beta1,
  old?: VolumeGroupSnapshotContent | VolumeGroupSnapshotContentV1Beta1,
): Violation[] {
  return validateAs('VolumeGroupSnapshotContent', content, old);
}

export function validateGroupClass(groupClass: VolumeGroupSnapshotClass, old?: VolumeGroupSnapshotClass): Violation[] {
  return validateAs('VolumeGroupSnapshotClass', groupClass, old);
}

/** Checks an object of any of the six kinds, or returns undefined when it is of another. */
export function validateAny(object: KubeObject, old?: KubeObject): Violation[] | undefined {
  const kind = snapshotKinds.find(({ group, kind }) => kind === object.kind && object.apiVersion?.startsWith(`${group}/`));
  return kind && validateWith(kind, object, old);
}

function validateAs(name: string, object: KubeObject, old: KubeObject | undefined): Violation[] {
  const kind = snapshotKinds.find((kind) => kind.kind === name);
  if (kind === undefined) throw new Error(`${name} is none of the kinds this package defines: a bug in validate.ts`);
  return validateWith(kind, object, old);
}

function validateWith(kind: Kind, object: KubeObject, old: KubeObject | undefined): Violation[] {
  const version = versionOf(kind, object);
  if (version === undefined) {
    const known = kind.versions.map(({ name }) => `${kind.group}/${name}`).join(', ');
    return [{ field: 'apiVersion', rule: 'known-version', message: `${object.apiVersion} is no version of ${kind.kind}`, remedy: `write one of ${known}` }];
  }
  const schema = objectSchema(kind, version);
  const faults = shapeFaults(schema, object);
  return faults.length > 0 ? faults : ruleViolations(schema, object, old, '');
}

// An object without apiVersion is taken to be of the newest version.
function versionOf(kind: Kind, { apiVersion }: KubeObject): KindVersion | undefined {
  if (apiVersion === undefined) return kind.versions[0];
  return kind.versions.find(({ name }) => apiVersion === `${kind.group}/${name}`);
}

/** Rules of a value and of its members. Items of lists have no rules, and no old value to compare with. */
function ruleViolations(schema: Schema, self: unknown, old: unknown, path: string): Violation[] {
  const own = (schema.rules ?? [])
    .filter((rule) => !rule.transition || isSet(old))
    .filter((rule) => !rule.holds(self, old))
    .map(({ name, message, remedy }) => ({ field: path, rule: name, message, remedy }));
  const inner = Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    const value = memberOf(self, name);
    return isSet(value) ? ruleViolations(member, value, memberOf(old, name), join(path, name)) : [];
  });
  return [...own, ...inner];
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}
