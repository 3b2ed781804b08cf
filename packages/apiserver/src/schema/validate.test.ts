import { describe, expect, it } from 'vitest';
import { listTypeErrors } from './list-types.ts';
import type { Schema } from './schema.ts';
import { validate } from './validate.ts';

const texts = (value: unknown, schema: Schema, old?: unknown, prefix?: string): string[] =>
  validate(value, schema, old, prefix).map((error) => `${error.field}: ${error.message}`);

const wrap = (field: Schema): Schema => ({ type: 'object', properties: { f: field } });

const cases: [string, Schema, unknown, string[]][] = [
  ['a string shorter than its least length', { type: 'string', minLength: 2 }, 'a', ['f: Invalid value: "a": f in body should be at least 2 chars long']],
  ['a string longer than its limit, once', { type: 'string', maxLength: 1, pattern: '^x$' }, 'ab', ['f: Too long: may not be more than 1 byte']],
  ['length in code points', { type: 'string', maxLength: 2 }, '😀😀', []],
  ['a pattern anywhere in the text', { type: 'string', pattern: 'b' }, 'abc', []],
  ['a pattern only RE2 knows', { type: 'string', pattern: '(?i)^abc$' }, 'ABC', []],
  [
    'a pattern that would backtrack for ever',
    { type: 'string', pattern: '^(a+)+$' },
    `${'a'.repeat(60)}!`,
    [`f: Invalid value: "${'a'.repeat(60)}!": f in body should match '^(a+)+$'`],
  ],
  ['a number for a string', { type: 'string' }, 5, ['f: Invalid value: "integer": f in body must be of type string: "integer"']],
  ['a whole float for an integer', { type: 'integer' }, 3.0, []],
  [
    'an integer beyond int64 precision of doubles',
    { type: 'integer', maximum: 5 },
    9007199254740993n,
    ['f: Invalid value: 9007199254740993: f in body should be less than or equal to 5'],
  ],
  ['an integer for a number', { type: 'number' }, 3, []],
  ['a list for an object', { type: 'object' }, [], ['f: Invalid value: "array": f in body must be of type object: "array"']],
  ['null in a list', { type: 'array', items: { type: 'string' } }, [null], ['f[0]: Invalid value: "null": f[0] in body must be of type string: "null"']],
  ['null where it is allowed', { type: 'string', nullable: true }, null, []],
  ['a boolean for a formatted string', { type: 'string', format: 'date-time' }, true, ['f: Invalid value: "": f in body must be of type date-time: ""']],
  ['an enum of numbers', { type: 'integer', enum: [1, 2] }, 3, ['f: Unsupported value: 3: supported values: "1", "2"']],
  ['an exclusive maximum', { type: 'integer', maximum: 3, exclusiveMaximum: true }, 3, ['f: Invalid value: 3: f in body should be less than 3']],
  [
    'too few members, before anything else',
    { type: 'object', minProperties: 2, required: ['x'] },
    { a: 1 },
    ['f: Invalid value: 1: f in body should have at least 2 properties'],
  ],
  [
    'int-or-string beside the customary anyOf',
    { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
    true,
    ['f: Invalid value: "boolean": f in body must be of type integer,string: "boolean"'],
  ],
  [
    'allOf with one part failing',
    { type: 'integer', allOf: [{ minimum: 3 }, { maximum: 9 }] },
    1,
    ['f: Invalid value: 1: f in body should be greater than or equal to 3', '<nil>: Invalid value: "": "f" must validate all the schemas (allOf)'],
  ],
  [
    'one of the formats of days',
    { type: 'string', format: 'date' },
    '2024-02-30',
    ['f: Invalid value: "2024-02-30": f in body must be of type date: "2024-02-30"'],
  ],
];

describe('validate', () => {
  it.each(cases)('judges %s', (_name, schema, value, wanted) => {
    expect(texts({ f: value }, wrap(schema))).toEqual(wanted);
  });

  it('names members of maps and missing members of items', () => {
    const schema: Schema = { type: 'object', additionalProperties: { type: 'array', items: { type: 'object', required: ['n'] } } };
    expect(texts({ k: [{}] }, schema)).toEqual(['k[0].n: Required value']);
  });

  it('puts the prefix before the field, not into the text', () => {
    expect(texts({ f: 1 }, wrap({ type: 'string' }), undefined, 'status')).toEqual([
      'status.f: Invalid value: "integer": f in body must be of type string: "integer"',
    ]);
  });

  it('forgives what did not change, and nothing else', () => {
    const schema: Schema = { type: 'object', properties: { a: { type: 'string', maxLength: 1 }, b: { type: 'string', maxLength: 1 } } };
    expect(texts({ a: 'long', b: 'long' }, schema, { a: 'long', b: 'x' })).toEqual(['b: Too long: may not be more than 1 byte']);
  });

  it('finds the old item of a list map by its key', () => {
    const items: Schema = { type: 'object', properties: { k: { type: 'string' }, v: { type: 'integer', maximum: 1 } } };
    const schema = wrap({ type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['k'], items });
    const old = {
      f: [
        { k: 'a', v: 5 },
        { k: 'b', v: 1 },
      ],
    };
    expect(
      texts(
        {
          f: [
            { k: 'b', v: 5 },
            { k: 'a', v: 5 },
          ],
        },
        schema,
        old,
      ),
    ).toEqual(['f[0].v: Invalid value: 5: f[0].v in body should be less than or equal to 1']);
  });
});

describe('listTypeErrors', () => {
  it('compares items of sets deeply and keys with their defaults', () => {
    const set = wrap({ type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'object' } });
    expect(
      listTypeErrors(
        {
          f: [
            { a: 1, b: 2 },
            { b: 2, a: 1 },
          ],
        },
        set,
      ).map((error) => error.field),
    ).toEqual(['f[1]']);
    const ports = wrap({
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['port', 'protocol'],
      items: { type: 'object', properties: { port: { type: 'integer' }, protocol: { type: 'string', default: 'TCP' } } },
    });
    expect(listTypeErrors({ f: [{ port: 1 }, { port: 1, protocol: 'UDP' }, { port: 1, protocol: 'TCP' }] }, ports)[0]?.message).toBe(
      'Duplicate value: {"port":1,"protocol":"TCP"}',
    );
  });
});
