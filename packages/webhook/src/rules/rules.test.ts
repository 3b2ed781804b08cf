// The pure decisions, one sentence per row.
import { Annotation, Finalizer, type PersistentVolumeClaim, type VolumeSnapshot, type VolumeSnapshotContent } from '@snapshot-stack/api-types';
import { describe, expect, it } from 'vitest';
import type { Finding } from '../review/verdict.ts';
import { decideBinding, type BindingSeen } from './content-bound-elsewhere.ts';
import { decideUse } from './delete-policy-in-use.ts';
import { decideDriver } from './known-driver.ts';
import { decideDefaults, type DefaultsSeen } from './one-default-class.ts';
import { decideMode } from './volume-mode-change.ts';

const kinds = (findings: readonly Finding[]): string[] => findings.map(({ kind }) => kind);

describe('one default class per driver', () => {
  const seen: DefaultsSeen = { kind: 'VolumeSnapshotClass', name: 'b', driver: 'd', isNew: true, others: [] };
  it.each<[string, Partial<DefaultsSeen>, string[]]>([
    ['allows the first', {}, []],
    ['denies a second', { others: ['a'] }, ['deny']],
    ['only warns where there were two before', { others: ['a'], isNew: false }, ['warn']],
  ])('%s', (_name, part, expected) => {
    expect(kinds(decideDefaults({ ...seen, ...part }))).toEqual(expected);
  });

  it('says it in the words of upstream, and how to mend it', () => {
    expect(decideDefaults({ ...seen, others: ['a'] })).toMatchObject([
      {
        field: `metadata.annotations[${Annotation.isDefaultClass}]`,
        message: 'default snapshot class: a already exists for driver: d',
        remedy: expect.stringContaining(`kubectl annotate volumesnapshotclass a ${Annotation.isDefaultClass}-`),
      },
    ]);
    expect(decideDefaults({ ...seen, kind: 'VolumeGroupSnapshotClass', others: ['a'] })).toMatchObject([
      { field: `metadata.annotations[${Annotation.isDefaultGroupClass}]`, message: 'default group snapshot class: a already exists for driver: d' },
    ]);
  });
});

describe('a content and the snapshot it refers to', () => {
  const content = (name: string, uid?: string): VolumeSnapshotContent => ({
    metadata: { name },
    spec: {
      driver: 'd',
      deletionPolicy: 'Delete',
      source: { snapshotHandle: 'h' },
      volumeSnapshotRef: { name: 's', namespace: 'ns', ...(uid !== undefined && { uid }) },
    },
  });
  const snapshot = (bound?: string, source: VolumeSnapshot['spec']['source'] = { persistentVolumeClaimName: 'c' }): VolumeSnapshot => ({
    metadata: { name: 's', namespace: 'ns', uid: 'u' },
    spec: { source },
    ...(bound !== undefined && { status: { boundVolumeSnapshotContentName: bound } }),
  });
  it.each<[string, BindingSeen, string[]]>([
    ['allows one whose snapshot is not there yet', { content: content('x'), snapshot: undefined, rivals: [] }, []],
    ['allows one whose snapshot is not bound', { content: content('x'), snapshot: snapshot(), rivals: [content('y')] }, []],
    ['allows the one that the snapshot is bound to', { content: content('x', 'u'), snapshot: snapshot('x'), rivals: [] }, []],
    ['denies one whose snapshot is bound to another', { content: content('x'), snapshot: snapshot('y'), rivals: [] }, ['deny']],
    [
      'denies one whose snapshot another is bound to, though the snapshot does not say so yet',
      { content: content('x'), snapshot: snapshot(), rivals: [content('y', 'u')] },
      ['deny'],
    ],
    ['allows one that means an earlier snapshot of that name', { content: content('x', 'old'), snapshot: snapshot('y'), rivals: [] }, []],
    [
      "allows the controller's own for a snapshot of a claim, whatever else there is",
      { content: content('snapcontent-u', 'u'), snapshot: snapshot(), rivals: [content('y', 'u')] },
      [],
    ],
    [
      'allows the one that the snapshot names itself',
      { content: content('x', 'u'), snapshot: snapshot('y', { volumeSnapshotContentName: 'x' }), rivals: [] },
      [],
    ],
  ])('%s', (_name, seen, expected) => {
    expect(kinds(decideBinding(seen))).toEqual(expected);
  });

  it('names both', () => {
    expect(decideBinding({ content: content('x'), snapshot: snapshot('y'), rivals: [] })).toMatchObject([
      { field: 'spec.volumeSnapshotRef', message: 'VolumeSnapshot ns/s is already bound to VolumeSnapshotContent y' },
    ]);
  });

  const claim = (name: string): PersistentVolumeClaim => ({ metadata: { name, namespace: 'ns' }, spec: {} });
  const use = { content: content('x'), snapshot: snapshot('x'), restoring: [], twins: [] };
  it('warns of policy Delete where claims are being restored', () => {
    expect(decideUse(use)).toEqual([]);
    expect(decideUse({ ...use, restoring: [claim('a')] })).toMatchObject([{ kind: 'warn', text: expect.stringContaining('ns/a is being restored') }]);
    const many = ['e', 'd', 'c', 'b', 'a'].map(claim);
    expect(decideUse({ ...use, restoring: many })).toMatchObject([{ text: expect.stringContaining('ns/a, ns/b, ns/c and 2 more are being restored') }]);
  });

  it('warns of policy Delete where a provisioner holds the snapshot', () => {
    const held = { ...snapshot('x'), metadata: { ...snapshot().metadata, finalizers: [Finalizer.snapshotBeingRestored] } };
    expect(decideUse({ ...use, snapshot: held })).toMatchObject([{ kind: 'warn', text: expect.stringContaining('a provisioner is restoring') }]);
  });

  it('warns of policy Delete where another content stands for the same data', () => {
    expect(decideUse({ ...use, twins: [content('y')] })).toMatchObject([{ kind: 'warn', text: expect.stringContaining('y stands for the same snapshot h') }]);
  });
});

describe('the driver of a class', () => {
  it.each([
    [true, []],
    [undefined, []],
    [false, ['warn']],
  ])('that exists: %s gives %j', (exists, expected) => {
    expect(kinds(decideDriver({ driver: 'd', exists }))).toEqual(expected);
  });
});

describe('the annotation allow-volume-mode-change', () => {
  it('may be changed by those who have the verb', () => {
    expect(decideMode({ user: 'jane', access: { kind: 'allowed' } })).toEqual([]);
  });

  it('may not be changed by others, who are told the verb', () => {
    expect(decideMode({ user: 'jane', access: { kind: 'refused' } })).toMatchObject([
      {
        kind: 'deny',
        reason: 'Forbidden',
        remedy: expect.stringContaining('the verb allow-volume-mode-change on volumesnapshotcontents.snapshot.storage.k8s.io'),
      },
    ]);
  });

  it('may not be changed where nobody can say who may', () => {
    expect(decideMode({ user: 'jane', access: { kind: 'unknown', why: 'gone' } })).toMatchObject([{ kind: 'deny', reason: 'ServiceUnavailable' }]);
  });
});
