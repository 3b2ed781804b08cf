import { describe, expect, it } from 'vitest';
import { builtinResources } from '../builtin/resources.ts';
import type { ResourceDefinition } from '../registry/resource.ts';
import { OpenApi } from './document.ts';

type Document = { paths: Record<string, Record<string, unknown>>; components: { schemas: Record<string, Record<string, unknown>> } };

const gadgets: ResourceDefinition = {
  group: 'example.dev',
  version: 'v1',
  plural: 'gadgets',
  singular: 'gadget',
  kind: 'Gadget',
  listKind: 'GadgetList',
  shortNames: [],
  categories: [],
  namespaced: true,
  verbs: ['get', 'list'],
  selectableFields: [],
  columns: [],
  schema: { type: 'object', properties: { spec: { type: 'object', description: 'what is wanted' } } },
  custom: true,
  subresources: [],
  strategy: { hasStatus: true, hasGeneration: true },
};

const parse = (text: string | undefined): Document => JSON.parse(text ?? '{}') as Document;

describe('OpenApi', () => {
  it('lists a document for each group and version, with a hash that changes with it', async () => {
    let served = [...builtinResources, gadgets];
    const openApi = new OpenApi(() => served);
    const url = async (): Promise<string> =>
      ((await openApi.index()) as { paths: Record<string, { serverRelativeURL: string }> }).paths['apis/example.dev/v1']?.serverRelativeURL ?? '';
    const first = await url();
    expect(first).toMatch(/^\/openapi\/v3\/apis\/example\.dev\/v1\?hash=[0-9A-F]{128}$/);
    expect(await url()).toBe(first);
    served = [...builtinResources, { ...gadgets, schema: { type: 'object' } }];
    expect(await url()).not.toBe(first);
  });

  it('describes custom resources with their own words and the fields that all objects have', async () => {
    const { components, paths } = parse(await new OpenApi(() => [gadgets]).document('apis/example.dev/v1'));
    const schema = components.schemas['dev.example.v1.Gadget'];
    expect(schema).toMatchObject({
      properties: { spec: { description: 'what is wanted' }, kind: { type: 'string' } },
      'x-kubernetes-group-version-kind': [{ group: 'example.dev', kind: 'Gadget', version: 'v1' }],
    });
    expect(paths['/apis/example.dev/v1/namespaces/{namespace}/gadgets/{name}']?.['patch']).toMatchObject({ 'x-kubernetes-action': 'patch' });
    expect(components.schemas['io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta']).toBeDefined();
  });

  it('has every schema that a document refers to', async () => {
    const openApi = new OpenApi(() => [...builtinResources, gadgets]);
    const { paths } = (await openApi.index()) as { paths: Record<string, unknown> };
    for (const path of Object.keys(paths)) {
      const text = (await openApi.document(path)) ?? '';
      const { schemas } = parse(text).components;
      for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)) expect(schemas, `${path} ${name}`).toHaveProperty([name]);
    }
  });

  it('gives strategic merge keys and descriptions of built-in kinds', async () => {
    const { components } = parse(await new OpenApi(() => builtinResources).document('api/v1'));
    const spec = components.schemas['io.k8s.api.core.v1.PodSpec'] as { properties: Record<string, Record<string, unknown>> };
    expect(spec.properties['containers']).toMatchObject({
      'x-kubernetes-patch-merge-key': 'name',
      description: expect.stringContaining('List of containers') as string,
    });
  });
});
