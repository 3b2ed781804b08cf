// Whether the x-kubernetes-validations of a schema are sound: they compile, say what they must, and cannot cost too much.
// Source: k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation/{validation,cel_validation}.go.
import type { CompiledRule } from '../cel/rules.ts';
import { compileRule } from '../cel/rules.ts';
import { CompileError } from '../cel/issues.ts';
import { celTypeOf } from '../cel/schema-type.ts';
import { baseKind } from '../cel/types.ts';
import type { FieldError } from '../schema/field-error.ts';
import { forbidden, invalid, notSupported, required } from '../schema/field-error.ts';
import type { Schema, ValidationRule } from '../schema/schema.ts';
import { memberSchema } from '../schema/schema.ts';
import { parsePath } from './json-path.ts';

/** Limits of the estimated cost: of one rule, and of all rules of a schema. */
const RULE_COST_LIMIT = 10_000_000;
const SCHEMA_COST_LIMIT = 100_000_000;
// The largest list or map that fits a request, per item of the fewest bytes; see cel/schema-type.ts.
const UNBOUNDED = 3 * 1024 * 1024;

interface Place {
  /** How often the rules here may run for one object. */
  readonly times: number;
  /** The outermost list whose items have no old counterpart, if there is one around. */
  readonly uncorrelatable: string | undefined;
}

interface Costs {
  readonly rules: { readonly path: string; readonly cost: number }[];
}

/** The errors of all rules of a schema. */
export function ruleDefinitionErrors(schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const costs: Costs = { rules: [] };
  visit(schema, path, { times: 1, uncorrelatable: undefined }, true, costs, errors);
  const total = costs.rules.reduce((sum, { cost }) => sum + cost, 0);
  if (total <= SCHEMA_COST_LIMIT) return errors;
  const dearest = [...costs.rules].sort((one, other) => other.cost - one.cost).slice(0, 4);
  const shares = dearest.map(({ path: rule }) =>
    forbidden(rule, 'contributed to estimated rule & messageExpression cost total exceeding cost limit for entire OpenAPIv3 schema'),
  );
  return [
    ...errors,
    ...shares,
    forbidden(path, tooCostly('x-kubernetes-validations estimated rule & messageExpression cost total for entire OpenAPIv3 schema', total, SCHEMA_COST_LIMIT)),
  ];
}

function visit(schema: Schema, path: string, place: Place, isRoot: boolean, costs: Costs, errors: FieldError[]): void {
  const type = celTypeOf(schema, isRoot);
  (schema['x-kubernetes-validations'] ?? []).forEach((rule, index) => {
    const at = `${path}.x-kubernetes-validations[${index}]`;
    errors.push(...textErrors(rule, at));
    if (rule.fieldPath !== undefined && rule.fieldPath !== '') errors.push(...fieldPathErrors(rule.fieldPath, schema, `${at}.fieldPath`));
    if ((rule.rule ?? '').trim() === '' || type === undefined) return;
    const compiled = tryCompile(rule, schema, at, errors, isRoot);
    if (compiled !== undefined) checkCompiled(compiled, at, place, costs, errors);
  });
  for (const [name, property] of Object.entries(schema.properties ?? {})) visit(property, `${path}.properties[${name}]`, place, false, costs, errors);
  const rest = schema.additionalProperties;
  if (typeof rest === 'object')
    visit(rest, `${path}.additionalProperties`, { ...place, times: place.times * limitOf(schema, schema.maxProperties) }, false, costs, errors);
  if (schema.items === undefined) return;
  const uncorrelatable = place.uncorrelatable ?? (schema['x-kubernetes-list-type'] === 'map' ? undefined : path);
  visit(schema.items, `${path}.items`, { times: place.times * limitOf(schema, schema.maxItems), uncorrelatable }, false, costs, errors);
}

function limitOf(schema: Schema, declared: number | undefined): number {
  const type = celTypeOf(schema);
  const derived = type?.kind === 'list' || type?.kind === 'map' ? type.sizeLimit : undefined;
  return declared ?? derived ?? UNBOUNDED;
}

