// What a rule finds, and how all findings of one review become the answer to it.
// Source: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#response
import type { Status } from '@snapshot-stack/api-types';
import { ADMISSION_VERSION, type AdmissionRequest } from './admission-review.ts';

export interface Denial {
  readonly kind: 'deny';
  /** Path of the field, as the API server spells it: `spec.volumeSnapshotRef`. */
  readonly field: string;
  /** Name of the broken rule; the README lists them. */
  readonly rule: string;
  /** What is wrong. */
  readonly message: string;
  /** What the author of the object can do about it. */
  readonly remedy: string;
  readonly reason: 'Invalid' | 'Forbidden' | 'ServiceUnavailable';
}

export interface Warning {
  readonly kind: 'warn';
  readonly rule: string;
  /** The API server cuts what is longer than 256 characters. */
  readonly text: string;
}

export type Finding = Denial | Warning;

export interface Verdict {
  readonly denials: readonly Denial[];
  readonly warnings: readonly Warning[];
  /** Why nothing was judged; undefined when it was. */
  readonly exempt: string | undefined;
}

const CODES: Record<Denial['reason'], number> = { Invalid: 422, Forbidden: 403, ServiceUnavailable: 503 };
const WARNINGS_MAX = 8;
const WARNING_CHARACTERS_MAX = 256;

export function toVerdict(findings: readonly Finding[]): Verdict {
  return {
    denials: findings.filter((finding) => finding.kind === 'deny'),
    warnings: findings.filter((finding) => finding.kind === 'warn'),
    exempt: undefined,
  };
}

export function exempt(why: string, warnings: readonly Warning[] = []): Verdict {
  return { denials: [], warnings, exempt: why };
}

/** The words of one denial: what is wrong, by which rule, and what helps. */
export function explain({ message, rule, remedy }: Denial): string {
  return `${message} (rule ${rule}): ${remedy}`;
}

/** The AdmissionReview that answers a request. */
export function answerTo(request: AdmissionRequest, { denials, warnings }: Verdict): object {
  const [first] = denials;
  const told = warnings.slice(0, WARNINGS_MAX).map(({ text }) => shorten(text));
  const response = {
    uid: request.uid,
    allowed: first === undefined,
    ...(first === undefined ? {} : { status: statusOf(request, denials, first.reason) }),
    ...(told.length === 0 ? {} : { warnings: told }),
  };
  return { kind: 'AdmissionReview', apiVersion: ADMISSION_VERSION, response };
}

function statusOf({ group, kind, name }: AdmissionRequest, denials: readonly Denial[], reason: Denial['reason']): Status {
  return {
    status: 'Failure',
    message: denials.map((denial) => `${denial.field}: ${explain(denial)}`).join('; '),
    reason,
    code: CODES[reason],
    details: {
      ...(name === '' ? {} : { name }),
      group,
      kind,
      // kubectl shows the causes, and not the message, of what is Invalid: both tell all.
      causes: denials.map((denial) => ({ reason: causeOf(denial), message: explain(denial), field: denial.field })),
    },
  };
}

// Source: k8s.io/apimachinery/pkg/apis/meta/v1 CauseType.
function causeOf({ rule, reason }: Denial): string {
  if (reason !== 'Invalid') return 'FieldValueForbidden';
  if (rule === 'required') return 'FieldValueRequired';
  if (rule === 'enum') return 'FieldValueNotSupported';
  if (rule === 'type') return 'FieldValueTypeInvalid';
  return 'FieldValueInvalid';
}

function shorten(text: string): string {
  return text.length <= WARNING_CHARACTERS_MAX ? text : `${text.slice(0, WARNING_CHARACTERS_MAX - 3)}...`;
}
