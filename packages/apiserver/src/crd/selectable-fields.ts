// Selectable fields of a version: which paths may be selected, and what an object has there.
// Source: k8s.io/apiextensions-apiserver, pkg/apis/apiextensions/validation and pkg/apiserver/schema/…/selectablefields.
import type { FieldError } from '../schema/field-error.ts';
import { duplicate, invalid, required, tooMany } from '../schema/field-error.ts';
import type { Schema } from '../schema/schema.ts';
import { memberSchema } from '../schema/schema.ts';
import { findAll, parsePath } from './json-path.ts';
import type { DefinitionVersion } from './types.ts';

const LIMIT = 8;
const SIMPLE_PATH = /^(?:\.[A-Za-z_][\w-]*(?:\\.[\w-]+)*)+$/;

/** Errors of the selectableFields of a version. */
export function selectableFieldErrors({ selectableFields, schema }: DefinitionVersion, path: string): FieldError[] {
  const fields = selectableFields ?? [];
  const errors: FieldError[] = fields.length > LIMIT ? [tooMany(path, fields.length, LIMIT)] : [];
  const seen = new Set<string>();
  fields.forEach(({ jsonPath }, index) => {
    const field = `${path}[${index}].jsonPath`;
    if ((jsonPath ?? '') === '') errors.push(required(field));
    else if (seen.has(jsonPath)) errors.push(duplicate(field, jsonPath));
    else errors.push(...pathErrors(jsonPath, schema?.openAPIV3Schema, field));
    seen.add(jsonPath);
  });
  return errors;
}

function pathErrors(jsonPath: string, schema: Schema | undefined, field: string): FieldError[] {
  if (!SIMPLE_PATH.test(jsonPath)) return [invalid(field, jsonPath, 'is an invalid path: only simple paths of fields are allowed')];
  const target = parsePath(jsonPath).reduce<Schema | undefined>((one, step) => (step.kind === 'member' ? memberSchema(one, step.name) : undefined), schema);
  if (target === undefined) return [invalid(field, jsonPath, 'is an invalid path: does not refer to a valid field')];
  if (jsonPath.startsWith('.metadata')) return [invalid(field, jsonPath, 'must not point to fields in metadata')];
  if (!['string', 'boolean', 'integer'].includes(target.type ?? '')) {
    return [invalid(field, jsonPath, 'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.')];
  }
  return [];
}

/** The name that fieldSelector uses: `spec.color` for `.spec.color`. */
export function selectorName(jsonPath: string): string {
  return jsonPath.replace(/^\./, '');
}

/** The text that a fieldSelector compares; the empty text when the object has no such field. */
export function selectableValue(jsonPath: string, object: unknown): string {
  const [value] = findAll(parsePath(jsonPath), object);
  return typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number' || typeof value === 'bigint' ? String(value) : '';
}
