// Whether the schema of a definition is structural, and its defaults and rules sound.
// Sources: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/{convert,validation,complete,unfold}.go,
// pkg/apis/apiextensions/validation/validation.go, https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/…
import type { FieldError } from '../schema/field-error.ts';
import { forbidden, invalid, notSupported, required } from '../schema/field-error.ts';
import { compilePattern } from '../schema/regexp.ts';
import type { Schema } from '../schema/schema.ts';
import { memberSchema } from '../schema/schema.ts';
import { defaultErrors } from './default-errors.ts';
import { ruleDefinitionErrors } from './rule-errors.ts';

const DEPTH_LIMIT = 100;
const NOT_SUPPORTED = [
  '$ref',
  'definitions',
  'dependencies',
  'id',
  'patternProperties',
  '$schema',
  'additionalItems',
  'deprecated',
  'discriminator',
  'readOnly',
  'writeOnly',
  'xml',
];

/** All errors of the schema of one version; `path` is where it stands in the definition. */
export function structuralErrors(schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  checkNode(schema, path, { level: 'root', depth: 0 }, errors);
  // The further checks walk the schema, which only a sound one allows.
  if (errors.length > 0) return errors;
  return [...defaultErrors(schema, path), ...ruleDefinitionErrors(schema, path)];
}

interface Place {
  readonly level: 'root' | 'field' | 'item';
  readonly depth: number;
}

const TYPES = ['string', 'integer', 'number', 'boolean', 'array', 'object', 'null'];

function checkNode(schema: Schema, path: string, place: Place, errors: FieldError[]): void {
  if (place.depth > DEPTH_LIMIT) {
    errors.push(forbidden(path, `schemas may be nested ${DEPTH_LIMIT} levels deep at most`));
    return;
  }
  checkUnsupported(schema, path, errors);
  checkType(schema, path, place, errors);
  checkExtensions(schema, path, errors);
  checkListType(schema, path, errors);
  checkValues(schema, path, errors);
  checkCombinations(schema, path, errors);
  if (place.level === 'root') checkRoot(schema, path, errors);
  checkChildren(schema, path, place, errors);
}

