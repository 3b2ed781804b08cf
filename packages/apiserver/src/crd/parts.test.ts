import { describe, expect, it } from 'vitest';
import { age, cellReader } from './columns.ts';
import { convert } from './conversion.ts';
import { findAll, parsePath } from './json-path.ts';
import { scaleErrors, scaleOf, withScale } from './scale.ts';
import { selectableFieldErrors, selectableValue } from './selectable-fields.ts';
import type { Definition } from './types.ts';

const object = {
  apiVersion: 'example.dev/v1',
  kind: 'Thing',
  metadata: { name: 'a', labels: { 'app.kubernetes.io/name': 'x' } },
  spec: { list: [{ n: 1 }, { n: 2 }], replicas: 3, on: true },
  status: {
    conditions: [
      { type: 'A', status: 'False' },
      { type: 'Ready', status: 'True' },
    ],
    replicas: 2,
  },
};

describe('findAll', () => {
  it.each([
    ['.spec.list[0].n', [1]],
    ['.spec.list[-1].n', [2]],
    ['.spec.list[*].n', [1, 2]],
    ['.spec.list[0:1].n', [1]],
    ['.spec.none.deep', []],
    [".metadata.labels['app.kubernetes.io/name']", ['x']],
    ['.metadata.labels.app\\.kubernetes\\.io/name', ['x']],
    ['.status.conditions[?(@.type=="Ready")].status', ['True']],
    ['.spec.list[?(@.n>1)].n', [2]],
    ['..n', [1, 2]],
  ])('finds %s', (path, wanted) => {
    expect(findAll(parsePath(path), object)).toEqual(wanted);
  });

  it('refuses what is no path', () => {
    expect(() => parsePath('.a[')).toThrow('unterminated array');
    expect(() => parsePath('.a[b]')).toThrow('invalid array index');
  });
});

describe('printer columns', () => {
  it.each([
    ['integer', '.spec.replicas', 3],
    ['integer', '.metadata.name', null],
    ['string', '.spec.replicas', '3'],
    ['string', '.spec.list', '[{"n":1},{"n":2}]'],
    ['boolean', '.spec.on', true],
    ['date', '.metadata.name', '<invalid>'],
    ['string', '.spec.missing', null],
  ])('show as %s what %s has', (type, jsonPath, wanted) => {
    expect(cellReader({ type, jsonPath })(object, 0)).toBe(wanted);
  });

  it.each([
    [0, '0s'],
    [119_000, '119s'],
    [121_000, '2m1s'],
    [600_000, '10m'],
    [3 * 3_600_000, '3h'],
    [3 * 3_600_000 + 60_000, '3h1m'],
    [47 * 3_600_000, '47h'],
    [3 * 86_400_000 + 3_600_000, '3d1h'],
    [800 * 86_400_000, '2y70d'],
    [-5000, '<invalid>'],
  ])('tell the age of %d ms', (ms, wanted) => {
    expect(age(ms)).toBe(wanted);
  });
});

describe('scale', () => {
  const paths = { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' };

  it('shows the replicas of an object and takes new ones', () => {
    expect(scaleOf(object, paths)).toMatchObject({ kind: 'Scale', metadata: { name: 'a' }, spec: { replicas: 3 }, status: { replicas: 2 } });
    const next = withScale({ ...object, spec: {} }, { spec: { replicas: 7 } }, paths);
    expect(next['spec']).toEqual({ replicas: 7 });
    expect(scaleErrors({ spec: { replicas: -1 } }, paths)).toEqual([
      { reason: 'FieldValueInvalid', field: '.spec.replicas', message: 'Invalid value: -1: should be a non-negative integer' },
    ]);
  });
});

describe('selectable fields', () => {
  it('are simple paths to scalars outside of metadata', () => {
    const schema = {
      openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { c: { type: 'string' }, o: { type: 'object' } } } } },
    };
    const fields = ['.spec.c', '.spec.c', '.spec.o', '.spec.none', '.spec.c[0]'].map((jsonPath) => ({ jsonPath }));
    const errors = selectableFieldErrors({ name: 'v1', served: true, storage: true, schema, selectableFields: fields }, 'p');
    expect(errors.map((error) => error.field)).toEqual(['p[1].jsonPath', 'p[2].jsonPath', 'p[3].jsonPath', 'p[4].jsonPath']);
    expect(selectableValue('.spec.replicas', object)).toBe('3');
    expect(selectableValue('.spec.none', object)).toBe('');
  });
});

describe('convert', () => {
  const definition = (conversion: Definition['spec']['conversion']): Definition => ({
    metadata: { name: 'things.example.dev' },
    spec: {
      group: 'example.dev',
      scope: 'Namespaced',
      names: { plural: 'things', kind: 'Thing' },
      versions: [],
      ...(conversion === undefined ? {} : { conversion }),
    },
  });
  const webhook = { strategy: 'Webhook', webhook: { clientConfig: { url: 'https://x' }, conversionReviewVersions: ['v1'] } };
  const never = (): Promise<unknown> => Promise.reject(new Error('must not be called'));

  it('changes apiVersion only where there is no webhook, and nothing where the version is right', async () => {
    expect(await convert([object], definition({ strategy: 'None' }), 'v2', never)).toEqual([{ ...object, apiVersion: 'example.dev/v2' }]);
    expect((await convert([object], definition(webhook), 'v1', never))[0]).toBe(object);
  });

  it('asks the webhook, and lets it change labels and annotations but no other metadata', async () => {
    const call = (_webhook: object, review: Record<string, unknown>): Promise<unknown> => {
      const { uid, objects, desiredAPIVersion } = review['request'] as { uid: string; objects: (typeof object)[]; desiredAPIVersion: string };
      const convertedObjects = objects.map((one) => ({
        ...one,
        apiVersion: desiredAPIVersion,
        metadata: { ...one.metadata, labels: { l: '1' }, finalizers: ['x'] },
        spec: { converted: true },
      }));
      return Promise.resolve({ response: { uid, result: { status: 'Success' }, convertedObjects } });
    };
    const [converted] = await convert([object], definition(webhook), 'v2', call);
    expect(converted).toMatchObject({ apiVersion: 'example.dev/v2', spec: { converted: true }, metadata: { name: 'a', labels: { l: '1' } } });
    expect(converted?.['metadata']).not.toHaveProperty('finalizers');
  });

  it.each([
    ['no answer', {}, 'the answer has no response with the uid'],
    ['a failure', { response: { result: { status: 'Failure', message: 'cannot' } } }, 'cannot'],
    ['too few objects', { response: { result: { status: 'Success' }, convertedObjects: [] } }, 'expected 1 converted objects, but received 0'],
  ])('fails with the webhook for %s', async (_name, answer, wanted) => {
    const call = (_webhook: object, review: Record<string, unknown>): Promise<unknown> => {
      const { uid } = review['request'] as { uid: string };
      const response = (answer as { response?: object }).response;
      return Promise.resolve(response === undefined ? {} : { response: { uid, ...response } });
    };
    await expect(convert([object], definition(webhook), 'v2', call)).rejects.toThrow(`conversion webhook for example.dev/v1, Kind=Thing failed: ${wanted}`);
  });
});
