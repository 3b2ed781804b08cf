// The checks of a custom resource against the schema of its version: what create and update answer with 422.
// Source: k8s.io/apiextensions-apiserver/pkg/registry/customresource/strategy.go.
import { hasRules, ruleErrors } from '../cel/rules.ts';
import type { FieldError } from '../schema/field-error.ts';
import { hasBlockingError, invalid, required, rulesNotChecked } from '../schema/field-error.ts';
import { listTypeErrors } from '../schema/list-types.ts';
import { applyDefaults } from '../schema/defaults.ts';
import { forEachEmbedded, prune } from '../schema/prune.ts';
import type { JsonObject, Schema } from '../schema/schema.ts';
import { isObject } from '../schema/schema.ts';
import { validate } from '../schema/validate.ts';
import { pruneObjectMeta } from '../schema/object-meta.ts';

/**
 * Brings a decoded custom resource into the form of its schema, in place: unknown fields go, defaults come.
 * @returns the paths of the unknown fields, sorted (for `fieldValidation`); those of metadata included
 */
export function admitToSchema(object: JsonObject, schema: Schema): string[] {
  const unknown = [...prune(object, schema), ...pruneObjectMeta(object['metadata'], 'metadata')];
  forEachEmbedded(object, schema, '', (resource, path) => {
    if (path !== '') unknown.push(...pruneObjectMeta(resource['metadata'], `${path}.metadata`));
  });
  applyDefaults(object, schema);
  return unknown.sort();
}

export interface InstanceCheck {
  readonly schema: Schema;
  readonly object: JsonObject;
  /** The stored object, in the same version; absent on create. */
  readonly old?: JsonObject | undefined;
  /** For a write of the status subresource only the status is checked against the schema. */
  readonly subresource?: 'status' | undefined;
}

/** All errors of a custom resource against its schema and rules. The errors of ObjectMeta itself are not among them. */
export function instanceErrors(check: InstanceCheck): FieldError[] {
  const { schema, object, old } = check;
  const errors = [...schemaErrors(check), ...embeddedErrors(object, schema), ...newListErrors(check)];
  if (!hasRules(schema)) return errors;
  return hasBlockingError(errors) ? [...errors, rulesNotChecked] : [...errors, ...ruleErrors(object, schema, old)];
}

function schemaErrors({ schema, object, old, subresource }: InstanceCheck): FieldError[] {
  if (subresource !== 'status') return validate(object, schema, old);
  const status = schema.properties?.['status'];
  return status === undefined || !Object.hasOwn(object, 'status') ? [] : validate(object['status'], status, old?.['status'], 'status');
}

// Duplicates in sets and maps that were stored before do not make an update fail.
function newListErrors({ schema, object, old }: InstanceCheck): FieldError[] {
  const errors = listTypeErrors(object, schema);
  return errors.length > 0 && old !== undefined && listTypeErrors(old, schema).length > 0 ? [] : errors;
}

const KIND = /^[a-z]([-a-z0-9]*[a-z0-9])?$/i;

/** What embedded resources (x-kubernetes-embedded-resource) must have. */
function embeddedErrors(object: JsonObject, schema: Schema): FieldError[] {
  const errors: FieldError[] = [];
  forEachEmbedded(object, schema, '', (resource, path) => {
    if (path === '') return;
    for (const name of ['apiVersion', 'kind']) {
      const value = resource[name];
      if (value === undefined) errors.push(required(`${path}.${name}`));
      else if (typeof value !== 'string') errors.push(invalid(`${path}.${name}`, value, 'must be a string'));
      else if (name === 'kind' && !KIND.test(value)) errors.push(invalid(`${path}.${name}`, value, 'must be a valid kind'));
    }
    const { metadata } = resource;
    if (metadata !== undefined && !isObject(metadata)) errors.push(invalid(`${path}.metadata`, metadata, 'must be an object'));
  });
  return errors;
}
