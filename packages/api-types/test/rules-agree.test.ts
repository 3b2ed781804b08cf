// Every rule is written twice, as CEL and as a predicate. Here both are evaluated over generated objects of every
// kind and version, pairs of old and new, and must say the same.
import { Environment } from '@marcbachmann/cel-js';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { snapshotCrds, snapshotKinds, validateAny, type KubeObject, type Rule, type Schema } from '@snapshot-stack/api-types';

interface OpenApi {
  type: string;
  enum?: string[];
  format?: string;
  pattern?: string;
  properties?: Record<string, OpenApi>;
  required?: string[];
  items?: OpenApi;
  additionalProperties?: OpenApi;
  'x-kubernetes-validations'?: { rule: string; message: string }[];
}

const environment = new Environment({ enableOptionalTypes: true, unlistedVariablesAreDyn: true });
const compiled = new Map<string, (context: object) => unknown>();
const verdicts = new Set<string>();

function evaluate(rule: string, context: object): boolean {
  const program = compiled.get(rule) ?? environment.parse(rule);
  compiled.set(rule, program);
  try {
    return program(context) === true;
  } catch {
    return false; // The API server takes an evaluation error for a broken rule.
  }
}

// Few different values, so that old and new are often equal; the empty string among them.
function valuesOf(schema: OpenApi): fc.Arbitrary<unknown> {
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.format === 'date-time') return fc.constant('2024-01-02T03:04:05Z');
  if (schema.pattern) return fc.constantFrom('1Gi', '5');
  if (schema.type === 'string') return fc.constantFrom('', 'a', 'b');
  if (schema.type === 'integer') return fc.constantFrom(0, 7);
  if (schema.type === 'boolean') return fc.boolean();
  if (schema.items) return fc.array(valuesOf(schema.items), { maxLength: 2 });
  if (schema.additionalProperties) return fc.dictionary(fc.constantFrom('a', 'b'), valuesOf(schema.additionalProperties), { noNullPrototype: true });
  const members = Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, member]) => [name, valuesOf(member)]));
  return fc.record(members, { requiredKeys: schema.required ?? [], noNullPrototype: true });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

// CEL in Kubernetes sees reserved words with underscores around them.
function escaped(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(escaped);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name === 'namespace' ? '__namespace__' : name, escaped(member)]));
}

function celViolations(schema: OpenApi, self: unknown, old: unknown, path: string[]): string[] {
  const broken = (schema['x-kubernetes-validations'] ?? [])
    .filter(({ rule }) => !rule.includes('oldSelf') || old !== undefined)
    .filter(({ rule, message }) => {
      const holds = evaluate(rule, { self: escaped(self), oldSelf: escaped(old) });
      verdicts.add(`${message} -> ${holds}: ${rule}`);
      return !holds;
    })
    .map(({ message }) => `${path.join('.')}: ${message}`);
  const inner = Object.entries(schema.properties ?? {}).flatMap(([name, member]) => {
    if (!isObject(self) || self[name] === undefined) return [];
    return celViolations(member, self[name], isObject(old) ? old[name] : undefined, [...path, name]);
  });
  return [...broken, ...inner];
}

const versions = snapshotCrds().flatMap((crd) =>
  crd.spec.versions.map((version) => ({
    kind: crd.spec.names.kind,
    apiVersion: `${crd.spec.group}/${version.name}`,
    schema: version.schema.openAPIV3Schema as unknown as OpenApi,
  })),
);

describe.each(versions)('$apiVersion $kind', ({ kind, apiVersion, schema }) => {
  it('gives the same verdict by CEL and by TypeScript', () => {
    const { spec, status, driver, deletionPolicy, parameters } = schema.properties ?? {};
    const members = Object.entries({ spec, status, driver, deletionPolicy, parameters }).filter((entry): entry is [string, OpenApi] => entry[1] !== undefined);
    const body: OpenApi = { type: 'object', properties: Object.fromEntries(members), required: schema.required ?? [] };
    const object = valuesOf(body).map((value) => ({ apiVersion, kind, metadata: { name: 'x' }, ...(value as object) }));
    fc.assert(
      fc.property(object, fc.option(object, { nil: undefined }), (self: KubeObject, old: KubeObject | undefined) => {
        const ours = validateAny(self, old)?.map(({ field, message }) => `${field}: ${message}`);
        expect(ours).toEqual(celViolations(schema, self, old, []));
      }),
      { numRuns: 400 },
    );
  });
});

it('met both verdicts of every rule on the way', () => {
  const everyRule = snapshotKinds
    .flatMap((kind) => kind.versions.flatMap((version) => Object.values(version.members)))
    .flatMap(rulesOf)
    .flatMap(({ cel, message }) => [`${message} -> true: ${cel}`, `${message} -> false: ${cel}`]);
  expect([...verdicts].toSorted()).toEqual([...new Set(everyRule)].toSorted());
});

function rulesOf(schema: Schema): readonly Rule[] {
  return [...(schema.rules ?? []), ...Object.values(schema.properties ?? {}).flatMap(rulesOf)];
}
