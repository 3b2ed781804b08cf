// From the body of a review to its scope and its answer, without a cluster.
import { Annotation, type KubeObject } from '@snapshot-stack/api-types';
import { describe, expect, it } from 'vitest';
import { readAdmissionReview, type AdmissionRequest, type Operation } from './admission-review.ts';
import { BadRequest } from './bad-request.ts';
import { crdViolations } from './crd-rules.ts';
import { scopeOf } from './scope.ts';
import { answerTo, toVerdict, type Denial } from './verdict.ts';

function aSnapshot(parts: { metadata?: object; spec?: object; status?: object } = {}): KubeObject {
  return {
    apiVersion: 'snapshot.storage.k8s.io/v1',
    kind: 'VolumeSnapshot',
    metadata: { name: 's', namespace: 'ns', ...parts.metadata },
    spec: { source: { persistentVolumeClaimName: 'data' }, ...parts.spec },
    ...(parts.status && { status: parts.status }),
  } as KubeObject;
}

function aReview(operation: Operation, object: KubeObject | null, oldObject: KubeObject | null = null, more: object = {}): Record<string, any> {
  return {
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: 'u-1',
      kind: { group: 'snapshot.storage.k8s.io', version: 'v1', kind: 'VolumeSnapshot' },
      resource: { group: 'snapshot.storage.k8s.io', version: 'v1', resource: 'volumesnapshots' },
      operation,
      userInfo: { username: 'jane', groups: ['devs'] },
      object,
      oldObject,
      ...more,
    },
  };
}

const request = (...args: Parameters<typeof aReview>): AdmissionRequest => readAdmissionReview(aReview(...args));

describe('a malformed review', () => {
  const good = aReview('CREATE', aSnapshot());
  const without = (member: string): object => ({ ...good, request: { ...good['request'], [member]: undefined } });
  it.each([
    ['is no object', [], 'no JSON object'],
    ['is null', null, 'no JSON object'],
    ['is of another kind', { kind: 'ConversionReview' }, 'of kind "ConversionReview"'],
    ['is of an old version', { ...good, apiVersion: 'admission.k8s.io/v1beta1' }, 'put v1 first into admissionReviewVersions'],
    ['has no request', { ...good, request: undefined }, 'no request'],
    ['has no uid', without('uid'), 'request.uid'],
    ['has no kind', without('kind'), 'request.kind'],
    ['has a kind of numbers', { ...good, request: { ...good['request'], kind: { version: 1 } } }, 'request.kind must hold'],
    ['has no operation', without('operation'), 'CREATE, UPDATE, DELETE, CONNECT'],
    ['has no object', without('object'), 'request.object is missing'],
    ['has a list for an object', { ...good, request: { ...good['request'], object: [] } }, 'request.object must be an object'],
    ['has an object without metadata', { ...good, request: { ...good['request'], object: {} } }, 'no metadata'],
    ['has annotations that are no map', aReview('CREATE', aSnapshot({ metadata: { annotations: 'x' } })), 'annotations must be an object'],
    ['updates without the old object', aReview('UPDATE', aSnapshot()), 'request.oldObject is missing'],
    ['has an object of another kind than it says', aReview('CREATE', { ...aSnapshot(), kind: 'Pod' }), 'request.kind says'],
  ])('that %s is refused in words', (_name, body, message) => {
    expect(() => readAdmissionReview(body)).toThrow(BadRequest);
    expect(() => readAdmissionReview(body)).toThrow(message);
  });
});

