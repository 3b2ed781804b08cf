import type { KubeObject } from '@snapshot-stack/api-types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ResourceDefinition } from '../registry/resource.ts';
import type { Schema } from '../schema/schema.ts';
import { StatusError } from '../status.ts';
import { difference, equalSets, formatFields, intersection, isEmpty, parseFields, union, type FieldSet } from './field-set.ts';
import { ManagedFields } from './managed-fields.ts';

const schema: Schema = {
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        size: { type: 'integer' },
        color: { type: 'string' },
        labels: { type: 'object', additionalProperties: { type: 'string' } },
        whole: { type: 'object', 'x-kubernetes-map-type': 'atomic', properties: { a: { type: 'string' }, b: { type: 'string' } } },
        plain: { type: 'array', items: { type: 'string' } },
        set: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
        ports: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['port', 'protocol'],
          items: { type: 'object', properties: { port: { type: 'integer' }, protocol: { type: 'string', default: 'TCP' }, name: { type: 'string' } } },
        },
      },
    },
    status: { type: 'object', properties: { ready: { type: 'boolean' } } },
  },
};
const definition = {
  group: 'example.dev',
  version: 'v1',
  kind: 'Widget',
  plural: 'widgets',
  custom: true,
  schema,
  strategy: { hasStatus: true, hasGeneration: true },
} as unknown as ResourceDefinition;

/** One object in a world of managers; time passes with each request. */
class World {
  seconds = 0;
  object: KubeObject | undefined;
  readonly fields = new ManagedFields(() => new Date(Date.UTC(2026, 0, 1) + ++this.seconds * 1_000));

  apply(manager: string, spec: object | undefined, options: { force?: boolean; metadata?: object } = {}): KubeObject {
    const config = {
      apiVersion: 'example.dev/v1',
      kind: 'Widget',
      metadata: { name: 'a', ...options.metadata },
      ...(spec === undefined ? {} : { spec }),
    } as unknown as KubeObject;
    const next = this.fields.apply({ definition, live: this.object, config, manager, subresource: undefined, force: options.force === true });
    this.object = this.object === undefined ? next : this.fields.settle(next, this.object);
    return this.object;
  }

  update(manager: string, change: (object: { spec: Record<string, unknown>; metadata: Record<string, unknown> }) => void, subresource?: string): KubeObject {
    const next = structuredClone(this.object ?? { apiVersion: 'example.dev/v1', kind: 'Widget', metadata: { name: 'a' }, spec: {} }) as KubeObject;
    change(next as never);
    const tracked = this.fields.track({ definition, live: this.object, next, manager, subresource });
    this.object = this.object === undefined ? tracked : this.fields.settle(tracked, this.object);
    return this.object;
  }

  get spec(): unknown {
    return (this.object as { spec?: unknown } | undefined)?.spec;
  }

  /** `alice Apply` to the FieldsV1 that she owns. */
  get owners(): Record<string, unknown> {
    const entries = (this.object?.metadata as { managedFields?: { manager: string; operation: string; fieldsV1: unknown }[] } | undefined)?.managedFields ?? [];
    return Object.fromEntries(entries.map((entry) => [`${entry.manager} ${entry.operation}`, entry.fieldsV1]));
  }
}

