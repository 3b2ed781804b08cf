// The question that a webhook is asked, and what its answer means.
// Source: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/
import { randomUUID } from 'node:crypto';
import { parseJson, type KubeObject } from '@snapshot-stack/api-types';
import { applyJsonPatch, PatchMismatch, type JsonPatchOperation } from '../patch/json-patch.ts';
import type { ResourceDefinition } from '../registry/resource.ts';
import type { Attributes } from '../registry/writer.ts';
import { isObject, type JsonObject } from '../schema/schema.ts';
import { StatusError, internal } from '../status.ts';

/** The answer of a webhook is of no use; it counts like a failed call. */
export class UselessAnswer extends Error {
  override readonly name = 'UselessAnswer';
}

export interface Verdict {
  readonly allowed: boolean;
  readonly patch: readonly JsonPatchOperation[] | undefined;
  readonly warnings: readonly string[];
  readonly status: JsonObject | undefined;
}

export interface Review {
  readonly uid: string;
  readonly body: JsonObject;
}

/** @param definition the version in which the webhook sees the object */
export function makeReview(attributes: Attributes, definition: ResourceDefinition, object: KubeObject | undefined, old: KubeObject | undefined): Review {
  const { user, subresource } = attributes;
  const asked = attributes.definition;
  const uid = randomUUID();
  const below = subresource === undefined ? {} : { subResource: subresource, requestSubResource: subresource };
  const request = {
    uid,
    kind: { group: definition.group, version: definition.version, kind: definition.kind },
    resource: { group: definition.group, version: definition.version, resource: definition.plural },
    requestKind: { group: asked.group, version: asked.version, kind: asked.kind },
    requestResource: { group: asked.group, version: asked.version, resource: asked.plural },
    ...below,
    ...(attributes.name === '' ? {} : { name: attributes.name }),
    ...(attributes.namespace === undefined ? {} : { namespace: attributes.namespace }),
    operation: attributes.operation,
    userInfo: {
      username: user.name,
      ...(user.uid === undefined ? {} : { uid: user.uid }),
      groups: user.groups,
      ...(user.extra === undefined ? {} : { extra: user.extra }),
    },
    object: object ?? null,
    oldObject: old ?? null,
    dryRun: attributes.dryRun,
    options: attributes.options,
  };
  return { uid, body: { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', request } };
}

/** @throws UselessAnswer saying what is wrong with the answer */
export function readAnswer(answer: unknown, uid: string, mutating: boolean): Verdict {
  if (!isObject(answer)) throw new UselessAnswer('received invalid webhook response: the answer is no object');
  const { kind, apiVersion, response } = answer;
  if (kind !== 'AdmissionReview' || apiVersion !== 'admission.k8s.io/v1') {
    throw new UselessAnswer(
      `received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${String(apiVersion)}, Kind=${String(kind)}`,
    );
  }
  if (!isObject(response)) throw new UselessAnswer('received invalid webhook response: webhook response was absent');
  if (response['uid'] !== uid)
    throw new UselessAnswer(`received invalid webhook response: expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response['uid'] ?? '')}`);
  const { allowed, status, warnings } = response;
  return {
    allowed: allowed === true,
    patch: patchOf(response, mutating),
    warnings: Array.isArray(warnings) ? warnings.filter((warning) => typeof warning === 'string') : [],
    status: isObject(status) ? status : undefined,
  };
}

function patchOf({ patch, patchType }: JsonObject, mutating: boolean): JsonPatchOperation[] | undefined {
  if (patch === undefined || patch === null || patch === '') {
    if (patchType !== undefined && patchType !== null)
      throw new UselessAnswer('received invalid webhook response: webhook returned response.patchType but not response.patch');
    return undefined;
  }
  if (!mutating) throw new UselessAnswer('received invalid webhook response: validating webhook may not return response.patch');
  if (patchType === undefined || patchType === null)
    throw new UselessAnswer('received invalid webhook response: webhook returned response.patch but not response.patchType');
  if (patchType !== 'JSONPatch')
    throw new UselessAnswer(`received invalid webhook response: webhook returned invalid response.patchType of ${JSON.stringify(patchType)}`);
  try {
    const operations = parseJson(Buffer.from(typeof patch === 'string' ? patch : '', 'base64').toString('utf8'));
    if (Array.isArray(operations) && operations.every(isObject)) return operations;
  } catch {
    // Told below, like a patch that is no list.
  }
  throw internal('the patch of the webhook is no JSON patch');
}

/** A changed copy. @throws StatusError 500 when the patch does not fit */
export function patched(object: KubeObject, patch: readonly JsonPatchOperation[]): KubeObject {
  try {
    const result = applyJsonPatch(structuredClone(object), patch);
    if (isObject(result) && isObject(result['metadata'])) return result as unknown as KubeObject;
    throw new PatchMismatch('the patch leaves no object');
  } catch (error) {
    throw error instanceof PatchMismatch ? internal(error.message) : error;
  }
}

/** How a refusal reaches the client. Source: k8s.io/apiserver/pkg/admission/plugin/webhook/errors/statuserror.go. */
export function refusal(name: string, status: JsonObject | undefined): StatusError {
  const { message, reason, code, details } = status ?? {};
  const deniedBy = `admission webhook ${JSON.stringify(name)} denied the request`;
  const why =
    typeof message === 'string' && message !== '' ? `: ${message}` : typeof reason === 'string' && reason !== '' ? `: ${reason}` : ' without explanation';
  const number = typeof code === 'number' && code >= 400 ? code : 400;
  return new StatusError(number, typeof reason === 'string' ? reason : '', `${deniedBy}${why}`, isObject(details) ? details : undefined);
}
