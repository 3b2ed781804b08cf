// allOf, anyOf, oneOf and not. Source: k8s.io/kube-openapi/pkg/validation/validate/schema_props.go.
import type { FieldError } from './field-error.ts';
import { invalid } from './field-error.ts';
import type { Report } from './report.ts';
import type { Schema } from './schema.ts';

interface Outcome {
  readonly errors: readonly FieldError[];
  readonly count: number;
}

const isType = (schema: Schema | undefined, type: string): boolean => schema !== undefined && Object.keys(schema).length === 1 && schema.type === type;

function isIntOrString(anyOf: readonly Schema[] | undefined): boolean {
  return anyOf?.length === 2 && isType(anyOf[0], 'integer') && isType(anyOf[1], 'string');
}

// x-kubernetes-int-or-string already says what the customary anyOf beside it says.
function relevant(schema: Schema): Pick<Schema, 'allOf' | 'anyOf' | 'oneOf' | 'not'> {
  if (schema['x-kubernetes-int-or-string'] !== true) return schema;
  const { allOf, anyOf, oneOf, not } = schema;
  const first = allOf?.[0];
  return {
    ...(allOf === undefined ? {} : { allOf: first !== undefined && isIntOrString(first.anyOf) ? [{ ...first, anyOf: [] }, ...allOf.slice(1)] : allOf }),
    ...(anyOf === undefined || isIntOrString(anyOf) ? {} : { anyOf }),
    ...(oneOf === undefined ? {} : { oneOf }),
    ...(not === undefined ? {} : { not }),
  };
}

const relevantOf = new WeakMap<Schema, Pick<Schema, 'allOf' | 'anyOf' | 'oneOf' | 'not'>>();

/**
 * Checks the combinations of a schema.
 * @param check checks the value at hand against one alternative
 * @returns how many checks were made
 */
export function checkCombinations(schema: Schema, path: string, report: Report, check: (branch: Schema, report: Report) => number): number {
  let parts = relevantOf.get(schema);
  if (parts === undefined) relevantOf.set(schema, (parts = relevant(schema)));
  const attempt = (branch: Schema): Outcome => {
    const inner: Report = { errors: [], prefix: report.prefix };
    const count = check(branch, inner);
    return { errors: inner.errors, count };
  };
  const fail = (what: string): void => void report.errors.push(invalid(report.prefix, '', `"${path}" ${what}`));
  let count = checkAnyOf(parts.anyOf ?? [], attempt, fail, report);
  count += checkOneOf(parts.oneOf ?? [], attempt, fail, report);
  count += checkAllOf(parts.allOf ?? [], attempt, fail, report);
  if (parts.not !== undefined && attempt(parts.not).errors.length === 0) fail('must not validate the schema (not)');
  return count;
}

type Attempt = (branch: Schema) => Outcome;
type Fail = (what: string) => void;

function better(best: Outcome | undefined, outcome: Outcome): Outcome {
  return best === undefined || outcome.count > best.count ? outcome : best;
}

function checkAnyOf(branches: readonly Schema[], attempt: Attempt, fail: Fail, report: Report): number {
  if (branches.length === 0) return 0;
  let best: Outcome | undefined;
  for (const branch of branches) {
    const outcome = attempt(branch);
    if (outcome.errors.length === 0) return outcome.count;
    best = better(best, outcome);
  }
  fail('must validate at least one schema (anyOf)');
  report.errors.push(...(best?.errors ?? []));
  return best?.count ?? 0;
}

function checkOneOf(branches: readonly Schema[], attempt: Attempt, fail: Fail, report: Report): number {
  if (branches.length === 0) return 0;
  let best: Outcome | undefined;
  const valid: Outcome[] = [];
  for (const branch of branches) {
    const outcome = attempt(branch);
    if (outcome.errors.length === 0) valid.push(outcome);
    else if (valid.length === 0) best = better(best, outcome);
  }
  if (valid.length === 1) return valid[0]?.count ?? 0;
  fail(`must validate one and only one schema (oneOf). ${valid.length === 0 ? 'Found none valid' : `Found ${valid.length} valid alternatives`}`);
  if (valid.length === 0) report.errors.push(...(best?.errors ?? []));
  return best?.count ?? 0;
}

function checkAllOf(branches: readonly Schema[], attempt: Attempt, fail: Fail, report: Report): number {
  let count = 0;
  let valid = 0;
  for (const branch of branches) {
    const outcome = attempt(branch);
    if (outcome.errors.length === 0) valid++;
    report.errors.push(...outcome.errors);
    count += outcome.count;
  }
  if (valid !== branches.length) fail(`must validate all the schemas (allOf)${valid === 0 ? '. None validated' : ''}`);
  return count;
}
