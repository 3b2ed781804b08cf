import { describe, expect, it } from 'vitest';
import { builtinKind, builtinType, pages } from './catalogue.ts';
import { normalize } from './normalize.ts';
import { parseField } from './notation.ts';

interface Model {
  getAttributeTypeMap(): { baseName: string; type: string; format: string }[];
}

const names = [...pages].flatMap(([page, { types }]) => Object.keys(types).map((type) => `${page}.${type}`));

// Kinds whose JSON the client shows by other models, or not at all.
const WITHOUT_MODEL = new Set(['apiextensions.v1.CustomResourceSubresourceStatus', 'meta.v1.ListMeta', 'meta.v1.ShardInfo']);

describe('the pages of built-in types', () => {
  it('have exactly the fields that the OpenAPI document of Kubernetes has', async () => {
    const models = (await import('@kubernetes/client-node')) as unknown as Record<string, Model | undefined>;
    const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
    let compared = 0;
    for (const name of names) {
      const [group = '', version = '', type = ''] = name.split('.');
      const model = models[`${capital(group)}${capital(version)}${type}`] ?? models[`${capital(version)}${type}`];
      if (WITHOUT_MODEL.has(name) || model === undefined) continue;
      const wanted = model.getAttributeTypeMap().map((attribute) => attribute.baseName);
      expect(Object.keys(builtinType(name).schema.properties ?? {}).sort(), name).toEqual(wanted.sort());
      compared++;
    }
    expect(compared).toBeGreaterThan(300);
  });

  it('refer to types that exist, all the way down', () => {
    for (const name of names) for (const property of Object.values(builtinType(name).schema.properties ?? {})) expect(property).toBeTypeOf('object');
  });

  it('give no number on the wire twice in a type', () => {
    for (const name of names) {
      const numbers = [...builtinType(name).fields.values()].filter((field) => field.wire.length > 0).map((field) => field.wire.join('/'));
      expect(new Set(numbers).size, name).toBe(numbers.length);
    }
  });

  it('say how lists merge', () => {
    const containers = builtinKind('v1', 'Pod')?.schema.properties?.['spec']?.properties?.['containers'];
    expect(containers).toMatchObject({
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
      'x-kubernetes-patch-merge-key': 'name',
      'x-kubernetes-patch-strategy': 'merge',
    });
  });

  it('refuse flags that the notation does not have', () => {
    expect(() => parseField('a', '1 string optionl')).toThrow('unknown flag optionl');
  });
});

describe('normalize', () => {
  it('drops what a Go type would not write', () => {
    const claim = {
      metadata: { name: 'a', labels: {}, annotations: null },
      spec: { accessModes: [], volumeName: '', storageClassName: '', resources: { requests: {} } },
    };
    normalize(claim as Record<string, unknown>, builtinKind('v1', 'PersistentVolumeClaim')!);
    expect(claim).toEqual({ metadata: { name: 'a' }, spec: { storageClassName: '', resources: {} } });
  });
});
