import { Annotation, type VolumeSnapshotContent } from '@snapshot-stack/api-types';
import { DRIVER, aContent } from '@snapshot-stack/snapshot-controller/testing';
import { describe, expect, test } from 'vitest';
import { decideContent, type ContentSeen } from './decide.ts';
import type { ContentPlan } from './plan.ts';

const member = (content: VolumeSnapshotContent): VolumeSnapshotContent => ({
  ...content,
  metadata: { ...content.metadata, annotations: { ...content.metadata.annotations, [Annotation.groupSnapshotHandle]: 'g-1' } },
});
const get = { getSnapshot: true, listSnapshots: true };
const list = { getSnapshot: false, listSnapshots: true };
const neither = { getSnapshot: false, listSnapshots: false };

interface Row {
  says: string;
  sees: Partial<ContentSeen>;
  does: Partial<ContentPlan>;
}

const rows: Row[] = [
  { says: 'ignores a content that is gone', sees: { content: undefined }, does: { kind: 'nothing' } },
  { says: 'ignores the contents of other drivers', sees: { content: aContent(), driver: 'other' }, does: { kind: 'nothing' } },
  { says: 'creates what its controller asked for', sees: { content: aContent({ creating: true }) }, does: { kind: 'create', keepGuard: false } },
  { says: "creates what upstream's controller asked for, without guard and finalizer", sees: { content: aContent({ held: false }) }, does: { kind: 'create' } },
  {
    says: 'keeps the guard for a driver that can only be asked by creating',
    sees: { content: aContent({ creating: true }), abilities: neither },
    does: { kind: 'create', keepGuard: true },
  },
  {
    says: 'asks by GetSnapshot where offered',
    sees: { content: aContent({ cut: true }), abilities: get },
    does: { kind: 'check', by: 'GetSnapshot', handle: 'id-1' },
  },
  {
    says: 'asks by ListSnapshots else',
    sees: { content: aContent({ cut: true }), abilities: list },
    does: { kind: 'check', by: 'ListSnapshots', thenCreate: true },
  },
  { says: 'asks by CreateSnapshot at last', sees: { content: aContent({ cut: true }), abilities: neither }, does: { kind: 'create', keepGuard: true } },
  {
    says: 'looks for an imported handle and never creates it',
    sees: { content: aContent({ handle: 'h', uid: undefined }) },
    does: { kind: 'check', handle: 'h', thenCreate: false },
  },
  {
    says: 'trusts an imported handle where the driver cannot be asked',
    sees: { content: aContent({ handle: 'h' }), abilities: neither },
    does: { kind: 'check', by: 'trust' },
  },
  { says: 'leaves a ready content alone', sees: { content: aContent({ ready: true }) }, does: { kind: 'nothing' } },
  { says: 'takes a stale guard off a ready content', sees: { content: aContent({ ready: true, creating: true }) }, does: { kind: 'dropGuard' } },
  { says: 'never creates a member of a group', sees: { content: member(aContent()) }, does: { kind: 'nothing' } },
  { says: 'asks for a member whose handle is known', sees: { content: member(aContent({ cut: true })) }, does: { kind: 'check', thenCreate: false } },
  {
    says: 'lets a member go without deleting it',
    sees: { content: member(aContent({ ready: true, marked: true, deleted: true })) },
    does: { kind: 'delete', handle: undefined },
  },
  {
    says: 'deletes a marked content at the driver',
    sees: { content: aContent({ ready: true, marked: true, deleted: true }) },
    does: { kind: 'delete', handle: 'id-1' },
  },
  {
    says: 'lets a marked content under Retain go without the driver',
    sees: { content: aContent({ policy: 'Retain', ready: true, marked: true, deleted: true }) },
    does: { kind: 'delete', handle: undefined },
  },
  { says: 'does not delete what is deleted but whose snapshot lives', sees: { content: aContent({ ready: true, deleted: true }) }, does: { kind: 'nothing' } },
  {
    says: 'deletes an imported snapshot before its state was ever read',
    sees: { content: aContent({ handle: 'h', marked: true, deleted: true }) },
    does: { kind: 'delete', handle: 'h' },
  },
  {
    says: 'lets an imported content go that nobody bound',
    sees: { content: aContent({ handle: 'h', uid: undefined, deleted: true }) },
    does: { kind: 'delete', handle: 'h' },
  },
  {
    says: 'finds out by creating once more what a dead process may have created',
    sees: { content: aContent({ creating: true, marked: true, deleted: true }) },
    does: { kind: 'create' },
  },
  {
    says: 'knows that nothing runs when its own call was answered',
    sees: { content: aContent({ creating: true, marked: true, deleted: true }), createAnswered: true },
    does: { kind: 'delete', handle: undefined },
  },
  {
    says: 'needs no further call when the handle is recorded',
    sees: { content: aContent({ creating: true, cut: true, marked: true, deleted: true }) },
    does: { kind: 'delete', handle: 'id-1' },
  },
  {
    says: 'asks again when a polling call may be running',
    sees: { content: aContent({ creating: true, cut: true, marked: true, deleted: true }), abilities: neither },
    does: { kind: 'create' },
  },
  { says: 'begins nothing for a content that is going', sees: { content: aContent({ deleted: true }) }, does: { kind: 'nothing' } },
  {
    says: 'does nothing more once its finalizer is off',
    sees: { content: aContent({ ready: true, marked: true, deleted: true, held: false }) },
    does: { kind: 'nothing' },
  },
];

describe('decideContent', () => {
  test.each(rows)('$says', ({ sees, does }) => {
    expect(decideContent({ content: undefined, driver: DRIVER, abilities: list, createAnswered: false, ...sees })).toMatchObject(does);
  });
});
