// From the bytes of a body to an object of a resource: formats, kinds, types, and what fieldValidation says of fields
// that are unknown or named twice. The texts are those of kube-apiserver's decoders.
import { stringifyJson, parseJson, type KubeObject } from '@snapshot-stack/api-types';
import { builtinKind, builtinType } from '../builtin/schemas/catalogue.ts';
import { PROTOBUF, decodeProtobuf } from '../protobuf/decode.ts';
import { WireError } from '../protobuf/reader.ts';
import { groupVersionOf, type ResourceDefinition } from '../registry/resource.ts';
import { duplicateFields } from '../schema/duplicate-fields.ts';
import { forbidden, invalid as invalidValue, notSupported, required, tooLong, type FieldError } from '../schema/field-error.ts';
import { pruneObjectMeta } from '../schema/object-meta.ts';
import { prune } from '../schema/prune.ts';
import { isObject, type JsonObject } from '../schema/schema.ts';
import { decodeFault, unknownFields } from '../schema/strict.ts';
import { badRequest, invalid, unsupportedMediaType, type StatusError } from '../status.ts';
import { parseYamlText } from './yaml.ts';

/** The formats that a body may have. */
export const BODY_TYPES: readonly string[] = ['application/json', 'application/yaml', PROTOBUF];

export type FieldValidation = 'Ignore' | 'Warn' | 'Strict';

export interface BodyToDecode {
  readonly contentType: string;
  readonly bytes: Buffer;
  readonly definition: ResourceDefinition;
  readonly fieldValidation: FieldValidation;
  warn(message: string): void;
}

/**
 * The options that every write may carry.
 * @param kind of the options: CreateOptions, UpdateOptions, PatchOptions
 * @throws StatusError 422 when one of them is not possible
 */
export function checkWriteOptions(query: URLSearchParams, kind: string, more: readonly FieldError[] = []): FieldValidation {
  const validation = query.get('fieldValidation') ?? '';
  const manager = query.get('fieldManager') ?? '';
  const dryRun = query.getAll('dryRun');
  const errors: FieldError[] = [...more];
  if (dryRun.some((value) => value !== 'All')) errors.push(notSupported('dryRun', dryRun, ['All']));
  if (Buffer.byteLength(manager) > 128) errors.push(tooLong('fieldManager', 128));
  errors.push(...unprintable(manager));
  if (!['', 'Ignore', 'Strict', 'Warn'].includes(validation)) errors.push(notSupported('fieldValidation', validation, ['', 'Ignore', 'Strict', 'Warn']));
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind }, '', errors);
  return validation === '' ? 'Warn' : (validation as FieldValidation);
}

