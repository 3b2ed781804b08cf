// x-kubernetes-validations: the rules of a schema, compiled once, and their run over an object.
// Source: k8s.io/apiextensions-apiserver/pkg/apiserver/schema/cel/validation.go.
import { jsonEqual } from '@snapshot-stack/api-types';
import type { FieldError } from '../schema/field-error.ts';
import { duplicate, forbidden, invalid, invalidUnquoted, required } from '../schema/field-error.ts';
import { correlate } from '../schema/correlate.ts';
import type { Schema, ValidationRule } from '../schema/schema.ts';
import { childPath, isObject } from '../schema/schema.ts';
import type { Program } from './compile.ts';
import { EvaluationFailure, compile } from './compile.ts';
import { library } from './library/index.ts';
import { celTypeOf } from './schema-type.ts';
import type { CelType } from './types.ts';
import { optionalOf } from './types.ts';
import { CostError, Optional, adapt } from './values.ts';

/** What one evaluation of a rule may cost, and what all the rules of one object may. */
const CALL_LIMIT = 1_000_000;
const OBJECT_BUDGET = 10_000_000;

/** A rule ready to run. */
export interface CompiledRule {
  readonly rule: ValidationRule;
  readonly program: Program;
  readonly message: Program | undefined;
  /** A transition rule: it compares with the old value. */
  readonly usesOldSelf: boolean;
}

/** Compiles one rule for values of a type. @throws CompileError */
export function compileRule(rule: ValidationRule, type: CelType): CompiledRule {
  const oldType = rule.optionalOldSelf === true ? optionalOf(type) : type;
  const variables = [['self', type] as const, ['oldSelf', oldType] as const];
  const program = compile(rule.rule.trim(), variables, library);
  const message = rule.messageExpression === undefined || rule.messageExpression === '' ? undefined : compile(rule.messageExpression, variables, library);
  return { rule, program, message, usesOldSelf: program.reads.has('oldSelf') || message?.reads.has('oldSelf') === true };
}

// The part of a schema that has rules somewhere below.
interface RuleNode {
  readonly schema: Schema;
  readonly type: CelType | undefined;
  readonly rules: readonly CompiledRule[];
  readonly properties: readonly (readonly [string, RuleNode])[];
  readonly rest: RuleNode | undefined;
  readonly items: RuleNode | undefined;
}

const nodes = new WeakMap<Schema, RuleNode | 'none'>();

function nodeOf(schema: Schema, isRoot: boolean): RuleNode | undefined {
  const known = nodes.get(schema);
  if (known !== undefined) return known === 'none' ? undefined : known;
  const made = makeNode(schema, isRoot);
  nodes.set(schema, made ?? 'none');
  return made;
}

function makeNode(schema: Schema, isRoot: boolean): RuleNode | undefined {
  const type = celTypeOf(schema, isRoot);
  const rules = type === undefined ? [] : (schema['x-kubernetes-validations'] ?? []).map((rule) => compileRule(rule, type));
  const rest = typeof schema.additionalProperties === 'object' ? nodeOf(schema.additionalProperties, false) : undefined;
  const items = schema.items === undefined ? undefined : nodeOf(schema.items, false);
  const properties: (readonly [string, RuleNode])[] = [];
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const node = isRoot && name === 'metadata' ? undefined : nodeOf(property, false);
    if (node !== undefined) properties.push([name, node]);
  }
  if (rules.length === 0 && rest === undefined && items === undefined && properties.length === 0) return undefined;
  return { schema, type, rules, properties, rest, items };
}

/** True when a schema has rules at all. @throws CompileError when one of them does not compile */
export function hasRules(schema: Schema): boolean {
  return nodeOf(schema, true) !== undefined;
}

/**
 * Runs the rules of a custom resource's schema.
 * @param old the stored object on update; without it transition rules do not run
 * @returns the errors of the rules that do not hold; unchanged values are forgiven by rules without oldSelf
 */
export function ruleErrors(object: unknown, schema: Schema, old?: unknown): FieldError[] {
  const root = nodeOf(schema, true);
  if (root === undefined) return [];
  const run: Run = { errors: [], budget: OBJECT_BUDGET };
  visit(root, object, old, '', run);
  return run.errors;
}

interface Run {
  readonly errors: FieldError[];
  /** What may still be spent; negative once no further rule may run. */
  budget: number;
}

function visit(node: RuleNode, value: unknown, old: unknown, path: string, run: Run): void {
  if (value === null || value === undefined || run.budget < 0) return;
  for (const rule of node.rules) applyRule(rule, node, value, old, path, run);
  if (Array.isArray(value)) visitItems(node, value, old, path, run);
  else if (isObject(value)) visitMembers(node, value, isObject(old) ? old : undefined, path, run);
}

