// Reading and filling objects whose fields are known only to the kind's own rules.
import type { KubeObject } from '@snapshot-stack/api-types';
import { compareQuantities } from '@snapshot-stack/api-types';
import { deepEqual } from '../../registry/deep-equal.ts';
import { nameProblems } from '../../registry/metadata.ts';
import { invalid, notSupported, required, type FieldError } from '../../schema/field-error.ts';

export type Fields = Record<string, unknown>;

export const fieldsOf = (object: object | undefined): Fields => (object ?? {}) as Fields;

/** A member that is an object; an empty one where it is missing. */
export function part(object: object | undefined, name: string): Fields {
  const value = fieldsOf(object)[name];
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}

/** As {@link part}, but made where it is missing. */
export function partIn(object: KubeObject, name: string): Fields {
  const fields = fieldsOf(object);
  return (fields[name] ??= {}) as Fields;
}

export function items(object: object | undefined, name: string): unknown[] {
  const value = fieldsOf(object)[name];
  return Array.isArray(value) ? value : [];
}

export function text(object: object | undefined, name: string): string {
  const value = fieldsOf(object)[name];
  return typeof value === 'string' ? value : '';
}

export function setDefault(target: Fields, field: string, value: unknown): void {
  if (target[field] === undefined || target[field] === null || target[field] === '') target[field] = value;
}

/** A quantity as it was written; `0` where there is none. */
export function quantityOf(object: object | undefined, name: string): string {
  const value = fieldsOf(object)[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '0';
}

export function requiredText(object: object | undefined, name: string, at: string): FieldError[] {
  return text(object, name) === '' ? [required(at)] : [];
}

/** An error for each of the fields that is not what it was. */
export function immutableFields(object: object, old: object | undefined, fields: readonly string[]): FieldError[] {
  if (old === undefined) return [];
  const changed = fields.filter((field) => !deepEqual(fieldsOf(object)[field], fieldsOf(old)[field]));
  return changed.map((field) => invalid(field, fieldsOf(object)[field] ?? null, 'field is immutable'));
}

export function oneOf(object: object, name: string, at: string, supported: readonly string[]): FieldError[] {
  const value = fieldsOf(object)[name];
  return value === undefined || (typeof value === 'string' && supported.includes(value)) ? [] : [notSupported(at, value, supported)];
}

export function classNameErrors(spec: Fields): FieldError[] {
  const name = text(spec, 'storageClassName');
  return name === '' ? [] : nameProblems(name, 'subdomain').map((problem) => invalid('spec.storageClassName', name, problem));
}

const ACCESS_MODES = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

/** @param missing the detail for a list without modes */
export function accessModeErrors(spec: Fields, missing: string): FieldError[] {
  const modes = items(spec, 'accessModes');
  if (modes.length === 0) return [required('spec.accessModes', missing)];
  const errors = modes.filter((mode) => !ACCESS_MODES.includes(String(mode))).map((mode) => notSupported('spec.accessModes', mode, ACCESS_MODES));
  const exclusive = modes.includes('ReadWriteOncePod') && modes.some((mode) => mode !== 'ReadWriteOncePod');
  if (!exclusive) return errors;
  return [...errors, { reason: 'FieldValueForbidden', field: 'spec.accessModes', message: 'Forbidden: may not use ReadWriteOncePod with other access modes' }];
}

/** An error unless the quantity is there and more than nothing. */
export function positiveErrors(amounts: object, name: string, at: string): FieldError[] {
  const value = quantityOf(amounts, name);
  return compareQuantities(value, 0) > 0 ? [] : [invalid(at, value, 'must be greater than zero')];
}

export const VOLUME_MODES = ['Block', 'Filesystem'];
