// The rules of ObjectMeta that hold for every kind: names, generated names, what only the server sets, what
// may change. Source: k8s.io/apimachinery/pkg/api/validation/objectmeta.go.
import type { KubeObject } from '@snapshot-stack/api-types';
import { deepEqual } from './deep-equal.ts';
import { forbidden, invalid, required, tooLong, type FieldError } from '../schema/field-error.ts';

const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const LABEL_VALUE = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;
const QUALIFIED_NAME = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const GENERATED_ALPHABET = 'bcdfghjklmnpqrstvwxz2456789';
const GENERATED_LENGTH = 5;
const NAME_MAX = 253;
const LABEL_MAX = 63;
const ANNOTATIONS_BYTES_MAX = 256 * 1024;

const SUBDOMAIN_MESSAGE =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_MESSAGE =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE_MESSAGE =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED_MESSAGE =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/** How strict a kind is about its names. */
export type NameRule = 'subdomain' | 'label' | 'path';

export function generateName(base: string, random: () => number): string {
  const suffix = Array.from({ length: GENERATED_LENGTH }, () => GENERATED_ALPHABET[Math.floor(random() * GENERATED_ALPHABET.length)]).join('');
  return base.slice(0, NAME_MAX - 190 - GENERATED_LENGTH) + suffix;
}

export function nameProblems(name: string, rule: NameRule): string[] {
  if (rule === 'path') {
    if (name === '.' || name === '..') return [`may not be '${name}'`];
    return ['/', '%'].filter((bad) => name.includes(bad)).map((bad) => `may not contain '${bad}'`);
  }
  if (rule === 'label' && name.includes('.')) return ['must not contain dots'];
  const max = rule === 'label' ? LABEL_MAX : NAME_MAX;
  const problems = name.length > max ? [`must be no more than ${max} characters`] : [];
  const fits = (rule === 'label' ? LABEL : SUBDOMAIN).test(name);
  return fits ? problems : [...problems, rule === 'label' ? LABEL_MESSAGE : SUBDOMAIN_MESSAGE];
}

