// Conversion of custom resources between the versions of their definition.
// Source: k8s.io/apiextensions-apiserver/pkg/apiserver/conversion.
import { randomUUID } from 'node:crypto';
import { jsonEqual } from '@snapshot-stack/api-types';
import type { JsonObject } from '../schema/schema.ts';
import { isObject } from '../schema/schema.ts';
import type { Definition, WebhookConversion } from './types.ts';

/** Calls a conversion webhook with a ConversionReview and gives back its answer. */
export type CallWebhook = (webhook: WebhookConversion, review: JsonObject) => Promise<unknown>;

/** A failed conversion; the message is that of the Status (500) that clients get. */
export class ConversionError extends Error {
  override readonly name = 'ConversionError';
}

/**
 * The objects in another version of their definition. With strategy None only apiVersion changes.
 * @throws ConversionError when the webhook fails, or breaks the rules (it may change labels and annotations only)
 */
export async function convert(objects: readonly JsonObject[], definition: Definition, version: string, call: CallWebhook): Promise<JsonObject[]> {
  const wanted = `${definition.spec.group}/${version}`;
  const others = objects.filter((object) => object['apiVersion'] !== wanted);
  if (others.length === 0) return [...objects];
  const { conversion } = definition.spec;
  const converted =
    conversion?.strategy === 'Webhook' && conversion.webhook !== undefined
      ? await byWebhook(others, wanted, definition, conversion.webhook, call)
      : others.map((object) => ({ ...object, apiVersion: wanted }));
  const byOriginal = new Map(others.map((object, index) => [object, converted[index]]));
  return objects.map((object) => byOriginal.get(object) ?? object);
}

async function byWebhook(
  objects: readonly JsonObject[],
  wanted: string,
  definition: Definition,
  webhook: WebhookConversion,
  call: CallWebhook,
): Promise<JsonObject[]> {
  const uid = randomUUID();
  const kind = definition.spec.names.kind;
  const fail = (why: string): never => {
    throw new ConversionError(`conversion webhook for ${String(objects[0]?.['apiVersion'])}, Kind=${kind} failed: ${why}`);
  };
  const review = { kind: 'ConversionReview', apiVersion: 'apiextensions.k8s.io/v1', request: { uid, desiredAPIVersion: wanted, objects } };
  const answer = await call(webhook, review).catch((error: unknown) => fail(error instanceof Error ? error.message : String(error)));
  const response = isObject(answer) ? answer['response'] : undefined;
  if (!isObject(response) || response['uid'] !== uid) return fail('the answer has no response with the uid of the request');
  const result = response['result'];
  if (!isObject(result) || result['status'] !== 'Success')
    return fail(isObject(result) && typeof result['message'] === 'string' ? result['message'] : 'the response has no result of status Success');
  const converted = response['convertedObjects'];
  if (!Array.isArray(converted) || converted.length !== objects.length) {
    return fail(`expected ${objects.length} converted objects, but received ${Array.isArray(converted) ? converted.length : 0}`);
  }
  return converted.map((object: unknown, index) => accept(object, objects[index] ?? {}, wanted, index, fail));
}

const FREE = new Set(['labels', 'annotations']);

function accept(object: unknown, original: JsonObject, wanted: string, index: number, fail: (why: string) => never): JsonObject {
  if (!isObject(object)) return fail(`invalid converted object at index ${index}: it is no object`);
  if (object['apiVersion'] !== wanted)
    return fail(`invalid converted object at index ${index}: invalid groupVersion (expected ${wanted}, received ${String(object['apiVersion'])})`);
  if (object['kind'] !== original['kind'])
    return fail(`invalid converted object at index ${index}: invalid kind (expected ${String(original['kind'])}, received ${String(object['kind'])})`);
  const [metadata, before] = [object['metadata'], original['metadata']];
  if (!isObject(metadata) || !isObject(before)) return fail(`invalid metadata of the converted object at index ${index}`);
  const changed = [...new Set([...Object.keys(metadata), ...Object.keys(before)])].find((name) => !FREE.has(name) && !jsonEqual(metadata[name], before[name]));
  // Everything but labels and annotations is taken from the original, as kube-apiserver does.
  if (changed === 'name' || changed === 'namespace' || changed === 'uid')
    return fail(`invalid metadata of the converted object at index ${index}: metadata.${changed} must not change`);
  const free = Object.fromEntries(Object.entries(metadata).filter(([name]) => FREE.has(name)));
  const rest = Object.fromEntries(Object.entries(before).filter(([name]) => !FREE.has(name)));
  return { ...object, metadata: { ...rest, ...free } };
}
