import { describe, expect, it } from 'vitest';
import type { VolumeGroupSnapshotContent } from './group-snapshot.ts';
import type { VolumeSnapshot, VolumeSnapshotContent } from './snapshot.ts';
import { validateAny, validateClass, validateContent, validateGroupClass, validateGroupContent, validateSnapshot } from './validate.ts';

function aSnapshot(spec: Partial<VolumeSnapshot['spec']> = {}): VolumeSnapshot {
  return { metadata: { name: 's', namespace: 'n' }, spec: { source: { persistentVolumeClaimName: 'c' }, ...spec } };
}

function aContent(spec: Partial<VolumeSnapshotContent['spec']> = {}): VolumeSnapshotContent {
  const volumeSnapshotRef = { name: 's', namespace: 'n' };
  return { metadata: { name: 'c' }, spec: { deletionPolicy: 'Delete', driver: 'd', source: { volumeHandle: 'v' }, volumeSnapshotRef, ...spec } };
}

function aGroupContent(spec: Partial<VolumeGroupSnapshotContent['spec']> = {}): VolumeGroupSnapshotContent {
  const volumeGroupSnapshotRef = { name: 'g', namespace: 'n' };
  return {
    metadata: { name: 'c' },
    spec: { deletionPolicy: 'Delete', driver: 'd', source: { volumeHandles: ['v'] }, volumeGroupSnapshotRef, ...spec },
  };
}

const shortly = (violations: { field: string; message: string }[] | undefined) => violations?.map(({ field, message }) => `${field}: ${message}`);

describe('validation of snapshot objects', () => {
  it('accepts what is sound', () => {
    expect(validateSnapshot(aSnapshot({ volumeSnapshotClassName: 'k' }))).toEqual([]);
    expect(validateContent(aContent({ sourceVolumeMode: null }))).toEqual([]);
    expect(validateClass({ metadata: { name: 'k' }, driver: 'd', deletionPolicy: 'Retain', parameters: { a: 'b' } })).toEqual([]);
    expect(validateGroupContent(aGroupContent())).toEqual([]);
  });

  it('says the field, the words of the API server and what helps', () => {
    expect(validateSnapshot(aSnapshot({ source: {} }))).toEqual([
      {
        field: 'spec.source',
        rule: 'exactly-one',
        message: 'exactly one of volumeSnapshotContentName and persistentVolumeClaimName must be set',
        remedy: 'set volumeSnapshotContentName or persistentVolumeClaimName, not both',
      },
    ]);
  });

  it('counts an empty name as set, and an empty class name as wrong', () => {
    expect(validateSnapshot(aSnapshot({ source: { persistentVolumeClaimName: '' } }))).toEqual([]);
    expect(shortly(validateSnapshot(aSnapshot({ volumeSnapshotClassName: '' })))).toEqual([
      'spec.volumeSnapshotClassName: volumeSnapshotClassName must not be the empty string when set',
    ]);
  });

  it('reports a removed source twice, as the API server does', () => {
    expect(shortly(validateSnapshot(aSnapshot({ source: {} }), aSnapshot()))).toEqual([
      'spec.source: persistentVolumeClaimName is required once set',
      'spec.source: exactly one of volumeSnapshotContentName and persistentVolumeClaimName must be set',
    ]);
  });

  it('lets sourceVolumeMode be set once, and neither changed nor removed after', () => {
    expect(validateContent(aContent({ sourceVolumeMode: 'Block' }), aContent())).toEqual([]);
    const block = aContent({ sourceVolumeMode: 'Block' });
    expect(shortly(validateContent(aContent({ sourceVolumeMode: 'Filesystem' }), block))).toEqual(['spec.sourceVolumeMode: sourceVolumeMode is immutable']);
    expect(shortly(validateContent(aContent({ sourceVolumeMode: null }), block))).toEqual(['spec: sourceVolumeMode is required once set']);
  });

  it('lets a group reference gain its uid once', () => {
    const bound = aGroupContent({ volumeGroupSnapshotRef: { name: 'g', namespace: 'n', uid: '1' } });
    expect(validateGroupContent(bound, aGroupContent())).toEqual([]);
    const other = aGroupContent({ volumeGroupSnapshotRef: { name: 'g', namespace: 'n', uid: '2' } });
    expect(shortly(validateGroupContent(other, bound))).toEqual(['spec.volumeGroupSnapshotRef: volumeGroupSnapshotRef.uid is immutable once set']);
  });

  it('lets the handle of a group be removed from its status, and not be replaced', () => {
    const handled = { ...aGroupContent(), status: { volumeGroupSnapshotHandle: 'h' } };
    expect(validateGroupContent({ ...aGroupContent(), status: {} }, handled)).toEqual([]);
    expect(validateGroupContent({ ...aGroupContent(), status: { volumeGroupSnapshotHandle: 'i' } }, handled)).toHaveLength(1);
  });

  it('holds v1beta1 objects to the rules of v1beta1 only', () => {
    const groupClass = { metadata: { name: 'k' }, driver: 'd', deletionPolicy: 'Delete' as const };
    expect(validateGroupClass({ ...groupClass, driver: 'e' }, groupClass)).toHaveLength(1);
    const apiVersion = 'groupsnapshot.storage.k8s.io/v1beta1';
    expect(validateGroupClass({ ...groupClass, apiVersion, driver: 'e' }, { ...groupClass, apiVersion })).toEqual([]);
  });

  it('finds faults of shape, and then checks no rules', () => {
    const content = { apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshotContent', metadata: {}, spec: { deletionPolicy: 'Keep', source: {} } };
    expect(shortly(validateAny(content))).toEqual([
      'spec.driver: Required value',
      'spec.volumeSnapshotRef: Required value',
      'spec.deletionPolicy: Unsupported value: "Keep": supported values: "Delete", "Retain"',
    ]);
  });

  it.each([
    [{ restoreSize: 'big' }, 'pattern'],
    [{ restoreSize: true }, 'type'],
    [{ creationTime: 'yesterday' }, 'format'],
    [{ readyToUse: 'true' }, 'type'],
  ])('refuses the status %j by its %s', (status, rule) => {
    const snapshot = { ...aSnapshot(), apiVersion: 'snapshot.storage.k8s.io/v1', kind: 'VolumeSnapshot', status };
    expect(validateAny(snapshot)?.map((violation) => violation.rule)).toEqual([rule]);
  });

  it('takes an int64 beyond a double', () => {
    expect(validateContent({ ...aContent(), status: { creationTime: 1795412439123456789n, restoreSize: 0 } })).toEqual([]);
    expect(shortly(validateContent({ ...aContent(), status: { restoreSize: -1 } }))).toEqual(['status.restoreSize: should be greater than or equal to 0']);
  });

  it('refuses versions it does not know, and leaves other kinds alone', () => {
    expect(validateSnapshot({ ...aSnapshot(), apiVersion: 'snapshot.storage.k8s.io/v9' })[0]?.rule).toBe('known-version');
    expect(validateAny({ apiVersion: 'v1', kind: 'ConfigMap', metadata: {} })).toBeUndefined();
  });
});
