// What is wrong with one field, in the words of kube-apiserver. A FieldError is a cause of a Status as it stands on
// the wire. Source: k8s.io/apimachinery/pkg/util/validation/field.
import { stringifyJson } from '@snapshot-stack/api-types';

export type FieldErrorReason =
  | 'FieldValueInvalid'
  | 'FieldValueRequired'
  | 'FieldValueNotSupported'
  | 'FieldValueTypeInvalid'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany'
  | 'FieldValueDuplicate'
  | 'FieldValueForbidden'
  | 'FieldValueNotFound'
  | 'InternalError';

export interface FieldError {
  readonly reason: FieldErrorReason;
  /** The path of the field; `<nil>` when there is none. */
  readonly field: string;
  /** Without the field: `Invalid value: "a": must be …`. */
  readonly message: string;
}

/** A value as it is quoted in messages: strings in quotes, numbers bare, anything else as JSON. */
export function quoteValue(value: unknown): string {
  if (value === undefined) return 'null';
  return typeof value === 'bigint' ? value.toString() : stringifyJson(value);
}

const withDetail = (head: string, detail: string): string => (detail === '' ? head : `${head}: ${detail}`);
const at = (field: string): string => (field === '' ? '<nil>' : field);

export function invalid(field: string, value: unknown, detail: string): FieldError {
  return { reason: 'FieldValueInvalid', field: at(field), message: withDetail(`Invalid value: ${quoteValue(value)}`, detail) };
}

/** `Invalid value` that does not quote the value: for objects and lists that a rule refused. */
export function invalidUnquoted(field: string, detail: string): FieldError {
  return { reason: 'FieldValueInvalid', field: at(field), message: withDetail('Invalid value', detail) };
}

export function typeInvalid(field: string, value: unknown, detail: string): FieldError {
  return { reason: 'FieldValueTypeInvalid', field: at(field), message: withDetail(`Invalid value: ${quoteValue(value)}`, detail) };
}

export function required(field: string, detail = ''): FieldError {
  return { reason: 'FieldValueRequired', field: at(field), message: withDetail('Required value', detail) };
}

export function forbidden(field: string, detail: string): FieldError {
  return { reason: 'FieldValueForbidden', field: at(field), message: withDetail('Forbidden', detail) };
}

export function duplicate(field: string, value: unknown): FieldError {
  return { reason: 'FieldValueDuplicate', field: at(field), message: `Duplicate value: ${quoteValue(value)}` };
}

export function notSupported(field: string, value: unknown, supported: readonly string[]): FieldError {
  const values = supported.map((one) => JSON.stringify(one)).join(', ');
  const head = `Unsupported value: ${quoteValue(value)}`;
  return { reason: 'FieldValueNotSupported', field: at(field), message: supported.length === 0 ? head : `${head}: supported values: ${values}` };
}

export function tooLong(field: string, limit: number): FieldError {
  return { reason: 'FieldValueTooLong', field: at(field), message: `Too long: may not be more than ${limit} ${limit === 1 ? 'byte' : 'bytes'}` };
}

export function tooMany(field: string, actual: number, limit: number): FieldError {
  return { reason: 'FieldValueTooMany', field: at(field), message: `Too many: ${actual}: must have at most ${limit} ${limit === 1 ? 'item' : 'items'}` };
}

const BLOCKING: ReadonlySet<FieldErrorReason> = new Set<FieldErrorReason>([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);

/** True when rules of x-kubernetes-validations must not run beside these errors, as values may not be what they assume. */
export function hasBlockingError(errors: readonly FieldError[]): boolean {
  return errors.some((error) => BLOCKING.has(error.reason));
}

/** The cause that stands for the rules which were left out because of {@link hasBlockingError}. */
export const rulesNotChecked: FieldError = invalid(
  '',
  null,
  'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
);
