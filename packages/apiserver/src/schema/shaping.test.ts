import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { builtinKind } from '../builtin/schemas/catalogue.ts';
import { applyDefaults } from './defaults.ts';
import { duplicateFields } from './duplicate-fields.ts';
import { prune } from './prune.ts';
import type { JsonObject, Schema } from './schema.ts';
import { decodeFault, unknownFields } from './strict.ts';

const object = (text: string): JsonObject => JSON.parse(text) as JsonObject;

describe('prune', () => {
  const schema: Schema = {
    type: 'object',
    properties: {
      list: { type: 'array', items: { type: 'object', properties: { a: { type: 'string' } } } },
      free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { known: { type: 'object', properties: {} } } },
      map: { type: 'object', additionalProperties: { type: 'object', properties: {} } },
      embedded: { type: 'object', 'x-kubernetes-embedded-resource': true, properties: {} },
    },
  };

  it('drops unknown members at every depth and tells their paths in order', () => {
    const value = object('{"apiVersion":"v1","metadata":{"x":1},"z":1,"list":[{"a":"1"},{"b":2}],"map":{"k":{"c":1}}}');
    expect(prune(value, schema)).toEqual(['list[1].b', 'map.k.c', 'z']);
    expect(value).toEqual({ apiVersion: 'v1', metadata: { x: 1 }, list: [{ a: '1' }, {}], map: { k: {} } });
  });

  it('keeps what is preserved, but not below a property that the schema knows', () => {
    const value = object('{"free":{"any":{"deep":1},"known":{"x":1}},"embedded":{"kind":"K","other":1}}');
    expect(prune(value, schema)).toEqual(['embedded.other', 'free.known.x']);
  });

  it('takes __proto__ for a name like any other', () => {
    const value = object('{"__proto__":{"polluted":true},"list":[]}');
    expect(prune(value, schema)).toEqual(['__proto__']);
    expect(({} as JsonObject)['polluted']).toBeUndefined();
  });
});

describe('applyDefaults', () => {
  it('fills what is missing or null, in new objects too, and drops other nulls', () => {
    const schema: Schema = {
      type: 'object',
      properties: {
        a: { type: 'string', default: 'x' },
        o: { type: 'object', default: {}, properties: { n: { type: 'integer', default: 3 } } },
        nullable: { type: 'string', nullable: true, default: 'd' },
        bare: { type: 'string' },
      },
    };
    const value: JsonObject = { a: null, nullable: null, bare: null };
    applyDefaults(value, schema);
    expect(value).toEqual({ a: 'x', o: { n: 3 }, nullable: null });
    (value['o'] as JsonObject)['n'] = 9;
    const other: JsonObject = {};
    applyDefaults(other, schema);
    expect(other['o']).toEqual({ n: 3 });
  });
});

describe('duplicateFields', () => {
  it('finds names that occur twice, through lists, strings and escapes', () => {
    expect(duplicateFields('{"a":{"b":1,"b":[{"c":"}\\"","d":2,"c":3}]},"e\\u0041":1,"eA":2}')).toEqual(['a.b', 'a.b[0].c', 'eA']);
  });

  it('finds none in what JSON.stringify writes', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => duplicateFields(JSON.stringify(value)).length === 0));
  });
});

describe('strict decoding of built-in types', () => {
  const pod = builtinKind('v1', 'Pod')!.schema;

  it('drops unknown fields of a Pod and tells where they were', () => {
    const value = object('{"spec":{"containers":[{"name":"a","immage":"b"}],"volumes":[{"name":"v","emptyDir":{"x":1}}]}}');
    expect(unknownFields(value, pod)).toEqual(['spec.containers[0].immage', 'spec.volumes[0].emptyDir.x']);
  });

  it('names the first value that Go could not decode', () => {
    expect(decodeFault({ spec: { containers: [{ name: 5 }] } }, pod, 'Pod')).toBe(
      'json: cannot unmarshal number into Go struct field Pod.spec.containers.name of type string',
    );
    expect(decodeFault({ metadata: { labels: { a: true } } }, pod, 'Pod')).toBe(
      'json: cannot unmarshal bool into Go struct field Pod.metadata.labels of type string',
    );
    expect(decodeFault({ spec: { containers: [{ name: 'a', resources: { requests: { cpu: 1, memory: '1Gi' } } }] } }, pod, 'Pod')).toBeUndefined();
  });
});