describe('the scope', () => {
  const broken = aSnapshot({ spec: { source: {} } });
  const leaving = { deletionTimestamp: '2026-01-01T00:00:00Z' };
  it.each<[string, string, Parameters<typeof aReview>]>([
    ['a creation', 'judged', ['CREATE', aSnapshot()]],
    ['a change of the spec', 'judged', ['UPDATE', aSnapshot({ spec: { volumeSnapshotClassName: 'x' } }), aSnapshot()]],
    ['a change of a guarded annotation', 'judged', ['UPDATE', aSnapshot({ metadata: { annotations: { [Annotation.isDefaultClass]: 'true' } } }), aSnapshot()]],
    ['a deletion', 'exempt', ['DELETE', null, broken]],
    ['a connection', 'exempt', ['CONNECT', null, null]],
    ['a write of the status', 'exempt', ['UPDATE', { ...broken, spec: { source: 1 } } as KubeObject, broken, { subResource: 'status' }]],
    ['taking a finalizer off a broken object', 'exempt', ['UPDATE', broken, { ...broken, metadata: { ...broken.metadata, finalizers: ['f'] } }]],
    [
      'labels and annotations of a broken object',
      'exempt',
      ['UPDATE', { ...broken, metadata: { name: 's', labels: { a: 'b' }, annotations: { c: 'd' } } }, broken],
    ],
    ['another status of a broken object', 'exempt', ['UPDATE', { ...broken, status: { readyToUse: true } } as KubeObject, broken]],
    ['a change of an object that is leaving', 'leaving', ['UPDATE', aSnapshot({ metadata: leaving, spec: { source: {} } }), aSnapshot({ metadata: leaving })]],
    ['another kind', 'unknown', ['CREATE', { apiVersion: 'v1', kind: 'Pod', metadata: {} }, null, { kind: { group: '', version: 'v1', kind: 'Pod' } }]],
    [
      'a version from the future',
      'unknown',
      [
        'CREATE',
        { ...aSnapshot(), apiVersion: 'snapshot.storage.k8s.io/v2' },
        null,
        { kind: { group: 'snapshot.storage.k8s.io', version: 'v2', kind: 'VolumeSnapshot' } },
      ],
    ],
  ])('of %s is: %s', (_name, expected, args) => {
    expect(scopeOf(request(...args)).kind).toBe(expected);
  });
});

describe('the rules of the CRDs', () => {
  it('are those of api-types', () => {
    const { fresh } = crdViolations(aSnapshot({ spec: { source: {} } }), undefined);
    expect(fresh).toMatchObject([{ field: 'spec.source', rule: 'exactly-one' }]);
  });

  it('are not held against a part that was broken before and stays as it is', () => {
    const broken = aSnapshot({ spec: { source: {} } });
    const { fresh, isSound } = crdViolations({ ...broken, spec: { source: {}, volumeSnapshotClassName: 'x' } } as KubeObject, broken);
    expect([fresh, isSound]).toEqual([[], false]);
  });

  it('are held against a part that was broken before in another way', () => {
    const both = aSnapshot({ spec: { source: { persistentVolumeClaimName: 'a', volumeSnapshotContentName: 'b' } } });
    const { fresh } = crdViolations(aSnapshot({ spec: { source: {} } }), both);
    expect(fresh.map(({ rule }) => rule)).toContain('exactly-one');
  });

  it('are held against a change, though the object was broken elsewhere', () => {
    const broken = aSnapshot({ spec: { volumeSnapshotClassName: '' } });
    const { fresh } = crdViolations(aSnapshot({ spec: { volumeSnapshotClassName: '', source: { persistentVolumeClaimName: 'other' } } }), broken);
    expect(fresh.map(({ field, rule }) => `${field} ${rule}`)).toEqual(['spec.source.persistentVolumeClaimName immutable']);
  });
});

describe('the answer', () => {
  const denial: Denial = { kind: 'deny', field: 'spec.source', rule: 'exactly-one', message: 'one of a and b', remedy: 'set a', reason: 'Invalid' };
  it('to a denied request names field, rule and remedy, for people and for programs', () => {
    expect(answerTo(request('CREATE', aSnapshot()), toVerdict([denial]))).toEqual({
      apiVersion: 'admission.k8s.io/v1',
      kind: 'AdmissionReview',
      response: {
        uid: 'u-1',
        allowed: false,
        status: {
          status: 'Failure',
          code: 422,
          reason: 'Invalid',
          message: 'spec.source: one of a and b (rule exactly-one): set a',
          details: {
            name: 's',
            group: 'snapshot.storage.k8s.io',
            kind: 'VolumeSnapshot',
            causes: [{ reason: 'FieldValueInvalid', field: 'spec.source', message: 'one of a and b (rule exactly-one): set a' }],
          },
        },
      },
    });
  });

  it('to an allowed request carries warnings, each no longer than the API server passes on', () => {
    const { response } = answerTo(request('CREATE', aSnapshot()), toVerdict([{ kind: 'warn', rule: 'r', text: 'x'.repeat(300) }])) as any;
    expect(response.allowed).toBe(true);
    expect(response.warnings[0]).toHaveLength(256);
    expect(response.status).toBeUndefined();
  });
});
