import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { builtinKind } from '../builtin/schemas/catalogue.ts';
import type { JsonObject } from '../schema/schema.ts';
import { StatusError } from '../status.ts';
import { applyJsonPatch, PatchMismatch } from './json-patch.ts';
import { mergePatch } from './merge-patch.ts';
import { strategicFault } from './strategic-fault.ts';
import { strategicMerge } from './strategic-merge.ts';

describe('JSON patch', () => {
  it.each([
    ['adds a member', { a: 1 }, [{ op: 'add', path: '/b', value: 2 }], { a: 1, b: 2 }],
    ['adds null where the value is missing', {}, [{ op: 'add', path: '/b' }], { b: null }],
    [
      'inserts into a list and appends to it',
      { l: [1, 3] },
      [
        { op: 'add', path: '/l/1', value: 2 },
        { op: 'add', path: '/l/-', value: 4 },
      ],
      { l: [1, 2, 3, 4] },
    ],
    ['counts negative indices from the end', { l: [1, 2, 3] }, [{ op: 'remove', path: '/l/-1' }], { l: [1, 2] }],
    ['adds a missing member by replace', { a: {} }, [{ op: 'replace', path: '/a/b', value: 1 }], { a: { b: 1 } }],
    [
      'replaces what an earlier operation added',
      {},
      [
        { op: 'add', path: '/a', value: {} },
        { op: 'replace', path: '/a/b', value: 1 },
      ],
      { a: { b: 1 } },
    ],
    ['moves', { a: 1 }, [{ op: 'move', from: '/a', path: '/b' }], { b: 1 }],
    [
      'copies, so that the copy can change alone',
      { a: [1] },
      [
        { op: 'copy', from: '/a', path: '/b' },
        { op: 'add', path: '/b/-', value: 2 },
      ],
      { a: [1], b: [1, 2] },
    ],
    ['tests for null where nothing is', {}, [{ op: 'test', path: '/a', value: null }], {}],
    ['keeps integers of 64 bits', { a: 9007199254740993n }, [{ op: 'copy', from: '/a', path: '/b' }], { a: 9007199254740993n, b: 9007199254740993n }],
    [
      'reads escapes',
      { 'a/b': 1, 'c~d': 2 },
      [
        { op: 'remove', path: '/a~1b' },
        { op: 'remove', path: '/c~0d' },
      ],
      {},
    ],
  ])('%s', (_case, document, patch, wanted) => {
    expect(applyJsonPatch(structuredClone(document), patch)).toEqual(wanted);
  });

  it.each([
    ['a remove of nothing', [{ op: 'remove', path: '/x' }]],
    ['an add below nothing', [{ op: 'add', path: '/x/y', value: 1 }]],
    ['an index past the end', [{ op: 'add', path: '/l/5', value: 1 }]],
    ['a replace of an item that is not there', [{ op: 'replace', path: '/l/2', value: 1 }]],
    ['a list index that is a word', [{ op: 'add', path: '/l/one', value: 1 }]],
    ['a test that fails', [{ op: 'test', path: '/a', value: 2 }]],
    ['a copy of nothing', [{ op: 'copy', from: '/x', path: '/y' }]],
    ['an unknown operation', [{ op: 'frob', path: '/a' }]],
    ['an operation without path', [{ op: 'add', value: 1 }]],
    ['an add to the whole document', [{ op: 'add', path: '', value: {} }]],
  ])('refuses %s', (_case, patch) => {
    expect(() => applyJsonPatch({ a: 1, l: [1, 2] }, patch)).toThrow(PatchMismatch);
  });

  it('cannot reach prototypes', () => {
    const patched = applyJsonPatch({}, [{ op: 'add', path: '/__proto__', value: { polluted: true } }]) as object;
    expect(Object.getPrototypeOf(patched)).toBe(Object.prototype);
    expect(() => applyJsonPatch({}, [{ op: 'add', path: '/constructor/prototype/polluted', value: true }])).toThrow(PatchMismatch);
    expect({}).not.toHaveProperty('polluted');
  });
});

describe('merge patch', () => {
  it('leads from any object to any other without nulls, and needs nothing for the same', () => {
    const value = fc.letrec<{ node: unknown }>((tie) => ({
      node: fc.oneof(
        { maxDepth: 3 },
        fc.integer(),
        fc.string(),
        fc.array(fc.integer(), { maxLength: 2 }),
        fc.dictionary(fc.constantFrom('a', 'b', '__proto__'), tie('node'), { noNullPrototype: true }),
      ),
    }));
    const object = fc.dictionary(fc.constantFrom('a', 'b', 'c'), value.node, { noNullPrototype: true });
    fc.assert(
      fc.property(object, object, (from, to) => {
        const removals = Object.fromEntries(Object.keys(from).map((key) => [key, null]));
        expect(mergePatch(mergePatch(from, removals), to)).toEqual(to);
        expect(mergePatch(from, {})).toEqual(from);
      }),
    );
  });
});

