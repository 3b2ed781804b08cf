// The defaults of a schema must be valid values of it, with no field that pruning would drop.
// Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/defaulting/validation.go.
import { ruleErrors } from '../cel/rules.ts';
import { applyDefaults } from '../schema/defaults.ts';
import type { FieldError } from '../schema/field-error.ts';
import { forbidden, invalid } from '../schema/field-error.ts';
import { prune } from '../schema/prune.ts';
import type { JsonObject, Schema } from '../schema/schema.ts';
import { isObject } from '../schema/schema.ts';
import { validate } from '../schema/validate.ts';

/** The errors of all defaults below a schema. */
export function defaultErrors(schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    if (name !== 'metadata') visit(property, `${path}.properties[${name}]`, errors);
  }
  visitChildren({ ...schema, properties: {} }, path, errors);
  return errors;
}

function visit(schema: Schema, path: string, errors: FieldError[]): void {
  if (schema.default !== undefined) errors.push(...oneDefaultErrors(schema, `${path}.default`));
  visitChildren(schema, path, errors);
}

function visitChildren(schema: Schema, path: string, errors: FieldError[]): void {
  for (const [name, property] of Object.entries(schema.properties ?? {})) visit(property, `${path}.properties[${name}]`, errors);
  if (typeof schema.additionalProperties === 'object') visit(schema.additionalProperties, `${path}.additionalProperties`, errors);
  if (schema.items !== undefined) visit(schema.items, `${path}.items`, errors);
}

function oneDefaultErrors(schema: Schema, path: string): FieldError[] {
  // Wrapped, so that pruning and defaulting can change the default itself.
  const holder: JsonObject = { default: structuredClone(schema.default) };
  const wrapper: Schema = { type: 'object', properties: { default: { ...schema, default: undefined } as Schema } };
  if (prune(holder, wrapper).length > 0) return [invalid(path, schema.default, 'must not have unknown fields')];
  if (isObject(holder['default'])) applyDefaults(holder, wrapper);
  const errors = validate(holder['default'], schema, undefined, path);
  if (errors.length > 0) return errors;
  if (holder['default'] === null && schema.nullable !== true) return [forbidden(path, 'must not be null')];
  return ruleViolations(holder['default'], schema, path);
}

function ruleViolations(value: unknown, schema: Schema, path: string): FieldError[] {
  try {
    return ruleErrors({ default: value }, { type: 'object', properties: { default: schema } }).map((error) => ({
      ...error,
      field: error.field.replace(/^default/, path),
    }));
  } catch {
    return []; // a rule that does not compile is told by the check of rules
  }
}
