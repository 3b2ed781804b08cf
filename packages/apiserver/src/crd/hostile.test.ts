// Whatever a client sends as a definition, a rule or an object is answered, never an unexpected failure.
import type { KubeObject } from '@snapshot-stack/api-types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { builtinKind } from '../builtin/schemas/catalogue.ts';
import { normalize } from '../builtin/schemas/normalize.ts';
import { EvaluationFailure, compile } from '../cel/compile.ts';
import { CompileError } from '../cel/issues.ts';
import { library } from '../cel/library/index.ts';
import { celTypeOf } from '../cel/schema-type.ts';
import type { JsonObject, Schema } from '../schema/schema.ts';
import { isObject } from '../schema/schema.ts';
import { decodeFault } from '../schema/strict.ts';
import { validate } from '../schema/validate.ts';
import { admitToSchema, instanceErrors } from './instance.ts';
import { definitionStrategy } from './strategy.ts';

const definitionType = builtinKind('apiextensions.k8s.io/v1', 'CustomResourceDefinition')!;
const definitionSchema = definitionType.schema;

// Values that fit a schema of a built-in type, with members left out at will.
function fitting(schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const { type, properties, additionalProperties, items } = schema;
  if (depth === 0 || type === undefined) return fc.constantFrom<unknown>('x', 1, true, {}, [], null);
  if (type === 'array') return fc.array(items === undefined ? fc.jsonValue() : fitting(items, depth - 1), { maxLength: 2 });
  if (type === 'object' && properties !== undefined) {
    const members = Object.entries(properties).map(([name, property]): [string, fc.Arbitrary<unknown>] => [
      name,
      fc.option(fitting(property, depth - 1), { nil: null }),
    ]);
    return fc.record(Object.fromEntries(members)).map((object) => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)));
  }
  if (type === 'object')
    return fc.dictionary(
      fc.constantFrom('a', 'spec', '__proto__', 'metadata'),
      typeof additionalProperties === 'object' ? fitting(additionalProperties, depth - 1) : fc.jsonValue(),
      { maxKeys: 2 },
    );
  if (type === 'boolean') return fc.boolean();
  if (type === 'integer' || type === 'number') return fc.integer({ min: -3, max: 10 });
  return fc.constantFrom('', 'object', 'array', 'string', 'integer', 'v1', 'things', 'self.a == 1', '.spec.a', 'map', '(', 'x-y');
}

describe('hostile input', () => {
  it('of definitions is judged, never a failure of the server', () => {
    const spec = definitionSchema.properties?.['spec'] ?? {};
    fc.assert(
      fc.property(fc.option(fitting(spec, 6), { nil: undefined }), (value) => {
        const object = {
          apiVersion: 'apiextensions.k8s.io/v1',
          kind: 'CustomResourceDefinition',
          metadata: { name: 'things.x.dev' },
          ...(value === undefined ? {} : { spec: value }),
        };
        if (decodeFault(object, definitionSchema, 'CustomResourceDefinition') !== undefined) return;
        normalize(object, definitionType);
        const crd = object as unknown as KubeObject;
        definitionStrategy.prepareCreate?.(crd, '2024-01-01T00:00:00Z');
        expect(definitionStrategy.validate?.(crd, undefined)).toBeInstanceOf(Array);
      }),
      { numRuns: 300 },
    );
  });

  it('of rules is compiled or refused, and evaluated or failed', () => {
    const schema: Schema = {
      type: 'object',
      properties: {
        a: { type: 'string' },
        n: { type: 'integer' },
        l: { type: 'array', items: { type: 'integer' } },
        q: { 'x-kubernetes-int-or-string': true },
      },
    };
    const tokens = [
      'self',
      '.a',
      '.n',
      '.l',
      '.q',
      '[0]',
      ' + ',
      ' == ',
      ' && ',
      ' in ',
      '(',
      ')',
      '1',
      '"x"',
      '.all(x, ',
      'x > 0',
      ')',
      '!',
      ' ? ',
      ' : ',
      'size(',
      '.matches("a+")',
      '[',
      ']',
      ',',
      '.orValue(1)',
      '.?a',
      'null',
      '{',
      '}',
      ' % ',
      '-',
      'duration("x")',
      'quantity("1")',
      '.map(y, y)',
      'has(',
    ];
    const type = celTypeOf(schema)!;
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...tokens), { maxLength: 8 }), (parts) => {
        try {
          compile(parts.join(''), [['self', type]], library).evaluate([{ a: 'x', n: 1, l: [1, 2], q: '5' }], 10_000);
        } catch (error) {
          if (!(error instanceof CompileError || error instanceof EvaluationFailure)) throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('of objects is pruned, defaulted and judged by any schema', () => {
    const schema: Schema = {
      type: 'object',
      properties: {
        spec: {
          type: 'object',
          properties: {
            a: { type: 'string', default: 'd' },
            l: {
              type: 'array',
              'x-kubernetes-list-type': 'map',
              'x-kubernetes-list-map-keys': ['k'],
              items: { type: 'object', properties: { k: { type: 'string' } } },
            },
          },
        },
        status: { type: 'object', additionalProperties: { type: 'integer' } },
      },
    };
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), fc.constantFrom('spec', 'status', '__proto__', 'x'), (value, before, name) => {
        const object = JSON.parse(JSON.stringify({ kind: 'K', [name]: value, spec: value })) as JsonObject;
        const old = isObject(before) ? (before as JsonObject) : undefined;
        admitToSchema(object, schema);
        expect(instanceErrors({ schema, object, old })).toBeInstanceOf(Array);
        expect(validate(object, schema, object)).toEqual([]);
        expect(({} as JsonObject)['polluted']).toBeUndefined();
      }),
      { numRuns: 1000 },
    );
  });
});
