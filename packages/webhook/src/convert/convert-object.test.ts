import { Annotation, stringifyJson, type KubeObject } from '@snapshot-stack/api-types';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JsonObject } from '../review/bad-request.ts';
import { ConversionError, convertObject } from './convert-object.ts';

const GROUP = 'groupsnapshot.storage.k8s.io';
const ANNOTATION = Annotation.groupInfoList;

function aContent(version: string, status?: JsonObject, annotations?: Record<string, string>): JsonObject {
  return {
    apiVersion: `${GROUP}/${version}`,
    kind: 'VolumeGroupSnapshotContent',
    metadata: { name: 'g', uid: 'u', ...(annotations && { annotations }) },
    spec: { driver: 'd', deletionPolicy: 'Delete', source: { volumeHandles: ['v1'] }, volumeGroupSnapshotRef: { name: 'n', namespace: 'ns' } },
    ...(status && { status }),
  };
}

const to = (version: string, object: JsonObject): JsonObject => convertObject(object, `${GROUP}/${version}`);
const annotationsOf = (object: JsonObject): Record<string, string> | undefined => (object as unknown as KubeObject).metadata.annotations;

const handle = fc.constantFrom('a', 'b', 'c', '');
const big = fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n });
const info = fc.record(
  { volumeHandle: handle, snapshotHandle: handle, creationTime: fc.oneof(big, fc.nat()), readyToUse: fc.boolean(), restoreSize: fc.oneof(big, fc.nat()) },
  { requiredKeys: [], noNullPrototype: true },
);
const pair = fc.record({ volumeHandle: handle, snapshotHandle: handle }, { noNullPrototype: true });
const otherAnnotations = fc.option(fc.constantFrom({ a: 'b' }, { x: '[]' }), { nil: undefined });
const listed = <T>(name: string, item: fc.Arbitrary<T>): fc.Arbitrary<JsonObject | undefined> =>
  fc.option(
    fc.record({ [name]: fc.array(item, { maxLength: 3 }), readyToUse: fc.boolean() }, { requiredKeys: [], noNullPrototype: true }) as fc.Arbitrary<JsonObject>,
    { nil: undefined },
  );