function visitItems({ items, schema }: RuleNode, list: readonly unknown[], old: unknown, path: string, run: Run): void {
  if (items === undefined) return;
  const oldItem = correlate(old, schema);
  list.forEach((item, index) => visit(items, item, oldItem?.(item, index), childPath(path, index), run));
}

function visitMembers(
  { properties, rest, schema }: RuleNode,
  object: Record<string, unknown>,
  old: Record<string, unknown> | undefined,
  path: string,
  run: Run,
): void {
  for (const [name, node] of properties) {
    if (Object.hasOwn(object, name)) visit(node, object[name], old?.[name], childPath(path, name), run);
  }
  if (rest === undefined) return;
  for (const name of Object.keys(object)) {
    if (!Object.hasOwn(schema.properties ?? {}, name)) visit(rest, object[name], old?.[name], childPath(path, name), run);
  }
}

function applyRule(compiled: CompiledRule, node: RuleNode, value: unknown, old: unknown, path: string, run: Run): void {
  const { rule, program, usesOldSelf } = compiled;
  if (run.budget < 0 || (usesOldSelf && old === undefined && rule.optionalOldSelf !== true)) return;
  const variables = variablesOf(compiled, node, value, old);
  try {
    const { value: holds, cost } = program.evaluate(variables, CALL_LIMIT);
    if (!spend(run, cost, path, value)) return;
    if (holds === true || (!usesOldSelf && old !== undefined && jsonEqual(value, old))) return;
    run.errors.push(violation(rule, messageOf(compiled, variables), value, path));
  } catch (error) {
    if (!(error instanceof EvaluationFailure)) throw error;
    if (!spend(run, error.cost, path, value)) return;
    run.errors.push(failure(rule, error, value, path));
    if (error.cause instanceof CostError) run.budget = -1;
  }
}

function variablesOf({ rule }: CompiledRule, { type }: RuleNode, value: unknown, old: unknown): readonly unknown[] {
  const adapted = (one: unknown): unknown => (type === undefined ? one : adapt(one, type));
  if (rule.optionalOldSelf !== true) return [adapted(value), adapted(old)];
  return [adapted(value), old === undefined || old === null ? Optional.none : new Optional(adapted(old))];
}

function spend(run: Run, cost: number, path: string, value: unknown): boolean {
  run.budget -= cost;
  if (run.budget >= 0) return true;
  run.errors.push(refused(path, value, 'validation failed due to running out of cost budget, no further validation rules will be run'));
  return false;
}

/** `Invalid value`, which quotes scalars only. */
function refused(path: string, value: unknown, detail: string): FieldError {
  return typeof value === 'object' ? invalidUnquoted(path, detail) : invalid(path, value, detail);
}

const textOf = ({ message, rule }: ValidationRule): string => (message === undefined || message === '' ? rule.trim() : message.trim());

function messageOf({ rule, message }: CompiledRule, variables: readonly unknown[]): string {
  const fallback = rule.message === undefined || rule.message === '' ? `failed rule: ${rule.rule.trim()}` : rule.message.trim();
  if (message === undefined) return fallback;
  try {
    const { value } = message.evaluate(variables, CALL_LIMIT);
    const text = typeof value === 'string' ? value.trim() : '';
    return text === '' || text.includes('\n') || text.length > 5 * 1024 ? fallback : text;
  } catch (error) {
    if (error instanceof EvaluationFailure) return fallback;
    throw error;
  }
}

/** Where the error of a rule is shown: the rule's fieldPath (`.min`, `.map['key']`) below the value. */
function pathOf({ fieldPath }: ValidationRule, path: string): string {
  if (fieldPath === undefined || fieldPath === '') return path;
  const below = fieldPath.replaceAll(/\['((?:[^'\\]|\\.)*)'\]/g, '[$1]');
  return path === '' ? below.replace(/^\./, '') : `${path}${below}`;
}

function violation(rule: ValidationRule, detail: string, value: unknown, at: string): FieldError {
  const path = pathOf(rule, at);
  switch (rule.reason) {
    case 'FieldValueForbidden':
      return forbidden(path, detail);
    case 'FieldValueRequired':
      return required(path, detail);
    case 'FieldValueDuplicate':
      return typeof value === 'object' ? { reason: 'FieldValueDuplicate', field: path, message: 'Duplicate value' } : duplicate(path, value);
    default:
      return refused(path, value, detail);
  }
}

function failure(rule: ValidationRule, error: EvaluationFailure, value: unknown, path: string): FieldError {
  const { message } = error;
  if (message.startsWith('no such overload')) {
    return refused(path, value, `'${message}': call arguments did not match a supported operator, function or macro signature for rule: ${textOf(rule)}`);
  }
  if (error.cause instanceof CostError) {
    return refused(path, value, `'${message}': no further validation rules will be run due to call cost exceeds limit for rule: ${textOf(rule)}`);
  }
  return refused(path, value, `${message} evaluating rule: ${textOf(rule)}`);
}
