// Where validation puts what it finds.
import type { FieldError } from './field-error.ts';

/** Collects errors on the way through a value. `prefix` stands before paths in `field`, but not in messages. */
export interface Report {
  readonly errors: FieldError[];
  readonly prefix: string;
}

/** The field of an error: the path below the prefix; a leading dot is no part of it. */
export function fieldAt(report: Report, path: string): string {
  const below = path.startsWith('.') ? path.slice(1) : path;
  if (report.prefix === '') return below;
  return below === '' ? report.prefix : `${report.prefix}.${below}`;
}