function conflictOf(run: () => unknown): { message: string; fields: string[] } {
  try {
    run();
  } catch (error) {
    if (error instanceof StatusError) return { message: error.message, fields: (error.status.details?.causes ?? []).map((cause) => cause.field ?? '') };
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('updates', () => {
  it('give the whole of a new object, its empty maps included, to whoever creates it', () => {
    const world = new World();
    world.update('curl', (object) => Object.assign(object, { spec: { size: 1, labels: { a: 'b' }, ports: [{ port: 80, name: 'web' }] } }));
    expect(world.owners).toEqual({
      'curl Update': {
        'f:spec': {
          '.': {},
          'f:size': {},
          'f:labels': { '.': {}, 'f:a': {} },
          'f:ports': { '.': {}, 'k:{"port":80,"protocol":"TCP"}': { '.': {}, 'f:port': {}, 'f:name': {} } },
        },
      },
    });
  });

  it('do not give away what a built-in object has anyway', () => {
    const pods = {
      group: '',
      version: 'v1',
      kind: 'Pod',
      plural: 'pods',
      custom: false,
      schema: undefined,
      strategy: { hasStatus: true, hasGeneration: true },
    } as unknown as ResourceDefinition;
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', labels: { a: 'b' } },
      spec: { containers: [{ name: 'c', image: 'i', resources: {} }] },
    } as KubeObject;
    const tracked = new World().fields.track({ definition: pods, live: undefined, next: pod, manager: 'curl', subresource: undefined });
    // As a cluster shows it: no dot at spec and containers, which nobody can take away.
    expect((tracked.metadata as { managedFields?: { fieldsV1: unknown }[] }).managedFields?.[0]?.fieldsV1).toEqual({
      'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } },
      'f:spec': { 'f:containers': { 'k:{"name":"c"}': { '.': {}, 'f:name': {}, 'f:image': {}, 'f:resources': {} } } },
    });
  });

  it('take changed fields from their owner, and removed fields from everybody', () => {
    const world = new World();
    world.apply('alice', { size: 1, color: 'red' });
    world.update('bob', ({ spec }) => {
      spec['size'] = 2;
      delete spec['color'];
    });
    expect(world.owners).toEqual({ 'bob Update': { 'f:spec': { 'f:size': {} } } });
  });

  it('that change nothing leave owners and times alone', () => {
    const world = new World();
    const before = world.apply('alice', { size: 1 });
    expect(world.update('bob', () => {})).toEqual(before);
  });

  it('of a subresource cannot rewrite the owners', () => {
    const world = new World();
    world.apply('alice', { size: 1 });
    world.update('bob', (object) => (object.metadata['managedFields'] = [{}]), 'status');
    expect(Object.keys(world.owners)).toEqual(['alice Apply']);
  });

  it('with an empty entry make the server forget the owners, and it stays so until somebody applies', () => {
    const world = new World();
    world.apply('alice', { size: 1 });
    world.update('bob', (object) => (object.metadata['managedFields'] = [{}]));
    expect(world.owners).toEqual({});
    world.update('bob', ({ spec }) => (spec['size'] = 2));
    expect(world.owners).toEqual({});
    world.apply('carol', { color: 'red' });
    expect(world.owners).toEqual({ 'before-first-apply Update': { 'f:spec': { '.': {}, 'f:size': {} } }, 'carol Apply': { 'f:spec': { 'f:color': {} } } });
  });

  it('that make the object unfit for its types make the server forget the owners', () => {
    const world = new World();
    world.update('bob', ({ spec }) => (spec['size'] = 1));
    world.update('bob', ({ spec }) => (spec['color'] = 5));
    expect(world.owners).toEqual({});
  });

  it('by more than ten managers fold the oldest into one', () => {
    const world = new World();
    world.update('m0', ({ spec }) => (spec['labels'] = { k0: 'v' }));
    for (let index = 1; index <= 14; index++) world.update(`m${index}`, ({ spec }) => ((spec['labels'] as Record<string, string>)[`k${index}`] = 'v'));
    const names = Object.keys(world.owners);
    expect(names).toHaveLength(10);
    expect(names).toContain('ancient-changes Update');
    expect(names).not.toContain('m4 Update');
    expect(names).toContain('m14 Update');
  });
});

describe('apply', () => {
  it('removes what the manager no longer names, unless another owns it too', () => {
    const world = new World();
    world.apply('alice', { size: 1, color: 'red', labels: { a: '1', b: '2' } });
    world.apply('bob', { color: 'red' });
    world.apply('alice', { labels: { a: '1' } });
    expect(world.spec).toEqual({ color: 'red', labels: { a: '1' } });
  });

  it('keeps what others put beside it', () => {
    const world = new World();
    world.apply('alice', { labels: { a: '1' }, set: ['x'], ports: [{ port: 80 }] });
    world.update('bob', ({ spec }) => {
      (spec['labels'] as Record<string, string>)['b'] = '2';
      (spec['set'] as string[]).push('y');
      (spec['ports'] as object[]).push({ port: 443, protocol: 'TCP' });
    });
    world.apply('alice', {});
    expect(world.spec).toEqual({ labels: { b: '2' }, set: ['y'], ports: [{ port: 443, protocol: 'TCP' }] });
  });

  it('of the same again is no change, whenever it happens', () => {
    const world = new World();
    const first = world.apply('alice', { size: 1, plain: ['a'] });
    expect(world.apply('alice', { size: 1, plain: ['a'] })).toEqual(first);
  });

  it('tells each conflict by owner and field, and takes the fields when forced', () => {
    const world = new World();
    world.apply('alice', { size: 1, ports: [{ port: 80, name: 'web' }] });
    world.update('bob', ({ spec }) => (spec['color'] = 'blue'));
    const clash = { size: 2, color: 'red', ports: [{ port: 80, protocol: 'TCP', name: 'http' }] };
    const refused = conflictOf(() => world.apply('carol', clash));
    expect(refused.message).toBe(
      'Apply failed with 3 conflicts: conflicts with "alice":\n- .spec.ports[port=80,protocol="TCP"].name\n- .spec.size\nconflicts with "bob" using example.dev/v1:\n- .spec.color',
    );
    expect(refused.fields).toEqual(['.spec.ports[port=80,protocol="TCP"].name', '.spec.size', '.spec.color']);
    world.apply('carol', clash, { force: true });
    expect(Object.keys(world.owners)).toEqual(['alice Apply', 'carol Apply']);
    expect(world.spec).toMatchObject({ size: 2, color: 'red' });
  });

  it('owns atomic maps and plain lists as one', () => {
    const world = new World();
    world.apply('alice', { whole: { a: '1' }, plain: ['x'] });
    expect(world.owners).toEqual({ 'alice Apply': { 'f:spec': { 'f:whole': {}, 'f:plain': {} } } });
    expect(conflictOf(() => world.apply('bob', { whole: { b: '2' } })).fields).toEqual(['.spec.whole']);
    world.apply('bob', { whole: { b: '2' } }, { force: true });
    expect(world.spec).toEqual({ whole: { b: '2' }, plain: ['x'] });
  });

  it('orders a list map as the applied configuration does', () => {
    const world = new World();
    world.apply('alice', { set: ['a', 'b', 'c'] });
    world.apply('alice', { set: ['c', 'a', 'n', 'b'] });
    expect(world.spec).toEqual({ set: ['c', 'a', 'n', 'b'] });
  });

  it('cannot reach the status through the object itself', () => {
    const world = new World();
    world.apply('alice', { size: 1 });
    const config = { apiVersion: 'example.dev/v1', kind: 'Widget', metadata: { name: 'a' }, status: { ready: true } } as unknown as KubeObject;
    const next = world.fields.apply({ definition, live: world.object, config, manager: 'bob', subresource: undefined, force: false });
    expect(JSON.stringify(next.metadata)).not.toContain('f:status');
  });

  it('by kubectl takes over what its client-side apply has set, and keeps the annotation true', () => {
    const world = new World();
    const last = JSON.stringify({ apiVersion: 'example.dev/v1', kind: 'Widget', metadata: { name: 'a' }, spec: { size: 1 } });
    world.update('kubectl-client-side-apply', (object) => {
      object.spec = { size: 1, color: 'red' };
      object.metadata['annotations'] = { 'kubectl.kubernetes.io/last-applied-configuration': last };
    });
    expect(conflictOf(() => world.apply('kubectl', { size: 2, color: 'blue' })).fields).toEqual(['.spec.color']);
    expect(conflictOf(() => world.apply('other', { size: 2 })).fields).toEqual(['.spec.size']);
    const next = world.apply('kubectl', { size: 2 });
    expect(JSON.parse(next.metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration'] ?? '')).toMatchObject({ spec: { size: 2 } });
  });

  it.each([
    [{ nope: 1 }, '.spec.nope: field not declared in schema'],
    [{ color: 3 }, '.spec.color: expected string, got &value.valueUnstructured{Value:3}'],
    [{ size: 'big' }, '.spec.size: expected numeric (int or float), got string'],
    [{ set: ['a', 'a'] }, '.spec.set: duplicate entries for key [="a"]'],
    [
      { ports: [{ protocol: 'TCP' }] },
      '.spec.ports: element 0: associative list with keys has an element that omits key field "port" (and doesn\'t have default value)',
    ],
    [{ nope: 1, none: 2 }, 'errors:\n  .spec.nope: field not declared in schema\n  .spec.none: field not declared in schema'],
  ])('refuses %j in the words of structured-merge-diff', (spec, why) => {
    expect(conflictOf(() => new World().apply('alice', spec)).message).toBe(`failed to create typed patch object (/a; example.dev/v1, Kind=Widget): ${why}`);
  });
});

const fieldSets = fc
  .letrec<{ tree: object }>((tie) => ({
    tree: fc.dictionary(fc.constantFrom('f:a', 'f:b', 'k:{"n":1}', 'v:"x"', '.'), fc.oneof({ maxDepth: 3 }, fc.constant({}), tie('tree')), { maxKeys: 4 }),
  }))
  .tree.map((tree) => parseFields(tree)) as fc.Arbitrary<FieldSet>;

describe('field sets', () => {
  it('survive their wire form, and obey set algebra', () => {
    fc.assert(
      fc.property(fieldSets, fieldSets, (a, b) => {
        const rooted = { member: false, children: a.children };
        expect(equalSets(parseFields(formatFields(rooted)), rooted)).toBe(true);
        expect(isEmpty(intersection(difference(a, b), b))).toBe(true);
        expect(equalSets(union(difference(a, b), intersection(a, b)), a)).toBe(true);
        expect(equalSets(union(a, b), union(b, a))).toBe(true);
      }),
    );
  });
});

describe('managers in random worlds', () => {
  const spec = fc.record(
    {
      size: fc.integer({ min: 0, max: 2 }),
      labels: fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2')),
      // An empty list owns nothing, here as in a cluster, so nobody can take it out again.
      set: fc.uniqueArray(fc.constantFrom('x', 'y', 'z'), { minLength: 1 }),
    },
    { requiredKeys: [] },
  );
  it('always get what they apply by force, and never lose what they own alone to another', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.constantFrom('alice', 'bob'), spec), { minLength: 1, maxLength: 8 }), (steps) => {
        const world = new World();
        for (const [manager, config] of steps) {
          world.apply(manager, config, { force: true });
          expect(world.spec).toMatchObject(withoutEmpty(config));
        }
        world.apply('alice', undefined, { force: true });
        world.apply('bob', undefined, { force: true });
        expect(world.spec ?? {}).toEqual({});
      }),
    );
  });
});

/** An applied empty map or list says nothing of what is in the live one. */
function withoutEmpty(config: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(config).filter(([name, value]) => name === 'size' || (name === 'labels' && Object.keys(value as object).length > 0)),
  );
}
