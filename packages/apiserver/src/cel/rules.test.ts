import { describe, expect, it } from 'vitest';
import type { Schema, ValidationRule } from '../schema/schema.ts';
import { ruleErrors } from './rules.ts';

const withRules = (field: Schema, ...rules: ValidationRule[]): Schema => ({
  type: 'object',
  properties: { f: { ...field, 'x-kubernetes-validations': rules } },
});
const texts = (value: unknown, schema: Schema, old?: unknown): string[] =>
  ruleErrors({ f: value }, schema, old === undefined ? undefined : { f: old }).map((error) => `${error.reason} ${error.field}: ${error.message}`);

describe('ruleErrors', () => {
  it('quotes scalars but not objects', () => {
    expect(texts('x', withRules({ type: 'string' }, { rule: "self == 'y'", message: 'must be y' }))).toEqual([
      'FieldValueInvalid f: Invalid value: "x": must be y',
    ]);
    const object = withRules(
      { type: 'object', properties: { a: { type: 'integer' } } },
      { rule: 'self.a > 1', fieldPath: '.a', reason: 'FieldValueForbidden' },
    );
    expect(texts({ a: 1 }, object)).toEqual(['FieldValueForbidden f.a: Forbidden: failed rule: self.a > 1']);
  });

  it('runs transition rules on updates only, and forgives unchanged values to the others', () => {
    const fixed = withRules({ type: 'string' }, { rule: 'self == oldSelf', message: 'fixed' });
    expect(texts('a', fixed)).toEqual([]);
    expect(texts('a', fixed, 'b')).toEqual(['FieldValueInvalid f: Invalid value: "a": fixed']);
    const strict = withRules({ type: 'string' }, { rule: "self == 'ok'", message: 'no' });
    expect(texts('bad', strict, 'bad')).toEqual([]);
    expect(texts('bad', strict, 'worse')).toHaveLength(1);
  });

  it('gives an optional old value to rules that ask for one', () => {
    const schema = withRules({ type: 'integer' }, { rule: 'self >= oldSelf.orValue(self)', optionalOldSelf: true, message: 'may only grow' });
    expect(texts(1, schema)).toEqual([]);
    expect(texts(1, schema, 2)).toEqual(['FieldValueInvalid f: Invalid value: 1: may only grow']);
  });

  it('falls back to the message when the messageExpression fails', () => {
    const schema = withRules(
      { type: 'array', items: { type: 'string' } },
      { rule: 'size(self) > 5', message: 'too few', messageExpression: "'first is ' + self[0]" },
    );
    expect(texts(['a'], schema)).toEqual(['FieldValueInvalid f: Invalid value: first is a']);
    expect(texts([], schema)).toEqual(['FieldValueInvalid f: Invalid value: too few']);
  });

  it('tells an evaluation that failed with its rule', () => {
    expect(texts(0, withRules({ type: 'integer' }, { rule: '10 / self > 1' }))).toEqual([
      'FieldValueInvalid f: Invalid value: 0: division by zero evaluating rule: 10 / self > 1',
    ]);
  });

  it('stops at the budget of one rule and says so', () => {
    const list: Schema = { type: 'array', items: { type: 'integer' } };
    const schema = withRules(list, { rule: 'self.all(a, self.all(b, a + b >= 0))' }, { rule: 'false' });
    const [error, ...others] = texts(
      Array.from({ length: 2000 }, (_, index) => index),
      schema,
    );
    expect(error).toContain(
      "'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule",
    );
    expect(others).toEqual([]);
  });
});
