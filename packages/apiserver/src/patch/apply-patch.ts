// Applies the body of a PATCH, in whichever of the formats it is.
import jsonpatch, { type Operation } from 'fast-json-patch';
import { parseJson, type KubeObject } from '@snapshot-stack/api-types';
import { groupVersionOf, type ResourceDefinition } from '../registry/resource.ts';
import { StatusError, badRequest, unsupportedMediaType } from '../status.ts';
import { mergePatch } from './merge-patch.ts';

const OPERATIONS_MAX = 10_000;

export const PATCH_TYPES: readonly string[] = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];

export interface PatchRequest {
  contentType: string;
  text: string;
  /** A copy that may be changed. */
  current: KubeObject;
  definition: ResourceDefinition;
}

/** @throws StatusError 400 for what is no patch, 422 for one that does not fit the object */
export function applyPatch({ contentType, text, current, definition }: PatchRequest): KubeObject {
  let patched: KubeObject;
  switch (contentType) {
    case 'application/merge-patch+json':
      patched = mergePatch(current, parsePatch(text)) as KubeObject;
      break;
    case 'application/json-patch+json':
      patched = jsonPatch(current, parsePatch(text), text);
      break;
    case 'application/strategic-merge-patch+json':
      if (definition.custom) throw unsupportedMediaType(PATCH_TYPES.filter((type) => type !== contentType));
      patched = mergePatch(current, parsePatch(text)) as KubeObject;
      break;
    default:
      throw unsupportedMediaType(PATCH_TYPES);
  }
  patched.apiVersion = groupVersionOf(definition);
  patched.kind = definition.kind;
  return patched;
}

function parsePatch(text: string): unknown {
  try {
    return parseJson(text);
  } catch (error) {
    throw badRequest(`error decoding patch: ${(error as Error).message}`);
  }
}

function jsonPatch(current: KubeObject, patch: unknown, text: string): KubeObject {
  if (!Array.isArray(patch)) throw badRequest('error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch');
  if (patch.length > OPERATIONS_MAX)
    throw new StatusError(413, 'RequestEntityTooLarge', `The allowed maximum operations in a JSON patch is ${OPERATIONS_MAX}, got ${patch.length}`);
  try {
    return jsonpatch.applyPatch(current, (patch as Operation[]).map(lenient(current)), true, true, true).newDocument;
  } catch (error) {
    throw new StatusError(
      422,
      'Invalid',
      `the server rejected our request due to an error in our request: ${(error as Error).message.split('\n')[0] ?? ''} (${text.length} bytes)`.replace(
        / \(\d+ bytes\)$/,
        '',
      ),
      {},
    );
  }
}

/** kube-apiserver lets `replace` add a missing member; Go components rely on it. */
function lenient(document: KubeObject): (operation: Operation) => Operation {
  return (operation) => (operation.op === 'replace' && !exists(document, operation.path) ? { ...operation, op: 'add' } : operation);
}

function exists(document: unknown, pointer: string): boolean {
  let value = document;
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return false;
    value = (value as Record<string, unknown>)[name];
  }
  return true;
}
