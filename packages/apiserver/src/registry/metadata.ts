// The rules of ObjectMeta that hold for every kind: names, generated names, what only the server sets, what
// may change. Source: k8s.io/apimachinery/pkg/api/validation/objectmeta.go.
import type { KubeObject } from '@snapshot-stack/api-types';
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
  const max = rule === 'label' ? LABEL_MAX : NAME_MAX;
  const problems = name.length > max ? [`must be no more than ${max} bytes`] : [];
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
  else if (name.length > LABEL_MAX) problems.push(`name part must be no more than ${LABEL_MAX} bytes`);
  if (!QUALIFIED_NAME.test(name)) problems.push(QUALIFIED_MESSAGE);
  return problems;
}

function labelErrors(labels: Record<string, string> | undefined): FieldError[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => {
    const errors = qualifiedNameProblems(key).map((problem) => invalid('metadata.labels', key, problem));
    if (value.length > LABEL_MAX) errors.push(invalid('metadata.labels', value, `must be no more than ${LABEL_MAX} bytes`));
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

function ownerErrors(object: KubeObject): FieldError[] {
  const owners = object.metadata.ownerReferences ?? [];
  const errors = owners.flatMap((owner, index) => {
    const at = `metadata.ownerReferences[${index}]`;
    return [
      ...(owner.apiVersion ? [] : [invalid(`${at}.apiVersion`, owner.apiVersion ?? '', 'version must not be empty')]),
      ...(owner.kind ? [] : [invalid(`${at}.kind`, owner.kind ?? '', 'must not be empty')]),
      ...(owner.name ? [] : [invalid(`${at}.name`, owner.name ?? '', 'must not be empty')]),
      ...(owner.uid ? [] : [invalid(`${at}.uid`, owner.uid ?? '', 'must not be empty')]),
    ];
  });
  const controllers = owners.filter((owner) => owner.controller === true);
  if (controllers.length > 1) {
    errors.push(
      invalid(
        'metadata.ownerReferences',
        owners.map((owner) => owner),
        `Only one reference can have Controller set to true. Found "true" in references for ${controllers[0]?.name ?? ''} and ${controllers[1]?.name ?? ''}`,
      ),
    );
  }
  return errors;
}

function finalizerErrors(finalizers: readonly string[] | undefined): FieldError[] {
  return (finalizers ?? []).flatMap((finalizer) => {
    const problems = qualifiedNameProblems(finalizer);
    if (problems.length > 0) return problems.map((problem) => invalid('metadata.finalizers', finalizer, problem));
    const known = finalizer === 'orphan' || finalizer === 'foregroundDeletion' || finalizer === 'kubernetes';
    return finalizer.includes('/') || known
      ? []
      : [invalid('metadata.finalizers', finalizer, 'name is neither a standard finalizer name nor is it fully qualified')];
  });
}

/** What must hold for the metadata of an object, new or not. */
export function metadataErrors(object: KubeObject, rule: NameRule): FieldError[] {
  const { name = '', generateName: base = '', labels, annotations, finalizers } = object.metadata;
  const errors: FieldError[] = [];
  if (base !== '') errors.push(...nameProblems(base.replace(/-$/, ''), rule).map((problem) => invalid('metadata.generateName', base, problem)));
  if (name === '') errors.push(required('metadata.name', 'name or generateName is required'));
  else errors.push(...nameProblems(name, rule).map((problem) => invalid('metadata.name', name, problem)));
  return [...errors, ...labelErrors(labels), ...annotationErrors(annotations), ...ownerErrors(object), ...finalizerErrors(finalizers)];
}

/** What of the metadata may not change. */
export function metadataUpdateErrors(object: KubeObject, old: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const immutable = (field: 'name' | 'namespace' | 'uid' | 'creationTimestamp' | 'deletionTimestamp' | 'deletionGracePeriodSeconds'): void => {
    const [now, before] = [object.metadata[field], old.metadata[field]];
    if (now !== before) errors.push(invalid(`metadata.${field}`, now ?? null, 'field is immutable'));
  };
  for (const field of ['name', 'namespace', 'uid', 'creationTimestamp'] as const) immutable(field);
  if (old.metadata.deletionTimestamp !== undefined) {
    const added = (object.metadata.finalizers ?? []).filter((finalizer) => !(old.metadata.finalizers ?? []).includes(finalizer));
    if (added.length > 0) {
      const list = added.map((finalizer) => JSON.stringify(finalizer)).join(', ');
      errors.push(forbidden('metadata.finalizers', `no new finalizers can be added if the object is being deleted, found new finalizers []string{${list}}`));
    }
  }
  return errors;
}
