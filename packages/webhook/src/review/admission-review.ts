// The question that the API server asks, checked before anything relies on it.
// Source: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#request
import type { KubeObject } from '@snapshot-stack/api-types';
import { BadRequest, isObject, type JsonObject } from './bad-request.ts';

export type Operation = 'CREATE' | 'UPDATE' | 'DELETE' | 'CONNECT';

export interface UserInfo {
  readonly username: string;
  readonly uid: string | undefined;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>> | undefined;
}

export interface AdmissionRequest {
  readonly uid: string;
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** undefined for the object itself. */
  readonly subresource: string | undefined;
  /** Empty on creation with generateName. */
  readonly name: string;
  readonly operation: Operation;
  readonly user: UserInfo;
  /** There for CREATE and UPDATE. */
  readonly object: KubeObject | undefined;
  /** There for UPDATE and DELETE. */
  readonly old: KubeObject | undefined;
  readonly dryRun: boolean;
}

export const ADMISSION_VERSION = 'admission.k8s.io/v1';

const OPERATIONS: readonly string[] = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'] satisfies Operation[];
const HINT = `this path takes an AdmissionReview of ${ADMISSION_VERSION} with a request, as the API server sends it for a ValidatingWebhookConfiguration`;

/** @throws BadRequest saying what is wrong with the review, and what it should be */
export function readAdmissionReview(body: unknown): AdmissionRequest {
  if (!isObject(body)) throw new BadRequest(`the body is no JSON object; ${HINT}`);
  const { kind, apiVersion, request } = body;
  if (kind !== 'AdmissionReview') throw new BadRequest(`the body is of kind ${shown(kind)}; ${HINT}`);
  if (apiVersion !== ADMISSION_VERSION) {
    throw new BadRequest(
      `the review is of version ${shown(apiVersion)}, and only ${ADMISSION_VERSION} is understood; put v1 first into admissionReviewVersions of the webhook configuration`,
    );
  }
  if (!isObject(request)) throw new BadRequest(`the review has no request; ${HINT}`);
  return readRequest(request);
}

function readRequest(request: JsonObject): AdmissionRequest {
  const { group, version, kind } = kindOf(request);
  const operation = request['operation'];
  if (typeof operation !== 'string' || !OPERATIONS.includes(operation))
    throw new BadRequest(`request.operation is ${shown(operation)}; it must be one of ${OPERATIONS.join(', ')}`);
  const object = objectOf(request, 'object');
  const old = objectOf(request, 'oldObject');
  if (object === undefined && (operation === 'CREATE' || operation === 'UPDATE'))
    throw new BadRequest(`request.object is missing, and ${operation} cannot be judged without it`);
  if (old === undefined && operation === 'UPDATE') throw new BadRequest('request.oldObject is missing, and UPDATE cannot be judged without it');
  const named = object === undefined ? '' : `${String(object.apiVersion)} ${String(object.kind)}`;
  const asked = `${group === '' ? version : `${group}/${version}`} ${kind}`;
  if (object !== undefined && named !== asked) throw new BadRequest(`request.object is ${named.slice(0, 200)}, and request.kind says ${asked}`);
  return {
    uid: textOf(request, 'uid'),
    group,
    version,
    kind,
    subresource: optionalText(request, 'subResource'),
    name: optionalText(request, 'name') ?? object?.metadata.name ?? old?.metadata.name ?? '',
    operation: operation as Operation,
    user: userOf(request['userInfo']),
    object,
    old,
    dryRun: request['dryRun'] === true,
  };
}

function kindOf(request: JsonObject): { group: string; version: string; kind: string } {
  const named = request['kind'];
  if (!isObject(named)) throw new BadRequest('request.kind is missing; it names group, version and kind of the object');
  const { group = '', version, kind } = named;
  if (typeof group !== 'string' || typeof version !== 'string' || typeof kind !== 'string')
    throw new BadRequest('request.kind must hold group, version and kind as strings');
  return { group, version, kind };
}

function objectOf(request: JsonObject, member: 'object' | 'oldObject'): KubeObject | undefined {
  const value = request[member] ?? undefined;
  if (value === undefined) return undefined;
  if (!isObject(value)) throw new BadRequest(`request.${member} must be an object`);
  const { metadata } = value;
  if (!isObject(metadata)) throw new BadRequest(`request.${member} has no metadata`);
  const annotations = metadata['annotations'] ?? {};
  if (!isObject(annotations)) throw new BadRequest(`request.${member}.metadata.annotations must be an object`);
  return value as unknown as KubeObject;
}

function userOf(value: unknown): UserInfo {
  const { username, uid, groups, extra } = isObject(value) ? value : ({} as JsonObject);
  return {
    username: typeof username === 'string' ? username : '',
    uid: typeof uid === 'string' ? uid : undefined,
    groups: Array.isArray(groups) ? groups.filter((group) => typeof group === 'string') : [],
    extra: isObject(extra) ? (extra as Record<string, string[]>) : undefined,
  };
}

function textOf(request: JsonObject, member: string): string {
  const value = request[member];
  if (typeof value !== 'string' || value === '') throw new BadRequest(`request.${member} must be a string; the answer repeats it`);
  return value;
}

function optionalText(request: JsonObject, member: string): string | undefined {
  const value = request[member];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A value for a message, cut short: it comes from outside. */
function shown(value: unknown): string {
  return value === undefined ? 'undefined' : (JSON.stringify(typeof value === 'string' ? value.slice(0, 64) : typeof value) ?? 'undefined');
}
