import { describe, expect, it } from 'vitest';
import type { Schema } from '../schema/schema.ts';
import { definitionErrors } from './definition-errors.ts';
import { defaultDefinition, initialStatus, settledStatus, updatedStatus } from './lifecycle.ts';
import type { Definition, DefinitionVersion } from './types.ts';

type Change = (definition: Definition) => void;

const aVersion = (schema: Schema = { type: 'object' }, parts: Partial<DefinitionVersion> = {}): DefinitionVersion => ({
  name: 'v1',
  served: true,
  storage: true,
  schema: { openAPIV3Schema: schema },
  ...parts,
});

function aDefinition(change: Change = () => {}): Definition {
  const definition: Definition = {
    metadata: { name: 'things.example.dev' },
    spec: { group: 'example.dev', scope: 'Namespaced', names: { plural: 'things', kind: 'Thing' }, versions: [aVersion()] },
  };
  change(definition);
  defaultDefinition(definition);
  definition.status ??= initialStatus(definition);
  return definition;
}

const withSpec =
  (spec: Schema): Change =>
  (definition) => {
    definition.spec.versions = [aVersion({ type: 'object', properties: { spec } })];
  };
const errorsOf = (change: Change): string[] =>
  definitionErrors(aDefinition(change)).map((error) => `${error.field}: ${error.message}`.replaceAll('spec.validation.openAPIV3Schema', '$$'));

const spec = '$.properties[spec]';
const rule = (text: string, field: Schema = { type: 'object', properties: { l: { type: 'array', items: { type: 'string' } } } }): Change =>
  withSpec({ ...field, 'x-kubernetes-validations': [{ rule: text }] });
const quoted = (text: string): string => `{"Rule":"${text}","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}`;

const refused: [string, Change, string[]][] = [
  [
    'a group without a dot',
    (crd) => void Object.assign(crd.spec, { group: 'dev' }),
    [
      'metadata.name: Invalid value: "things.example.dev": must be spec.names.plural+"."+spec.group',
      'spec.group: Invalid value: "dev": should be a domain with at least one dot',
    ],
  ],
  [
    'a kind that equals its list',
    (crd) => void (crd.spec.names.listKind = 'Thing'),
    ['spec.names.listKind: Invalid value: "Thing": kind and listKind may not be the same'],
  ],
  [
    'an upper-case short name',
    (crd) => void (crd.spec.names.shortNames = ['TH']),
    [expect.stringContaining('spec.names.shortNames[0]: Invalid value: "TH": a DNS-1035 label must consist of') as string],
  ],
  [
    'two versions of one name',
    (crd) => crd.spec.versions.push(aVersion(undefined, { storage: false })),
    [expect.stringMatching(/^spec\.versions: Invalid value: .*: must contain unique version names$/) as string],
  ],
  [
    'a webhook conversion without a webhook',
    (crd) => void (crd.spec.conversion = { strategy: 'Webhook' }),
    [
      'spec.conversion.webhookClientConfig: Required value: required when strategy is set to Webhook',
      'spec.conversion.conversionReviewVersions: Required value',
    ],
  ],
  [
    'a column of an unknown type',
    (crd) => void (crd.spec.versions = [aVersion(undefined, { additionalPrinterColumns: [{ name: 'A', type: 'text', jsonPath: '.spec.a' }] })]),
    ['spec.additionalPrinterColumns[0].type: Invalid value: "text": must be one of boolean,date,integer,number,string'],
  ],
  [
    'a scale path outside of spec',
    (crd) => void (crd.spec.versions = [aVersion(undefined, { subresources: { scale: { specReplicasPath: '.status.n', statusReplicasPath: '.status.n' } } })]),
    ['spec.subresources.scale.specReplicasPath: Invalid value: ".status.n": should be a json path under .spec'],
  ],
  ['a field without a type', withSpec({}), [`${spec}.type: Required value: must not be empty for specified object fields`]],
  ['an item without a type', withSpec({ type: 'array', items: {} }), [`${spec}.items.type: Required value: must not be empty for specified array items`]],
  ['a list without items', withSpec({ type: 'array' }), [`${spec}.items: Required value: must be specified`]],
  [
    'properties beside additionalProperties',
    withSpec({ type: 'object', properties: { a: { type: 'string' } }, additionalProperties: { type: 'string' } }),
    [`${spec}.additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive`],
  ],
  [
    'structure inside anyOf',
    withSpec({ type: 'object', properties: { a: { type: 'string' } }, anyOf: [{ properties: { a: { type: 'string' }, b: {} } }] }),
    [
      `${spec}.anyOf[0].properties[a].type: Forbidden: must be empty to be structural`,
      `${spec}.properties[b]: Required value: because it is defined in ${spec}.anyOf[0].properties[b]`,
    ],
  ],
  [
    'a list map whose key may be missing',
    withSpec({
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
      items: { type: 'object', properties: { k: { type: 'string' } } },
    }),
    [
      `${spec}.items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`,
    ],
  ],
  [
    'a pattern that is none',
    withSpec({ type: 'string', pattern: '(' }),
    [expect.stringContaining(`${spec}.pattern: Invalid value: "(": must be a valid regular expression, but isn't: `) as string],
  ],
  ['a default with unknown fields', withSpec({ type: 'object', default: { a: 1 } }), [`${spec}.default: Invalid value: {"a":1}: must not have unknown fields`]],
  [
    'a rule that is no condition',
    rule('self.l'),
    [`${spec}.x-kubernetes-validations[0].rule: Invalid value: ${quoted('self.l')}: cel expression must evaluate to a bool`],
  ],
  [
    'a transition rule below a list',
    withSpec({ type: 'array', maxItems: 3, items: { type: 'integer', 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] } }),
    [
      `${spec}.items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within ${spec}`,
    ],
  ],
  [
    'a message of several lines',
    withSpec({ type: 'string', 'x-kubernetes-validations': [{ rule: 'true', message: 'a\nb' }] }),
    [`${spec}.x-kubernetes-validations[0].message: Invalid value: "a\\nb": message must not contain line breaks`],
  ],
  [
    'a fieldPath that leads nowhere',
    withSpec({ type: 'object', 'x-kubernetes-validations': [{ rule: 'true', fieldPath: '.a' }] }),
    [`${spec}.x-kubernetes-validations[0].fieldPath: Invalid value: ".a": fieldPath must be a valid path: does not refer to a valid field`],
  ],
  [
    'a protected group without approval',
    (crd) => void (Object.assign(crd.spec, { group: 'x.k8s.io' }), (crd.metadata.name = 'things.x.k8s.io')),
    [
      'metadata.annotations[api-approved.kubernetes.io]: Required value: protected groups must have approval annotation "api-approved.kubernetes.io", see https://github.com/kubernetes/enhancements/pull/1111',
    ],
  ],
];

