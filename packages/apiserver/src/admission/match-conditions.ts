// CEL expressions that say whether a webhook wants a request.
// Source: k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions.
import { compile, type Program } from '../cel/compile.ts';
import { library } from '../cel/library/index.ts';
import { DYN } from '../cel/types.ts';
import { adapt } from '../cel/values.ts';

const COST_LIMIT = 2_500_000;
const VARIABLES = ['object', 'oldObject', 'request'].map((name) => [name, DYN] as const);

const programs = new Map<string, Program>();
const PROGRAMS_MAX = 1_000;

/** @throws CompileError */
export function compileCondition(expression: string): Program {
  let program = programs.get(expression);
  if (program === undefined) {
    program = compile(expression.trim(), VARIABLES, library);
    if (programs.size >= PROGRAMS_MAX) programs.clear();
    programs.set(expression, program);
  }
  return program;
}

export type Verdict = { readonly kind: 'matches' } | { readonly kind: 'differs' } | { readonly kind: 'failed'; readonly why: string };

/** A condition that is false decides; else one that cannot be evaluated does. */
export function matchConditions(conditions: readonly { expression?: string }[], input: { object: unknown; oldObject: unknown; request: unknown }): Verdict {
  const values = [input.object ?? null, input.oldObject ?? null, input.request].map((value) => adapt(value, DYN));
  const failures: string[] = [];
  for (const { expression = '' } of conditions) {
    try {
      const { value } = compileCondition(expression).evaluate(values, COST_LIMIT);
      if (value !== true) return { kind: 'differs' };
    } catch (error) {
      failures.push(`expression '${expression}' resulted in error: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return failures.length === 0 ? { kind: 'matches' } : { kind: 'failed', why: failures.join(', ') };
}