describe('strategic merge patch', () => {
  const pod = builtinKind('v1', 'Pod')?.schema;
  const apply = (original: object, patch: object): object => strategicMerge(original as JsonObject, patch as JsonObject, pod);
  const containers = (...items: object[]): object => ({ spec: { containers: items } });
  const messageOf = (run: () => unknown): { code: number; message: string } => {
    try {
      run();
    } catch (error) {
      if (error instanceof StatusError) return { code: error.status.code, message: error.message };
      throw error;
    }
    throw new Error('nothing was refused');
  };

  it('merges items by key, appends new ones before the rest, and drops nulls of what is new', () => {
    const patched = apply(
      containers({ name: 'a', image: '1' }, { name: 'b', image: '2' }),
      containers({ name: 'c', image: '3', command: null }, { name: 'b', image: '9' }),
    );
    expect(patched).toEqual(containers({ name: 'c', image: '3' }, { name: 'a', image: '1' }, { name: 'b', image: '9' }));
  });

  it('replaces lists without merge strategy', () => {
    expect(apply(containers({ name: 'a', args: ['x', 'y'] }), containers({ name: 'a', args: ['z'] }))).toEqual(containers({ name: 'a', args: ['z'] }));
  });

  it('obeys $setElementOrder', () => {
    const patch = { spec: { '$setElementOrder/containers': [{ name: 'c' }, { name: 'a' }], containers: [{ name: 'c', image: '3' }] } };
    expect(apply(containers({ name: 'a' }, { name: 'b' }), patch)).toEqual(containers({ name: 'c', image: '3' }, { name: 'a' }, { name: 'b' }));
  });

  it('refuses an order that the list does not follow', () => {
    const patch = { spec: { '$setElementOrder/containers': [{ name: 'a' }], containers: [{ name: 'c', image: '3' }] } };
    expect(messageOf(() => apply(containers({ name: 'a' }), patch)).message).toContain("doesn't match $setElementOrder list");
  });

  it('obeys $retainKeys, and refuses a patch that sets others', () => {
    const volumes = { spec: { volumes: [{ name: 'v', emptyDir: {} }] } };
    const retain = { spec: { volumes: [{ name: 'v', $retainKeys: ['name', 'hostPath'], hostPath: { path: '/x' } }] } };
    expect(apply(volumes, retain)).toEqual({ spec: { volumes: [{ name: 'v', hostPath: { path: '/x' } }] } });
    const wrong = { spec: { volumes: [{ name: 'v', $retainKeys: ['name'], hostPath: { path: '/x' } }] } };
    expect(messageOf(() => apply(volumes, wrong))).toEqual({ code: 400, message: 'invalid patch format of retainKeys' });
  });

  it('replaces and deletes whole maps, lists and items by $patch', () => {
    expect(apply({ metadata: { labels: { a: '1' } } }, { metadata: { labels: { $patch: 'replace', b: '2' } } })).toEqual({ metadata: { labels: { b: '2' } } });
    expect(apply({ metadata: { labels: { a: '1' } } }, { metadata: { labels: { $patch: 'delete' } } })).toEqual({ metadata: { labels: {} } });
    expect(apply(containers({ name: 'a' }, { name: 'b' }), containers({ $patch: 'replace' }, { name: 'z' }))).toEqual(containers({ name: 'z' }));
    expect(apply(containers({ name: 'a' }, { name: 'b' }), containers({ $patch: 'delete', name: 'a' }))).toEqual(containers({ name: 'b' }));
    expect(messageOf(() => apply(containers({ name: 'a' }), containers({ $patch: 'merge', name: 'a' }))).message).toBe(
      'merging lists cannot yet be specified in the patch',
    );
  });

  it.each([
    [{ metadata: { labels: { a: 1 } } }, 'cannot convert int64 to string'],
    [{ spec: { priority: 'high' } }, 'cannot convert string to int32'],
    [{ spec: { hostNetwork: 'yes' } }, 'cannot convert string to bool'],
    [{ spec: 'none' }, 'cannot restore struct from: string'],
    [{ spec: { containers: 'none' } }, 'cannot restore slice from string'],
    [{ metadata: { labels: ['a'] } }, 'cannot restore map from slice'],
  ])('that makes %j is unfit', (patched, why) => {
    expect(strategicFault(patched, pod)).toBe(why);
  });

  it('fits a pod with quantities, times and ports', () => {
    const fit = {
      metadata: { creationTimestamp: '2026-01-01T00:00:00Z' },
      spec: { containers: [{ name: 'a', ports: [{ containerPort: 80 }], resources: { limits: { cpu: 1 } } }] },
    };
    expect(strategicFault(fit, pod)).toBeUndefined();
  });

  it('adds to and deletes from lists of scalars', () => {
    expect(apply({ metadata: { finalizers: ['a', 'b'] } }, { metadata: { finalizers: ['c', 'a'] } })).toEqual({ metadata: { finalizers: ['c', 'a', 'b'] } });
    expect(apply({ metadata: { finalizers: ['a', 'b'] } }, { metadata: { '$deleteFromPrimitiveList/finalizers': ['a', 'x'] } })).toEqual({
      metadata: { finalizers: ['b'] },
    });
  });

  it('leaves the original alone, whatever the patch', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const list = fc.uniqueArray(fc.record({ name, image: fc.constantFrom('1', '2') }), { selector: (item) => item.name });
    fc.assert(
      fc.property(list, list, (original, patch) => {
        const before = containers(...original);
        const kept = structuredClone(before);
        const after = apply(before, containers(...patch)) as { spec: { containers: { name: string; image: string }[] } };
        expect(before).toEqual(kept);
        // Every item of either side is there once, and what the patch says holds.
        const names = after.spec.containers.map((item) => item.name);
        expect(new Set(names).size).toBe(names.length);
        expect([...names].sort()).toEqual([...new Set([...original, ...patch].map((item) => item.name))].sort());
        for (const item of patch) expect(after.spec.containers).toContainEqual(item);
        expect(apply(after, containers(...patch))).toEqual(after);
      }),
    );
  });
});