describe('definitionErrors', () => {
  it('accepts a sound definition', () => {
    expect(errorsOf(() => {})).toEqual([]);
  });

  it.each(refused)('refuses %s', (_name, change, wanted) => {
    expect(errorsOf(change)).toEqual(wanted);
  });

  it('refuses rules that may cost too much, and takes them when the schema sets limits', () => {
    const costly = 'self.l.all(a, self.l.all(b, a != b))';
    expect(errorsOf(rule(costly))[0]).toContain(
      'Forbidden: estimated rule cost exceeds budget by factor of more than 100x (try simplifying the rule, or adding maxItems, maxProperties, and maxLength',
    );
    expect(errorsOf(rule(costly, { type: 'object', properties: { l: { type: 'array', maxItems: 10, items: { type: 'string', maxLength: 10 } } } }))).toEqual(
      [],
    );
  });

  it('keeps the schemas of differing versions at their own paths', () => {
    const errors = errorsOf(
      (crd) => void (crd.spec.versions = [aVersion(), aVersion({ type: 'object', properties: { a: {} } }, { name: 'v2', storage: false })]),
    );
    expect(errors).toEqual(['spec.versions[1].schema.openAPIV3Schema.properties[a].type: Required value: must not be empty for specified object fields']);
  });

  it('lets group and plural never change, scope and kind not once established', () => {
    const old = aDefinition();
    const next = aDefinition((crd) => void Object.assign(crd.spec, { scope: 'Cluster', group: 'other.dev' }));
    expect(definitionErrors(next, old).map((error) => error.field)).toEqual(['spec.group']);
    old.status = settledStatus(old, [], '2024-01-01T00:00:00Z');
    expect(definitionErrors(next, old).map((error) => error.field)).toEqual(['spec.scope', 'spec.group']);
  });
});

describe('the life of a definition', () => {
  const now = '2024-01-01T00:00:00Z';

  it('is established at once when its names are free', () => {
    const status = settledStatus(aDefinition(), [], now);
    expect(status.conditions?.map(({ type, status: value, reason }) => [type, value, reason])).toEqual([
      ['NamesAccepted', 'True', 'NoConflicts'],
      ['Established', 'True', 'InitialNamesAccepted'],
    ]);
    expect(status.acceptedNames).toEqual({ plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' });
  });

  it('waits while another definition has its kind, and keeps its times while nothing changes', () => {
    const first = aDefinition();
    first.status = settledStatus(first, [], now);
    const second = aDefinition(
      (crd) =>
        void (Object.assign(crd.metadata, { name: 'others.example.dev' }),
        (crd.spec.names = { plural: 'others', kind: 'Thing', singular: 'other', listKind: 'OtherList' })),
    );
    second.status = settledStatus(second, [first, second], now);
    expect(second.status.conditions?.[0]).toMatchObject({
      type: 'NamesAccepted',
      status: 'False',
      reason: 'KindConflict',
      message: '"Thing" is already in use',
    });
    expect(second.status.conditions?.[1]).toMatchObject({ status: 'False', reason: 'NotAccepted' });
    expect(settledStatus(second, [first, second], '2030-01-01T00:00:00Z')).toEqual(second.status);
    expect(settledStatus(second, [second], '2030-01-01T00:00:00Z').conditions?.[1]).toMatchObject({
      status: 'True',
      lastTransitionTime: '2030-01-01T00:00:00Z',
    });
  });

  it('remembers every version that objects were stored in', () => {
    const old = aDefinition();
    const next = aDefinition((crd) => void (crd.spec.versions = [aVersion(undefined, { storage: false }), aVersion(undefined, { name: 'v2' })]));
    expect(updatedStatus(next, old).storedVersions).toEqual(['v1', 'v2']);
  });
});