describe('converting group contents', () => {
  it('brings every content of v1 and v1beta2 back from v1beta1 as it was', () => {
    fc.assert(
      fc.property(fc.constantFrom('v1', 'v1beta2'), listed('volumeSnapshotInfoList', info), otherAnnotations, (version, status, annotations) => {
        const content = aContent(version, status, annotations);
        expect(to(version, to('v1beta1', content))).toEqual(content);
      }),
    );
  });

  it('brings every content of v1beta1 back as it was, whether a conversion made it or not', () => {
    fc.assert(
      fc.property(fc.constantFrom('v1', 'v1beta2'), listed('volumeSnapshotHandlePairList', pair), otherAnnotations, (version, status, annotations) => {
        const content = aContent('v1beta1', status, annotations);
        expect(to('v1beta1', to(version, content))).toEqual(content);
      }),
    );
    fc.assert(
      fc.property(listed('volumeSnapshotInfoList', info), otherAnnotations, (status, annotations) => {
        const made = to('v1beta1', aContent('v1beta2', status, annotations));
        expect(to('v1beta1', to('v1', made))).toEqual(made);
      }),
    );
  });

  it('changes between v1 and v1beta2 nothing but the version', () => {
    const content = aContent('v1', { volumeSnapshotInfoList: [{ volumeHandle: 'v', restoreSize: 1 }] });
    expect(to('v1beta2', content)).toEqual({ ...content, apiVersion: `${GROUP}/v1beta2` });
    expect(to('v1', content)).toBe(content);
  });

  it('writes the annotation as upstream does, and only where the pairs do not say everything', () => {
    const infos = [{ volumeHandle: 'v1', snapshotHandle: 's1', creationTime: 1_700_000_000_123_456_789n, readyToUse: true }];
    const converted = to('v1beta1', aContent('v1beta2', { readyToUse: true, volumeSnapshotInfoList: infos }));
    expect(converted['status']).toEqual({ readyToUse: true, volumeSnapshotHandlePairList: [{ volumeHandle: 'v1', snapshotHandle: 's1' }] });
    expect(annotationsOf(converted)).toEqual({
      [ANNOTATION]: '[{"volumeHandle":"v1","snapshotHandle":"s1","creationTime":1700000000123456789,"readyToUse":true}]',
    });
    const plain = to('v1beta1', aContent('v1beta2', { volumeSnapshotInfoList: [{ volumeHandle: 'v1', snapshotHandle: 's1' }] }));
    expect(annotationsOf(plain)).toBeUndefined();
  });

  it('leaves entries without both handles out of the pairs, which require them, and yet keeps them', () => {
    const infos = [{ volumeHandle: 'v1' }, { volumeHandle: 'v2', snapshotHandle: 's2' }];
    const content = aContent('v1', { volumeSnapshotInfoList: infos });
    const converted = to('v1beta1', content);
    expect((converted['status'] as JsonObject)['volumeSnapshotHandlePairList']).toEqual([{ volumeHandle: 'v2', snapshotHandle: 's2' }]);
    expect(to('v1', converted)).toEqual(content);
  });

  it('believes pairs that a v1beta1 client has changed, and keeps what is known of each', () => {
    const saved = [
      { volumeHandle: 'v1', snapshotHandle: 's1', restoreSize: 7 },
      { volumeHandle: 'v2', snapshotHandle: 's2', restoreSize: 8 },
    ];
    const pairs = [
      { volumeHandle: 'v2', snapshotHandle: 's2' },
      { volumeHandle: 'v3', snapshotHandle: 's3' },
    ];
    const converted = to('v1', aContent('v1beta1', { volumeSnapshotHandlePairList: pairs }, { [ANNOTATION]: stringifyJson(saved) }));
    expect(converted['status']).toEqual({ volumeSnapshotInfoList: [{ volumeHandle: 'v2', snapshotHandle: 's2', restoreSize: 8 }, pairs[1]] });
    expect(annotationsOf(converted)).toBeUndefined();
  });

  it.each(['', '{', '{}', '[1]', 'null'])('lives with the damaged annotation %j, and leaves it for its owner', (text) => {
    const pairs = [{ volumeHandle: 'v1', snapshotHandle: 's1' }];
    const content = aContent('v1beta1', { volumeSnapshotHandlePairList: pairs }, { [ANNOTATION]: text });
    const converted = to('v1', content);
    expect((converted['status'] as JsonObject)['volumeSnapshotInfoList']).toEqual(pairs);
    expect(to('v1beta1', converted)).toEqual(content);
  });

  it('does not make a status out of an annotation that a restored backup has brought', () => {
    const content = aContent('v1beta1', undefined, { [ANNOTATION]: '[{"volumeHandle":"v1","snapshotHandle":"s1"}]' });
    const converted = to('v1', content);
    expect(converted['status']).toBeUndefined();
    expect(to('v1beta1', converted)).toEqual(content);
  });

  it('does not take a foreign annotation for the list of a content', () => {
    const infos = [{ volumeHandle: 'v1', snapshotHandle: 's1' }];
    const foreign = { [ANNOTATION]: '[{"volumeHandle":"v1","snapshotHandle":"s1","restoreSize":1}]' };
    const back = to('v1', to('v1beta1', aContent('v1', { volumeSnapshotInfoList: infos }, foreign)));
    expect(back['status']).toEqual({ volumeSnapshotInfoList: infos });
  });

  it('does not change the object it is given', () => {
    const content = aContent('v1', { volumeSnapshotInfoList: [{ volumeHandle: 'v1', restoreSize: 1 }] }, { a: 'b' });
    const before = structuredClone(content);
    to('v1beta1', content);
    expect(content).toEqual(before);
  });

  it.each(['VolumeGroupSnapshot', 'VolumeGroupSnapshotClass'])('changes of a %s the version only', (kind) => {
    const object = { apiVersion: `${GROUP}/v1beta1`, kind, metadata: { name: 'x', annotations: { [ANNOTATION]: '[]' } } };
    expect(to('v1', object)).toEqual({ ...object, apiVersion: `${GROUP}/v1` });
  });

  it.each([
    [{ apiVersion: `${GROUP}/v1`, kind: 'VolumeGroupSnapshot', metadata: { name: 'x' } }, `${GROUP}/v2`, 'known are'],
    [{ apiVersion: `${GROUP}/v0`, kind: 'VolumeGroupSnapshot', metadata: { name: 'x' } }, `${GROUP}/v1`, 'VolumeGroupSnapshot x cannot be converted'],
    [{ apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshot', metadata: { name: 'x' } }, 'snapshot.storage.k8s.io/v1', 'strategy None'],
    [{}, `${GROUP}/v1`, 'undefined undefined cannot'],
  ])('refuses %j to %s', (object, desired, message) => {
    expect(() => convertObject(object, desired)).toThrow(ConversionError);
    expect(() => convertObject(object, desired)).toThrow(message);
  });
});