export function qualifiedNameProblems(text: string): string[] {
  const parts = text.split('/');
  const problems: string[] = [];
  if (parts.length > 2)
    return [
      `a qualified name ${QUALIFIED_MESSAGE.replace('name part ', '').replace(/ \(e\.g\..*$/, '')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  const [first = '', second] = parts;
  const name = second ?? first;
  if (second !== undefined) {
    if (first === '') problems.push('prefix part must be non-empty');
    else if (!SUBDOMAIN.test(first) || first.length > NAME_MAX) problems.push(`prefix part ${SUBDOMAIN_MESSAGE}`);
  }
  if (name === '') problems.push('name part must be non-empty');
  else if (name.length > LABEL_MAX) problems.push(`name part must be no more than ${LABEL_MAX} characters`);
  if (!QUALIFIED_NAME.test(name)) problems.push(QUALIFIED_MESSAGE);
  return problems;
}

function labelErrors(labels: Record<string, string> | undefined): FieldError[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => {
    const errors = qualifiedNameProblems(key).map((problem) => invalid('metadata.labels', key, problem));
    if (value.length > LABEL_MAX) errors.push(invalid('metadata.labels', value, `must be no more than ${LABEL_MAX} characters`));
    if (!LABEL_VALUE.test(value)) errors.push(invalid('metadata.labels', value, LABEL_VALUE_MESSAGE));
    return errors;
  });
}

function annotationErrors(annotations: Record<string, string> | undefined): FieldError[] {
  let bytes = 0;
  const errors = Object.entries(annotations ?? {}).flatMap(([key, value]) => {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
    return qualifiedNameProblems(key.toLowerCase()).map((problem) => invalid('metadata.annotations', key, problem));
  });
  return bytes > ANNOTATIONS_BYTES_MAX ? [...errors, tooLong('metadata.annotations', ANNOTATIONS_BYTES_MAX)] : errors;
}

// Source: ValidateOwnerReferences; its paths name no index.
function ownerErrors(object: KubeObject): FieldError[] {
  const owners = object.metadata.ownerReferences ?? [];
  const at = 'metadata.ownerReferences';
  const errors = owners.flatMap(({ apiVersion, kind, name, uid }) => [
    ...versionErrors(at, apiVersion),
    ...(kind ? [] : [invalid(`${at}.kind`, kind ?? '', 'must not be empty')]),
    ...(name ? [] : [invalid(`${at}.name`, name ?? '', 'must not be empty')]),
    ...(uid ? [] : [invalid(`${at}.uid`, uid ?? '', 'must not be empty')]),
    ...(kind === 'Event' && (apiVersion === 'v1' || apiVersion === 'events.k8s.io/v1')
      ? [invalid(at, { apiVersion, kind, name, uid }, `${apiVersion}, Kind=Event is disallowed from being an owner`)]
      : []),
  ]);
  const [first, second] = owners.filter((owner) => owner.controller === true);
  if (first === undefined || second === undefined) return errors;
  const both = `${first.kind}/${first.name} and ${second.kind}/${second.name}`;
  return [...errors, invalid(at, owners, `Only one reference can have Controller set to true. Found "true" in references for ${both}`)];
}

function versionErrors(at: string, apiVersion: string | undefined): FieldError[] {
  const parts = (apiVersion ?? '').split('/');
  const isValid = parts.length <= 2 && parts.at(-1) !== '';
  return isValid ? [] : [invalid(`${at}.apiVersion`, apiVersion ?? '', 'version must not be empty')];
}

const STANDARD_FINALIZERS = ['orphan', 'foregroundDeletion', 'kubernetes'];

function finalizerErrors(finalizers: readonly string[] = []): FieldError[] {
  const both = finalizers.includes('orphan') && finalizers.includes('foregroundDeletion');
  const errors = finalizers.flatMap((finalizer, index) => {
    const problems = qualifiedNameProblems(finalizer).map((problem) => invalid('metadata.finalizers', finalizer, problem));
    if (finalizer.includes('/') || STANDARD_FINALIZERS.includes(finalizer)) return problems;
    return [...problems, invalid(`metadata.finalizers[${index}]`, finalizer, 'name is neither a standard finalizer name nor is it fully qualified')];
  });
  const clash = 'finalizer orphan and foregroundDeletion cannot be both set';
  return both ? [...errors, invalid('metadata.finalizers', finalizers, clash)] : errors;
}

/** What must hold for the metadata of an object, new or not. */
export function metadataErrors(object: KubeObject, rule: NameRule): FieldError[] {
  const { name = '', generateName: base = '', labels, annotations, finalizers } = object.metadata;
  const errors: FieldError[] = [];
  if (base !== '') errors.push(...nameProblems(maskTrailingDash(base), rule).map((problem) => invalid('metadata.generateName', base, problem)));
  if (name === '') errors.push(required('metadata.name', 'name or generateName is required'));
  else errors.push(...nameProblems(name, rule).map((problem) => invalid('metadata.name', name, problem)));
  return [...errors, ...labelErrors(labels), ...annotationErrors(annotations), ...ownerErrors(object), ...finalizerErrors(finalizers)];
}

function maskTrailingDash(base: string): string {
  return base.length > 1 && base.endsWith('-') ? `${base.slice(0, -2)}a` : base;
}

const FIXED = ['name', 'namespace', 'uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds'] as const;

/**
 * What of the metadata may not change, each problem as often as kube-apiserver finds it: its registry and the kind's
 * own validation both look. Source: rest.BeforeUpdate and ValidateObjectMetaAccessorUpdate.
 */
export function metadataUpdateErrors(object: KubeObject, old: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  if (old.metadata.deletionTimestamp !== undefined) {
    const added = (object.metadata.finalizers ?? []).filter((finalizer) => !(old.metadata.finalizers ?? []).includes(finalizer));
    const list = added.map((finalizer) => JSON.stringify(finalizer)).join(', ');
    const text = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`;
    if (added.length > 0) errors.push(forbidden('metadata.finalizers', text));
  }
  for (const field of FIXED) {
    const [now, before] = [object.metadata[field], old.metadata[field]];
    if (now !== before) errors.push(invalid(`metadata.${field}`, now ?? null, 'field is immutable'));
  }
  return [...errors, ...errors];
}

/** Two references to one owner count as one; kube-apiserver says so in a warning. */
export function dedupeOwners(object: KubeObject, warn: (message: string) => void): void {
  const owners = object.metadata.ownerReferences;
  if (owners === undefined || owners.length < 2) return;
  const uids = owners.map(({ uid }) => uid);
  const repeated = [...new Set(uids.filter((uid, index) => uids.indexOf(uid) !== index))];
  if (repeated.length === 0) return;
  const list = repeated.join(', ');
  warn(
    `.metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${list}`,
  );
  object.metadata.ownerReferences = owners.filter((owner, index) => owners.findIndex((other) => deepEqual(other, owner)) === index);
}