function unprintable(manager: string): FieldError[] {
  return [...manager.matchAll(/[\p{C}\p{Zl}\p{Zp}]/gu)].map(({ 0: letter, index }) => {
    const code = (letter.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return invalidValue('fieldManager', manager, `invalid character U+${code} (at position ${Buffer.byteLength(manager.slice(0, index))})`);
  });
}

/** The options of a PATCH: server-side apply needs to know who applies, and only it can be forced. */
export function checkPatchOptions(query: URLSearchParams, isApply: boolean): FieldValidation {
  const errors: FieldError[] = [];
  if (isApply && (query.get('fieldManager') ?? '') === '') errors.push(required('fieldManager', 'is required for apply patch'));
  if (!isApply && query.has('force')) errors.push(forbidden('force', 'may not be specified for non-apply patch'));
  return checkWriteOptions(query, 'PatchOptions', errors);
}

/** @throws StatusError 400, 415 or 422 in kube-apiserver's words */
export async function decodeBody(body: BodyToDecode): Promise<KubeObject> {
  const { contentType, bytes, definition } = body;
  if (!BODY_TYPES.includes(contentType)) throw unsupportedMediaType(BODY_TYPES);
  const text = contentType === PROTOBUF ? '' : bytes.toString('utf8');
  const value =
    contentType === PROTOBUF
      ? readProtobuf(bytes, definition)
      : contentType === 'application/yaml'
        ? await readYaml(text, definition)
        : readJson(text, definition.kind);
  checkKind(value, definition, text);
  const head = `${definition.kind} in version "${definition.version}" cannot be handled as a ${definition.kind}`;
  const fault = typeFault(value, definition);
  if (fault !== undefined) throw badRequest(`${head}: ${fault}`);
  if (body.fieldValidation !== 'Ignore') {
    const faults = fieldFaults(value, definition, contentType === 'application/json' ? text : '');
    if (faults.length > 0 && body.fieldValidation === 'Strict') throw badRequest(`${head}: strict decoding error: ${faults.join(', ')}`);
    for (const one of faults) body.warn(one);
  }
  return value as unknown as KubeObject;
}

/**
 * Checks what a patch made of an object.
 * @param patch the text of the patch, which the error quotes
 * @throws StatusError 422 for values of wrong types, and for unknown fields when validation is strict
 */
export function checkPatched(object: KubeObject, definition: ResourceDefinition, patch: string, body: Pick<BodyToDecode, 'fieldValidation' | 'warn'>): void {
  const value = object as unknown as JsonObject;
  const refuse = (why: string): StatusError => unfitPatch(patch, why);
  const fault = typeFault(value, definition);
  if (fault !== undefined) throw refuse(fault);
  if (body.fieldValidation === 'Ignore') return;
  const faults = fieldFaults(value, definition, patch.trimStart().startsWith('{') ? patch : '');
  if (faults.length > 0 && body.fieldValidation === 'Strict') throw refuse(`strict decoding error: ${faults.join(', ')}`);
  for (const one of faults) body.warn(one);
}

/** 422 for a patch whose result is no object of its kind. @param patch what the error quotes */
export function unfitPatch(patch: string, why: string): StatusError {
  const error = invalid({ group: '', kind: '' }, '', [invalidValue('patch', patch, why)]);
  delete error.status.details?.kind;
  return error;
}

/** The first value of a type that Go could not decode. Of a custom resource only its metadata has Go types. */
function typeFault(value: JsonObject, definition: ResourceDefinition): string | undefined {
  if (definition.custom) return decodeFault(value['metadata'], builtinType('meta.v1.ObjectMeta').schema, 'ObjectMeta');
  const type = builtinKind(groupVersionOf(definition), definition.kind);
  return type === undefined ? undefined : decodeFault(value, type.schema, definition.kind);
}

function fieldFaults(value: JsonObject, definition: ResourceDefinition, text: string): string[] {
  const duplicates = text === '' ? [] : duplicateFields(text).map((path) => `duplicate field ${JSON.stringify(path)}`);
  return [...duplicates, ...unknownPaths(value, definition).map((path) => `unknown field ${JSON.stringify(path)}`)];
}

function unknownPaths(value: JsonObject, definition: ResourceDefinition): string[] {
  const copy = structuredClone(value);
  if (definition.custom) {
    const inSpec = definition.schema === undefined ? [] : prune(copy, definition.schema);
    return [...inSpec, ...pruneObjectMeta(copy['metadata'], 'metadata')].sort();
  }
  const type = builtinKind(groupVersionOf(definition), definition.kind);
  return type === undefined ? [] : unknownFields(copy, type.schema);
}

/** Reads JSON whose kind should be `kind`. @throws StatusError 400 */
export function readJson(text: string, kind: string): JsonObject {
  const refuse = (why: string, shown: string): StatusError =>
    badRequest(`the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${why} (${shown})`);
  if (text.trim() === '') throw refuse('unexpected end of JSON input', '<empty>');
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (error) {
    throw refuse(syntaxFault(text, error), text.slice(0, 1024));
  }
  if (isObject(value)) return value;
  const found = Array.isArray(value) ? 'array' : typeof value;
  throw refuse(
    `json: cannot unmarshal ${found} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`,
    Buffer.from(text).toString('hex').slice(0, 1024),
  );
}

function syntaxFault(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : '';
  const at = /position (\d+)/.exec(message)?.[1];
  if (/end of JSON|Unterminated|after property name|Expected/.test(message) && (at === undefined || Number(at) >= text.trimEnd().length))
    return 'unexpected end of JSON input';
  const letter = at === undefined ? text.trim().charAt(0) : text.charAt(Number(at));
  return `invalid character '${letter}' looking for beginning of value`;
}

async function readYaml(text: string, definition: ResourceDefinition): Promise<JsonObject> {
  let value: unknown;
  try {
    value = await parseYamlText(text);
  } catch (error) {
    throw badRequest(`error converting YAML to JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  return isObject(value) ? value : readJson(stringifyJson(value ?? ''), definition.kind);
}

function readProtobuf(bytes: Buffer, definition: ResourceDefinition): JsonObject {
  if (definition.custom) throw unsupportedMediaType(['application/json', 'application/yaml']);
  try {
    const { apiVersion, kind, object } = decodeProtobuf(bytes);
    return object ?? { apiVersion, kind };
  } catch (error) {
    if (error instanceof WireError) throw badRequest(`the object provided is unrecognized (must be of type ${definition.kind}): ${error.message}`);
    throw error;
  }
}

function checkKind(object: JsonObject, definition: ResourceDefinition, text: string): void {
  const { kind, apiVersion } = object;
  const expected = groupVersionOf(definition);
  for (const value of [kind, apiVersion]) {
    if (value !== undefined && typeof value !== 'string')
      throw badRequest(`couldn't get version/kind; json parse error: json: cannot unmarshal ${typeof value} into Go struct field .apiVersion of type string`);
  }
  if (definition.custom) checkCustomKind(object, definition, expected, text);
  else checkBuiltinKind(typeof kind === 'string' ? kind : '', typeof apiVersion === 'string' ? apiVersion : '', definition, expected);
}

function checkCustomKind({ kind = '', apiVersion = '', metadata }: JsonObject, definition: ResourceDefinition, expected: string, text: string): void {
  if (kind === '')
    throw badRequest(`the object provided is unrecognized (must be of type ${definition.kind}): Object 'Kind' is missing in '${text}' (${text})`);
  if (apiVersion !== expected) throw badRequest(`the API version in the data (${String(apiVersion)}) does not match the expected API version (${expected})`);
  if (kind === definition.kind) return;
  const name = isObject(metadata) && typeof metadata['name'] === 'string' ? metadata['name'] : '';
  throw invalid({ group: definition.group, kind: String(kind) }, name, [invalidValue('kind', kind, `must be ${definition.kind}`)]);
}

function checkBuiltinKind(kind: string, apiVersion: string, definition: ResourceDefinition, expected: string): void {
  if ((kind === '' || kind === definition.kind) && (apiVersion === '' || apiVersion === expected)) return;
  const version = (apiVersion || expected).split('/').at(-1) ?? '';
  const head = `${kind || definition.kind} in version "${version}" cannot be handled as a ${definition.kind}`;
  if (kind !== '' && kind !== definition.kind && (apiVersion === '' || apiVersion === expected)) {
    const group = definition.group === '' ? 'core' : (definition.group.split('.')[0] ?? '');
    throw badRequest(`${head}: converting (${version}.${kind}) to (${group}.${definition.kind}): unknown conversion`);
  }
  throw badRequest(
    `${head}: no kind "${kind || definition.kind}" is registered for version "${apiVersion}" in scheme "k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30"`,
  );
}
