// What makes a configuration unfit to be applied, in the words of structured-merge-diff.
// Source: sigs.k8s.io/structured-merge-diff/v6/typed/validate.go.
import { isObject, type JsonObject, type Schema } from '../schema/schema.ts';
import { keyText } from './field-set.ts';
import { deduced, fieldSchema, itemKey, itemSchema, shapeOf } from './typed.ts';

/**
 * The errors as one text; undefined when the value fits its schema.
 * @param duplicates whether keyed lists may hold a key twice: stored objects may, applied ones may not
 */
export function typedError(value: unknown, schema: Schema, duplicates: 'refused' | 'allowed' = 'refused'): string | undefined {
  const errors: string[] = [];
  collect(value, schema, { path: '', errors, duplicates });
  if (errors.length === 0) return undefined;
  return errors.length === 1 ? errors[0] : ['errors:', ...errors.map((error) => `  ${error}`)].join('\n');
}

interface Place {
  readonly path: string;
  readonly errors: string[];
  readonly duplicates: 'refused' | 'allowed';
}

const below = (place: Place, step: string): Place => ({ ...place, path: `${place.path}${step}` });

function collect(value: unknown, schema: Schema, place: Place): void {
  const { path, errors } = place;
  if (value === null || value === undefined) return;
  const fail = (why: string): void => void errors.push(path === '' ? why : `${path}: ${why}`);
  if (schema.type === 'array') {
    if (!Array.isArray(value)) return fail(`expected list, got &{${goText(value)}}`);
  } else if (schema.type === 'object' || schema.properties !== undefined) {
    // A JSON schema may say `true` where it may also say more.
    if (typeof value === 'boolean' && schema.properties?.['additionalProperties'] !== undefined) return;
    if (!isObject(value)) return fail(`expected map, got &{${goText(value)}}`);
  }
  if (shapeOf(schema, value) === 'scalar') {
    const why = scalarError(value, schema);
    if (why !== undefined) fail(why);
  } else if (Array.isArray(value)) collectItems(value, schema, place);
  else if (isObject(value)) collectMembers(value, schema, place);
}

function collectMembers(value: JsonObject, schema: Schema, place: Place): void {
  for (const [name, member] of Object.entries(value)) {
    const declared = fieldSchema(schema, name);
    if (declared === undefined) place.errors.push(`${place.path}.${name}: field not declared in schema`);
    else collect(member, declared, below(place, `.${name}`));
  }
}

function collectItems(list: readonly unknown[], schema: Schema, place: Place): void {
  const { path, errors, duplicates } = place;
  if (shapeOf(schema, list) !== 'list') {
    list.forEach((item, index) => collect(item, itemSchema(schema), below(place, `[${index}]`)));
    return;
  }
  const seen = new Set<string>();
  list.forEach((item, index) => {
    let key: string;
    try {
      key = itemKey(item, schema);
    } catch (error) {
      errors.push(`${path}: element ${index}: ${(error as Error).message}`);
      return;
    }
    if (seen.has(key) && duplicates === 'refused') errors.push(`${path}: duplicate entries for key ${keyText(key)}`);
    seen.add(key);
    collect(item, itemSchema(schema), below(place, keyText(key)));
  });
}

function scalarError(value: unknown, schema: Schema): string | undefined {
  // A string with a format may be any scalar. Source: k8s.io/kube-openapi/pkg/schemaconv (convertPrimitive).
  const isFormatted = schema.type === 'string' && schema.format !== undefined && schema.format !== 'byte';
  if (isFormatted || schema === deduced || schema.type === undefined) {
    return typeof value === 'object' ? `expected any scalar, got &{${goText(value)}}` : undefined;
  }
  const quoted = `&value.valueUnstructured{Value:${goSyntax(value)}}`;
  switch (schema.type) {
    case 'string':
      return typeof value === 'string' ? undefined : `expected string, got ${quoted}`;
    case 'boolean':
      return typeof value === 'boolean' ? undefined : `expected boolean, got &{${goText(value)}}`;
    default:
      return typeof value === 'number' || typeof value === 'bigint' ? undefined : `expected numeric (int or float), got ${goTypeName(value)}`;
  }
}

function goTypeName(value: unknown): string {
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  return Array.isArray(value) ? '[]interface {}' : 'map[string]interface {}';
}

function goSyntax(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  return typeof value === 'object' ? `${goTypeName(value)}${goText(value)}` : goText(value);
}

/** A value as Go's %v prints it: `map[a:1 b:[x y]]`. */
export function goText(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goText).join(' ')}]`;
  if (!isObject(value)) return String(value as string | number | bigint | boolean);
  const members = Object.keys(value)
    .sort()
    .map((name) => `${name}:${goText(value[name])}`);
  return `map[${members.join(' ')}]`;
}