const REASONS = ['FieldValueDuplicate', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueRequired'];
const lineBreak = (text: string): boolean => /[\n\r]/.test(text);

function textErrors(validation: Partial<ValidationRule>, at: string): FieldError[] {
  const { rule = '', message = '', messageExpression = '', reason } = validation;
  const errors: FieldError[] = [];
  if (rule.trim() === '') errors.push(required(`${at}.rule`, 'rule is not specified'));
  if (message !== '' && message.trim() === '') errors.push(invalid(`${at}.message`, message, 'message must be non-empty if specified'));
  else if (message.length > 2048) errors.push(invalid(`${at}.message`, `${message.slice(0, 10)}...`, 'message must have a maximum length of 2048 characters'));
  else if (lineBreak(message.trim())) errors.push(invalid(`${at}.message`, message, 'message must not contain line breaks'));
  else if (lineBreak(rule.trim()) && message === '') errors.push(required(`${at}.message`, 'message must be specified if rule contains line breaks'));
  if (messageExpression !== '' && messageExpression.trim() === '')
    errors.push(required(`${at}.messageExpression`, 'messageExpression must be non-empty if specified'));
  if (reason !== undefined && !REASONS.includes(reason)) errors.push(notSupported(`${at}.reason`, reason, REASONS));
  return errors;
}

function fieldPathErrors(fieldPath: string, schema: Schema, field: string): FieldError[] {
  const fail = (why: string): FieldError[] => [invalid(field, fieldPath, `fieldPath must be a valid path: ${why}`)];
  if (!fieldPath.startsWith('.') && !fieldPath.startsWith('[')) return fail(`expected [ or . but got: ${fieldPath.slice(0, 1)}`);
  try {
    let at: Schema | undefined = schema;
    for (const step of parsePath(fieldPath)) at = step.kind === 'member' ? memberSchema(at, step.name) : undefined;
    return at === undefined ? fail('does not refer to a valid field') : [];
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

// A rule as messages quote it: the names are those of the Go type.
function quoted({ rule, message = '', messageExpression = '', reason, fieldPath = '', optionalOldSelf }: ValidationRule): object {
  return {
    Rule: rule,
    Message: message,
    MessageExpression: messageExpression,
    Reason: reason ?? null,
    FieldPath: fieldPath,
    OptionalOldSelf: optionalOldSelf ?? null,
  };
}

function tryCompile(rule: ValidationRule, schema: Schema, at: string, errors: FieldError[], isRoot: boolean): CompiledRule | undefined {
  const type = celTypeOf(schema, isRoot);
  if (type === undefined) return undefined;
  const { messageExpression, ...alone } = rule;
  try {
    const compiled = compileRule(alone, type);
    if (!['bool', 'dyn'].includes(baseKind(compiled.program.type))) errors.push(invalid(`${at}.rule`, quoted(rule), 'cel expression must evaluate to a bool'));
    return messageExpression === undefined || messageExpression === '' ? compiled : withMessage(rule, compiled, at, errors, type);
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    errors.push(invalid(`${at}.rule`, quoted(rule), `compilation failed: ${error.message}`));
    return undefined;
  }
}

function withMessage(rule: ValidationRule, plain: CompiledRule, at: string, errors: FieldError[], type: Parameters<typeof compileRule>[1]): CompiledRule {
  try {
    const compiled = compileRule(rule, type);
    const kind = compiled.message === undefined ? 'string' : baseKind(compiled.message.type);
    if (kind !== 'string' && kind !== 'dyn') errors.push(invalid(`${at}.messageExpression`, quoted(rule), 'messageExpression must evaluate to a string'));
    return compiled;
  } catch (error) {
    if (!(error instanceof CompileError)) throw error;
    errors.push(invalid(`${at}.messageExpression`, quoted(rule), `messageExpression compilation failed: ${error.message}`));
    return plain;
  }
}

function checkCompiled(compiled: CompiledRule, at: string, place: Place, costs: Costs, errors: FieldError[]): void {
  const { rule, program, message, usesOldSelf } = compiled;
  if (usesOldSelf && place.uncorrelatable !== undefined) {
    errors.push(invalid(`${at}.rule`, rule.rule, `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.uncorrelatable}`));
  }
  if (rule.optionalOldSelf === true && !usesOldSelf) errors.push(invalid(`${at}.optionalOldSelf`, true, 'may not be set if oldSelf is not used in rule'));
  const cost = program.maxCost * place.times;
  costs.rules.push({ path: `${at}.rule`, cost });
  if (cost > RULE_COST_LIMIT) errors.push(forbidden(`${at}.rule`, tooCostly('estimated rule cost', cost, RULE_COST_LIMIT)));
  const messageCost = message?.maxCost ?? 0;
  if (message !== undefined) costs.rules.push({ path: `${at}.messageExpression`, cost: messageCost });
  if (messageCost > RULE_COST_LIMIT)
    errors.push(forbidden(`${at}.messageExpression`, tooCostly('estimated messageExpression cost', messageCost, RULE_COST_LIMIT)));
}

function tooCostly(what: string, cost: number, limit: number): string {
  const factor = cost / limit;
  const text = factor > 100 ? 'more than 100x' : factor < 1.5 ? `${factor.toFixed(6)}x` : `${factor.toFixed(1)}x`;
  return `${what} exceeds budget by factor of ${text} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}