function checkUnsupported(schema: Schema, path: string, errors: FieldError[]): void {
  for (const name of NOT_SUPPORTED) {
    const value = (schema as Record<string, unknown>)[name];
    if (value !== undefined && value !== false && value !== '') errors.push(forbidden(`${path}.${name}`, `${name} is not supported`));
  }
  if (schema.uniqueItems === true)
    errors.push(forbidden(`${path}.uniqueItems`, 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'));
  if (Array.isArray(schema.items)) errors.push(forbidden(`${path}.items`, 'items must be a schema object and not an array'));
  if (schema.additionalProperties === false) errors.push(forbidden(`${path}.additionalProperties`, 'additionalProperties cannot be set to false'));
  if (schema.additionalProperties !== undefined && schema.additionalProperties !== false && Object.keys(schema.properties ?? {}).length > 0) {
    errors.push(forbidden(`${path}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'));
  }
  if (schema['x-kubernetes-preserve-unknown-fields'] === false)
    errors.push(invalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, 'must be true or undefined'));
}

function checkType(schema: Schema, path: string, { level }: Place, errors: FieldError[]): void {
  const type = schema.type ?? '';
  const loose = schema['x-kubernetes-int-or-string'] === true || schema['x-kubernetes-preserve-unknown-fields'] === true;
  if (type === 'null') errors.push(forbidden(`${path}.type`, 'type cannot be set to null, use nullable as an alternative'));
  else if (type !== '' && !TYPES.includes(type)) errors.push(notSupported(`${path}.type`, type, ['array', 'boolean', 'integer', 'number', 'object', 'string']));
  if (type === '' && !loose) {
    const where = { root: 'at the root', field: 'for specified object fields', item: 'for specified array items' }[level];
    errors.push(required(`${path}.type`, `must not be empty ${where}`));
  }
  if (level === 'root' && type !== '' && type !== 'object') errors.push(invalid(`${path}.type`, type, 'must be object at the root'));
}

function checkExtensions(schema: Schema, path: string, errors: FieldError[]): void {
  const { type = '' } = schema;
  if (schema['x-kubernetes-int-or-string'] === true) {
    for (const name of ['x-kubernetes-preserve-unknown-fields', 'x-kubernetes-embedded-resource'] as const) {
      if (schema[name] === true) errors.push(invalid(`${path}.${name}`, true, 'must be false if x-kubernetes-int-or-string is true'));
    }
  }
  if (schema['x-kubernetes-embedded-resource'] === true) {
    const wanted = 'must be object if x-kubernetes-embedded-resource is true';
    if (type !== 'object') errors.push(type === '' ? required(`${path}.type`, wanted) : invalid(`${path}.type`, type, wanted));
    if (schema.additionalProperties !== undefined)
      errors.push(forbidden(`${path}.additionalProperties`, 'must not be used if x-kubernetes-embedded-resource is set'));
    if (schema['x-kubernetes-preserve-unknown-fields'] !== true && Object.keys(schema.properties ?? {}).length === 0) {
      errors.push(required(`${path}.properties`, 'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields'));
    }
  }
  const mapType = schema['x-kubernetes-map-type'];
  if (mapType !== undefined && type !== 'object') errors.push(invalid(`${path}.type`, type, 'must be object if x-kubernetes-map-type is specified'));
  if (mapType !== undefined && !['atomic', 'granular'].includes(mapType))
    errors.push(notSupported(`${path}.x-kubernetes-map-type`, mapType, ['granular', 'atomic']));
}

function checkListType(schema: Schema, path: string, errors: FieldError[]): void {
  const listType = schema['x-kubernetes-list-type'];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  if (listType !== undefined && schema.type !== 'array')
    errors.push(invalid(`${path}.type`, schema.type ?? '', 'must be array if x-kubernetes-list-type is specified'));
  if (listType !== undefined && !['atomic', 'set', 'map'].includes(listType))
    errors.push(notSupported(`${path}.x-kubernetes-list-type`, listType, ['atomic', 'set', 'map']));
  if (keys.length > 0 && listType !== 'map')
    errors.push(invalid(`${path}.x-kubernetes-list-type`, listType ?? '', 'must be map if x-kubernetes-list-map-keys is non-empty'));
  if (listType === 'map') checkListMap(schema, keys, path, errors);
  if (listType === 'set' && schema.items !== undefined) checkSetItems(schema.items, `${path}.items`, errors);
}

function checkListMap({ items }: Schema, keys: readonly string[], path: string, errors: FieldError[]): void {
  if (keys.length === 0) errors.push(required(`${path}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map'));
  if (items === undefined) {
    errors.push(required(`${path}.items`, 'must have a schema if x-kubernetes-list-type is map'));
    return;
  }
  if (items.type !== 'object') errors.push(invalid(`${path}.items.type`, items.type ?? '', "must be object if parent array's x-kubernetes-list-type is map"));
  const seen = new Set<string>();
  keys.forEach((key, index) => {
    const property = items.properties?.[key];
    if (seen.has(key))
      errors.push({ reason: 'FieldValueDuplicate', field: `${path}.x-kubernetes-list-map-keys[${index}]`, message: `Duplicate value: ${JSON.stringify(key)}` });
    seen.add(key);
    if (property === undefined) errors.push(invalid(`${path}.x-kubernetes-list-map-keys[${index}]`, key, 'entries must all be names of item properties'));
    else checkListMapKey(items, key, property, `${path}.items.properties[${key}]`, errors);
  });
}

function checkListMapKey(items: Schema, key: string, property: Schema, path: string, errors: FieldError[]): void {
  if (['array', 'object'].includes(property.type ?? ''))
    errors.push(invalid(`${path}.type`, property.type, "must be a scalar type if parent array's x-kubernetes-list-type is map"));
  if (property.default === undefined && items.required?.includes(key) !== true) {
    errors.push(required(`${path}.default`, 'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property'));
  }
  if (property.nullable === true) errors.push(forbidden(`${path}.nullable`, 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable'));
}

function checkSetItems(items: Schema, path: string, errors: FieldError[]): void {
  if (items.nullable === true) errors.push(forbidden(`${path}.nullable`, 'cannot be nullable when x-kubernetes-list-type is set'));
  if (items.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic')
    errors.push(
      invalid(`${path}.x-kubernetes-map-type`, items['x-kubernetes-map-type'] ?? '', 'must be atomic as item of a list with x-kubernetes-list-type=set'),
    );
  if (items.type === 'array' && !['atomic', undefined].includes(items['x-kubernetes-list-type'])) {
    errors.push(invalid(`${path}.x-kubernetes-list-type`, items['x-kubernetes-list-type'], 'must be atomic as item of a list with x-kubernetes-list-type=set'));
  }
}

function checkValues({ pattern, multipleOf }: Schema, path: string, errors: FieldError[]): void {
  if (multipleOf !== undefined && multipleOf <= 0) errors.push(invalid(`${path}.multipleOf`, multipleOf, 'must be greater than 0'));
  if (pattern === undefined) return;
  try {
    compilePattern(pattern);
  } catch (error) {
    errors.push(
      invalid(`${path}.pattern`, pattern, `must be a valid regular expression, but isn't: ${error instanceof Error ? error.message : String(error)}`),
    );
  }
}

// In allOf, anyOf, oneOf and not only the values may be restricted: structure stands outside.
function checkCombinations(schema: Schema, path: string, errors: FieldError[]): void {
  const visit = (name: 'allOf' | 'anyOf' | 'oneOf'): void =>
    (schema[name] ?? []).forEach((branch, index) => {
      const skipped = name === 'allOf' && index === 0 && isIntOrString(branch.anyOf) ? { ...branch, anyOf: [] } : branch;
      checkBranch(skipped, schema, `${path}.${name}[${index}]`, path, errors);
    });
  visit('allOf');
  visit('oneOf');
  if (!isIntOrString(schema.anyOf)) visit('anyOf');
  if (schema.not !== undefined) checkBranch(schema.not, schema, `${path}.not`, path, errors);
}

const isType = (schema: Schema | undefined, type: string): boolean => schema?.type === type && Object.keys(schema).length === 1;

// The customary anyOf of integer and string is structural, though it has types.
function isIntOrString(anyOf: readonly Schema[] | undefined): boolean {
  return anyOf?.length === 2 && isType(anyOf[0], 'integer') && isType(anyOf[1], 'string');
}

const MUST_BE_EMPTY: readonly (readonly [keyof Schema, string])[] = [
  ['title', 'must be empty to be structural'],
  ['description', 'must be empty to be structural'],
  ['default', 'must be undefined to be structural'],
  ['additionalProperties', 'must be undefined to be structural'],
  ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'],
  ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'],
  ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-map-type', 'must be undefined to be structural'],
  ['x-kubernetes-validations', 'must be empty to be structural'],
];

function checkBranch(branch: Schema, outer: Schema, path: string, outerPath: string, errors: FieldError[]): void {
  if ((branch.type ?? '') !== '') errors.push(forbidden(`${path}.type`, 'must be empty to be structural'));
  for (const [name, why] of MUST_BE_EMPTY) {
    const value = branch[name];
    if (value !== undefined && value !== false && value !== '') errors.push(forbidden(`${path}.${name}`, why));
  }
  checkValues(branch, path, errors);
  if (branch.items !== undefined && outer.items === undefined) errors.push(required(`${outerPath}.items`, `because it is defined in ${path}.items`));
  else if (branch.items !== undefined && outer.items !== undefined) checkBranch(branch.items, outer.items, `${path}.items`, `${outerPath}.items`, errors);
  for (const [name, property] of Object.entries(branch.properties ?? {})) {
    const counterpart = memberSchema(outer, name);
    if (name === 'metadata') errors.push(forbidden(`${path}.properties[metadata]`, 'must not be specified in a nested context'));
    if (counterpart === undefined) errors.push(required(`${outerPath}.properties[${name}]`, `because it is defined in ${path}.properties[${name}]`));
    else checkBranch(property, counterpart, `${path}.properties[${name}]`, `${outerPath}.properties[${name}]`, errors);
  }
  for (const name of ['allOf', 'anyOf', 'oneOf'] as const) {
    (branch[name] ?? []).forEach((one, index) => checkBranch(one, outer, `${path}.${name}[${index}]`, outerPath, errors));
  }
  if (branch.not !== undefined) checkBranch(branch.not, outer, `${path}.not`, outerPath, errors);
}

function checkRoot(schema: Schema, path: string, errors: FieldError[]): void {
  if (schema.default !== undefined) errors.push(forbidden(`${path}.default`, 'must not be set'));
  if (schema.nullable === true) errors.push(forbidden(`${path}.nullable`, 'nullable cannot be true at the root'));
  if (schema.additionalProperties !== undefined && schema.additionalProperties !== false)
    errors.push(forbidden(`${path}.additionalProperties`, 'must not be used at the root'));
  checkResource(schema, path, errors);
}

// apiVersion, kind and metadata are what they are; of metadata only name and generateName may be restricted.
function checkResource({ properties = {} }: Schema, path: string, errors: FieldError[]): void {
  const { metadata, apiVersion, kind } = properties;
  for (const [name, property] of Object.entries({ apiVersion, kind })) {
    if (property !== undefined && property.type !== 'string') errors.push(invalid(`${path}.properties[${name}].type`, property.type ?? '', 'must be string'));
  }
  if (metadata === undefined) return;
  if (metadata.type !== 'object') errors.push(invalid(`${path}.properties[metadata].type`, metadata.type ?? '', 'must be object'));
  const others = Object.keys(metadata.properties ?? {}).filter((name) => name !== 'name' && name !== 'generateName');
  if (others.length > 0)
    errors.push(forbidden(`${path}.properties[metadata]`, 'must not specify anything other than name and generateName, but metadata is implicitly specified'));
}

function checkChildren(schema: Schema, path: string, { depth }: Place, errors: FieldError[]): void {
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    checkNode(property, `${path}.properties[${name}]`, { level: 'field', depth: depth + 1 }, errors);
  }
  if (typeof schema.additionalProperties === 'object')
    checkNode(schema.additionalProperties, `${path}.additionalProperties`, { level: 'field', depth: depth + 1 }, errors);
  if (schema.items !== undefined && !Array.isArray(schema.items)) checkNode(schema.items, `${path}.items`, { level: 'item', depth: depth + 1 }, errors);
  else if (schema.type === 'array' && schema.items === undefined) errors.push(required(`${path}.items`, 'must be specified'));
  if (schema['x-kubernetes-embedded-resource'] === true) checkResource(schema, path, errors);
}
