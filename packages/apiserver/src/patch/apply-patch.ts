// Applies the body of a PATCH, in whichever of the formats it is. Server-side apply has its own way, but its body is
// read here too.
import { parseJson, type KubeObject } from '@snapshot-stack/api-types';
import { unfitPatch } from '../http/decode.ts';
import { parseYamlText, repeatedMembers } from '../http/yaml.ts';
import { goText } from '../managed-fields/typed-errors.ts';
import { rootSchema } from '../managed-fields/typed.ts';
import { groupVersionOf, type ResourceDefinition } from '../registry/resource.ts';
import { isObject, type JsonObject, type Schema } from '../schema/schema.ts';
import { StatusError, badRequest, unsupportedMediaType } from '../status.ts';
import { applyJsonPatch, PatchMismatch, type JsonPatchOperation } from './json-patch.ts';
import { jsonFault } from './json-fault.ts';
import { mergePatch } from './merge-patch.ts';
import { strategicFault } from './strategic-fault.ts';
import { strategicMerge } from './strategic-merge.ts';

const OPERATIONS_MAX = 10_000;
const JSON_PATCH = 'application/json-patch+json';
const MERGE_PATCH = 'application/merge-patch+json';
const STRATEGIC_PATCH = 'application/strategic-merge-patch+json';
export const APPLY_PATCH = 'application/apply-patch+yaml';

/** The formats that custom resources take; built-in kinds take strategic merge patches besides. */
export const PATCH_TYPES: readonly string[] = [JSON_PATCH, MERGE_PATCH, APPLY_PATCH];

/** @throws StatusError 415 when the resource has no such patches */
export function checkPatchType(contentType: string, definition: ResourceDefinition): void {
  if (PATCH_TYPES.includes(contentType) || (contentType === STRATEGIC_PATCH && !definition.custom)) return;
  if (definition.custom) throw unsupportedMediaType(PATCH_TYPES);
  throw new StatusError(415, 'UnsupportedMediaType', '415: Unsupported Media Type', {});
}

export interface PatchRequest {
  contentType: string;
  text: string;
  /** A copy that may be changed. */
  current: KubeObject;
  definition: ResourceDefinition;
}

/** @throws StatusError 400 for what is no patch, 422 for one that does not fit the object */
export function applyPatch({ contentType, text, current, definition }: PatchRequest): KubeObject {
  const patched = patchedBy(contentType, text, current, definition);
  if (!isObject(patched)) throw unfit();
  patched['apiVersion'] = groupVersionOf(definition);
  patched['kind'] = definition.kind;
  patched['metadata'] ??= {};
  return patched as unknown as KubeObject;
}

function patchedBy(contentType: string, text: string, current: KubeObject, definition: ResourceDefinition): unknown {
  switch (contentType) {
    case MERGE_PATCH:
      return mergePatch(current, objectPatch(text, 'error decoding patch: '));
    case JSON_PATCH:
      return jsonPatch(current, text);
    case STRATEGIC_PATCH:
      return strategicPatch(current as unknown as JsonObject, objectPatch(text, ''), rootSchema(definition));
    default:
      throw unsupportedMediaType(PATCH_TYPES);
  }
}

function strategicPatch(current: JsonObject, patch: JsonObject, schema: Schema): JsonObject {
  const patched = strategicMerge(current, patch, schema);
  const fault = strategicFault(patched, schema);
  if (fault !== undefined) throw unfitPatch(goText(patch), fault);
  return patched;
}

function parsePatch(text: string, prefix: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw badRequest(`${prefix}${jsonFault(text, error)}`);
  }
}

function goKind(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value === 'bigint' ? 'number' : typeof value;
}

function objectPatch(text: string, prefix: string): JsonObject {
  const patch = parsePatch(text, prefix);
  if (isObject(patch)) return patch;
  if (patch === null) return {};
  throw badRequest(`${prefix}json: cannot unmarshal ${goKind(patch)} into Go value of type map[string]interface {}`);
}

function jsonPatch(current: KubeObject, text: string): unknown {
  const patch = parsePatch(text, 'error decoding patch: ');
  if (patch !== null && !Array.isArray(patch))
    throw badRequest(`error decoding patch: json: cannot unmarshal ${goKind(patch)} into Go value of type []handlers.jsonPatchOp`);
  const operations = (patch ?? []) as unknown[];
  for (const operation of operations) {
    if (!isObject(operation)) throw badRequest(`error decoding patch: json: cannot unmarshal ${goKind(operation)} into Go value of type handlers.jsonPatchOp`);
  }
  if (operations.length > OPERATIONS_MAX) {
    const why = `The allowed maximum operations in a JSON patch is ${OPERATIONS_MAX}, got ${operations.length}`;
    throw new StatusError(413, 'RequestEntityTooLarge', `Request entity is too large: ${why}`);
  }
  try {
    return applyJsonPatch(current, operations as JsonPatchOperation[]);
  } catch (error) {
    throw error instanceof PatchMismatch ? unfit() : error;
  }
}

/** kube-apiserver keeps the reason to itself. */
function unfit(): StatusError {
  return new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', {});
}

/**
 * Reads the body of a server-side apply: YAML, or JSON, which is YAML as well.
 * @throws StatusError 400 for what is no object
 */
export async function parseApplyConfig(text: string): Promise<KubeObject> {
  const value = text.trimStart().startsWith('{') ? parseFlow(text) : await parseYaml(text);
  if (value !== null && value !== undefined && !isObject(value)) {
    throw badRequest(
      `error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${goKind(value)} into Go value of type map[string]interface {}`,
    );
  }
  const config = value ?? {};
  if (config['metadata'] === undefined || config['metadata'] === null) config['metadata'] = {};
  if (!isObject(config['metadata'])) throw badRequest('error decoding YAML: metadata is no object');
  return config as unknown as KubeObject;
}

function parseFlow(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw badRequest(`error decoding YAML: error converting YAML to JSON: yaml: ${jsonFault(text, error)}`);
  }
}

async function parseYaml(text: string): Promise<unknown> {
  try {
    return await parseYamlText(text);
  } catch (error) {
    throw badRequest(`error decoding YAML: error converting YAML to JSON: yaml: ${(error as Error).message.split('\n')[0] ?? ''}`);
  }
}

/**
 * What a strict decoder says against the body of a server-side apply: members that are named twice.
 * `error converting YAML to JSON: yaml: unmarshal errors:\n  line 5: key "a" already set in map`
 */
export async function strictApplyFault(text: string): Promise<string | undefined> {
  const twice = await repeatedMembers(text);
  if (twice.length === 0) return undefined;
  const lines = twice.map(({ line, name }) => `  line ${line}: key ${JSON.stringify(name)} already set in map`);
  return `error converting YAML to JSON: yaml: unmarshal errors:\n${lines.join('\n')}`;
}
