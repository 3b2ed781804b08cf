// One sentence per row: what is seen of a snapshot, and what is to be done.
import { Finalizer } from '@snapshot-stack/api-types';
import { describe, expect, test } from 'vitest';
import { CONTENT_NAME, NOW, OTHER_UID, aClaim, aClass, aContent, aSnapshot, aVolume, seen } from '../testing/builders.ts';
import { decide, type Seen } from './decide.ts';
import type { Plan } from './plan.ts';
import type { SourceSeen } from './source.ts';

const source = (more: Partial<SourceSeen>): SourceSeen => ({
  namedClass: aClass(),
  defaultClasses: [],
  claim: aClaim(),
  volume: aVolume(),
  node: undefined,
  ...more,
});
const kinds = (plan: Plan): string[] => plan.actions.map(({ kind }) => kind);
const reasonOf = (plan: Plan): string | undefined => plan.actions.flatMap((action) => (action.kind === 'say' ? [action.reason] : []))[0];

interface Row {
  says: string;
  sees: Partial<Seen>;
  does: string[];
  next?: Plan['next']['kind'];
  reason?: string;
}

const rows: Row[] = [
  { says: 'does nothing for a snapshot that is gone', sees: { snapshot: undefined }, does: [] },
  {
    says: 'holds snapshot and claim before content exists, and then makes the content',
    sees: {},
    does: ['holdSnapshot', 'holdClaim', 'createContent', 'say'],
    reason: 'CreatingSnapshot',
  },
  {
    says: 'goes on with a snapshot that was held before the process died',
    sees: { snapshot: aSnapshot({ held: true }) },
    does: ['holdClaim', 'createContent', 'say'],
  },
  {
    says: 'records the one default class with the hold',
    sees: { snapshot: aSnapshot({ className: undefined }), source: source({ namedClass: undefined, defaultClasses: [aClass()] }) },
    does: ['holdSnapshot', 'holdClaim', 'createContent', 'say'],
  },
  {
    says: 'waits for a default class',
    sees: { snapshot: aSnapshot({ className: undefined }), source: source({ namedClass: undefined }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
    reason: 'SetDefaultSnapshotClassFailed',
  },
  {
    says: 'does not choose among two default classes',
    sees: { snapshot: aSnapshot({ className: undefined }), source: source({ defaultClasses: [aClass({ name: 'a' }), aClass({ name: 'b' })] }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
    reason: 'SetDefaultSnapshotClassFailed',
  },
  {
    says: 'waits for the class that is named',
    sees: { source: source({ namedClass: undefined }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
    reason: 'GetSnapshotClassFailed',
  },
  {
    says: 'refuses a class of another driver',
    sees: { source: source({ namedClass: aClass({ driver: 'other' }) }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
    reason: 'SnapshotContentCreationFailed',
  },
  {
    says: 'waits for the claim',
    sees: { source: source({ claim: undefined, volume: undefined }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
    reason: 'SnapshotContentCreationFailed',
  },
  {
    says: 'waits for the claim to be bound',
    sees: { source: source({ claim: aClaim({ bound: false }), volume: undefined }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
    reason: 'SnapshotContentCreationFailed',
  },
  { says: 'waits for the volume', sees: { source: source({ volume: undefined }) }, does: ['setStatus', 'say'], next: 'blocked' },
  {
    says: 'refuses a volume that is bound to another claim of the same name',
    sees: { source: source({ volume: aVolume({ claimUid: 'old' }) }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
  },
  {
    says: 'refuses a volume that is no CSI volume',
    sees: { source: source({ volume: aVolume({ driver: null }) }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
  },
  {
    says: 'does not start on a claim that is being deleted',
    sees: { source: source({ claim: aClaim({ deleted: true }) }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
  },
  {
    says: 'lets go of a snapshot whose claim is going before content was made',
    sees: { snapshot: aSnapshot({ held: true }), source: source({ claim: aClaim({ deleted: true }) }) },
    does: ['releaseSnapshot', 'setStatus', 'say'],
    next: 'blocked',
  },
  {
    says: 'starts on a claim that is being deleted while another snapshot keeps it',
    sees: { source: source({ claim: aClaim({ deleted: true, held: true }) }) },
    does: ['holdSnapshot', 'holdClaim', 'createContent', 'say'],
  },
  {
    says: 'refuses half a secret reference',
    sees: { source: source({ namedClass: aClass({ parameters: { 'csi.storage.k8s.io/snapshotter-secret-name': 'x' } }) }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
    reason: 'SnapshotContentCreationFailed',
  },
  {
    says: 'does not repeat what the status says already',
    sees: { snapshot: aSnapshot({ error: 'VolumeSnapshotContent is missing', bound: true, content: 'c' }) },
    does: [],
    next: 'blocked',
  },
  {
    says: 'gives a fresh content a moment',
    sees: { snapshot: aSnapshot({ held: true }), content: aContent({ creating: true }), now: NOW - 9_500 },
    does: [],
    next: 'after',
  },
  {
    says: 'shows the name of a content that takes long',
    sees: { snapshot: aSnapshot({ held: true }), content: aContent({ creating: true }) },
    does: ['setStatus'],
  },
  {
    says: 'tells all at once when the content is ready',
    sees: { snapshot: aSnapshot({ held: true }), content: aContent({ ready: true }), now: NOW - 9_900 },
    does: ['setStatus', 'say', 'say'],
    reason: 'SnapshotCreated',
  },
  {
    says: "tells the driver's error",
    sees: { snapshot: aSnapshot({ held: true, bound: true }), content: aContent({ error: 'no space' }) },
    does: ['setStatus', 'say'],
    reason: 'SnapshotCreationFailed',
  },
  {
    says: 'has nothing to add to a status that is true',
    sees: { snapshot: aSnapshot({ held: true, ready: true }), content: aContent({ ready: true }) },
    does: [],
    next: 'settled',
  },
  {
    says: 'is not disturbed by a class that went after the snapshot was made',
    sees: { snapshot: aSnapshot({ held: true, ready: true }), content: aContent({ ready: true }), source: undefined },
    does: [],
  },
  {
    says: 'says that a ready snapshot has lost its content, and makes no other',
    sees: { snapshot: aSnapshot({ held: true, ready: true }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
    reason: 'SnapshotContentMissing',
  },
  {
    says: "does not touch another snapshot's content at its name",
    sees: { snapshot: aSnapshot({ held: true }), content: aContent({ uid: OTHER_UID }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
    reason: 'SnapshotContentMisbound',
  },
  {
    says: 'waits for a content that was made by hand',
    sees: { snapshot: aSnapshot({ content: 'hand' }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
    reason: 'SnapshotContentMissing',
  },
  {
    says: 'binds to a content made by hand, and tells its state in the same pass',
    sees: { snapshot: aSnapshot({ content: 'hand' }), content: aContent({ name: 'hand', handle: 'h', uid: undefined, held: false, ready: true }) },
    does: ['holdSnapshot', 'bindContent', 'setStatus', 'say', 'say'],
  },
  {
    says: 'does not bind a content that names another snapshot',
    sees: { snapshot: aSnapshot({ content: 'hand' }), content: aContent({ name: 'hand', handle: 'h', uid: undefined, snapshotName: 'else' }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
    reason: 'SnapshotContentMisbound',
  },
  {
    says: 'does not bind a content that belonged to a snapshot of this name before',
    sees: { snapshot: aSnapshot({ content: 'hand' }), content: aContent({ name: 'hand', handle: 'h', uid: OTHER_UID }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
    reason: 'SnapshotContentMisbound',
  },
  {
    says: 'does not bind a content without a handle',
    sees: { snapshot: aSnapshot({ content: 'hand' }), content: aContent({ name: 'hand', uid: undefined }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
    reason: 'SnapshotContentMismatch',
  },
  {
    says: 'does not bind a content that is going',
    sees: { snapshot: aSnapshot({ content: 'hand' }), content: aContent({ name: 'hand', handle: 'h', uid: undefined, deleted: true }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
    reason: 'SnapshotContentMissing',
  },
  {
    says: 'takes off the mark of an earlier snapshot when it binds',
    sees: { snapshot: aSnapshot({ content: 'hand', held: true }), content: aContent({ name: 'hand', handle: 'h', marked: true, ready: true }) },
    does: ['bindContent', 'setStatus', 'say', 'say'],
  },
  {
    says: 'marks and deletes the content of a deleted snapshot',
    sees: { snapshot: aSnapshot({ held: true, ready: true, deleted: true }), content: aContent({ ready: true }) },
    does: ['markContent', 'deleteContent'],
    next: 'settled',
  },
  {
    says: 'only marks what an administrator deleted first',
    sees: { snapshot: aSnapshot({ held: true, ready: true, deleted: true }), content: aContent({ ready: true, deleted: true }) },
    does: ['markContent'],
  },
  {
    says: 'deletes what was marked before the process died',
    sees: { snapshot: aSnapshot({ held: true, ready: true, deleted: true }), content: aContent({ ready: true, marked: true }) },
    does: ['deleteContent'],
  },
  {
    says: 'waits for the sidecar',
    sees: { snapshot: aSnapshot({ held: true, deleted: true }), content: aContent({ marked: true, deleted: true }) },
    does: [],
    next: 'settled',
  },
  {
    says: 'tells why the driver does not delete',
    sees: { snapshot: aSnapshot({ held: true, deleted: true }), content: aContent({ marked: true, deleted: true, error: 'in use' }) },
    does: ['setStatus', 'say'],
    reason: 'SnapshotDeleteError',
  },
  {
    says: 'keeps the content under policy Retain',
    sees: { snapshot: aSnapshot({ held: true, deleted: true }), content: aContent({ policy: 'Retain', ready: true }) },
    does: ['markContent', 'releaseSnapshot'],
  },
  {
    says: 'waits with the mark while the sidecar has yet to say that the creation is over',
    sees: { snapshot: aSnapshot({ held: true, ready: true, deleted: true }), content: aContent({ policy: 'Retain', ready: true, creating: true }) },
    does: [],
    next: 'after',
  },
  {
    says: 'waits for that no longer than half a minute',
    sees: {
      snapshot: aSnapshot({ held: true, ready: true, deleted: true }),
      content: aContent({ ready: true, creating: true }),
      now: NOW + 60_000,
    },
    does: ['markContent', 'deleteContent'],
  },
  { says: 'releases a snapshot that has no content', sees: { snapshot: aSnapshot({ held: true, deleted: true }) }, does: ['releaseSnapshot'] },
  {
    says: "releases a snapshot without touching another's content",
    sees: { snapshot: aSnapshot({ held: true, deleted: true }), content: aContent({ uid: OTHER_UID }) },
    does: ['releaseSnapshot'],
  },
  {
    says: 'waits while a claim is being restored',
    sees: { snapshot: aSnapshot({ held: true, ready: true, deleted: true }), content: aContent({ ready: true }), restoring: ['copy'] },
    does: ['setStatus', 'say'],
    next: 'blocked',
    reason: 'SnapshotDeletePending',
  },
  {
    says: "waits for a provisioner's finalizer",
    sees: {
      snapshot: aSnapshot({ held: true, ready: true, deleted: true, finalizers: [Finalizer.snapshotBeingRestored] }),
      content: aContent({ ready: true }),
    },
    does: ['setStatus', 'say'],
    next: 'blocked',
    reason: 'SnapshotDeletePending',
  },
  {
    says: 'waits for the group of a member',
    sees: { snapshot: aSnapshot({ ready: true, deleted: true, finalizers: [Finalizer.snapshotInGroup] }), content: aContent({ ready: true }) },
    does: ['setStatus', 'say'],
    next: 'blocked',
    reason: 'SnapshotDeletePending',
  },
  { says: 'makes no content for a member of a group', sees: { snapshot: aSnapshot({ finalizers: [Finalizer.snapshotInGroup] }) }, does: [] },
];

describe('decide', () => {
  test.each(rows)('$says', ({ sees, does, next, reason }) => {
    const plan = decide(seen(sees));
    expect(kinds(plan)).toEqual(does);
    if (next !== undefined) expect(plan.next.kind).toBe(next);
    if (reason !== undefined) expect(reasonOf(plan)).toBe(reason);
    expect(plan.why).not.toBe('');
  });

  test('the hold has both finalizers under policy Delete, and one under Retain', () => {
    const holdUnder = (policy: 'Delete' | 'Retain'): unknown => decide(seen({ source: source({ namedClass: aClass({ policy }) }) })).actions[0];
    expect(holdUnder('Delete')).toMatchObject({ finalizers: [Finalizer.snapshotAsSource, Finalizer.snapshotBound] });
    expect(holdUnder('Retain')).toMatchObject({ finalizers: [Finalizer.snapshotAsSource] });
  });

  test('the new content carries its finalizer, the guard and the secret of the class from the first moment', () => {
    const parameters = {
      'csi.storage.k8s.io/snapshotter-secret-name': '${volumesnapshot.name}',
      'csi.storage.k8s.io/snapshotter-secret-namespace': '${volumesnapshot.namespace}',
    };
    const [create] = decide(seen({ source: source({ namedClass: aClass({ parameters }) }) })).actions.filter(({ kind }) => kind === 'createContent');
    expect(create).toMatchObject({
      content: {
        metadata: {
          name: CONTENT_NAME,
          finalizers: [Finalizer.content],
          annotations: {
            'snapshot.storage.kubernetes.io/volumesnapshot-being-created': 'yes',
            'snapshot.storage.kubernetes.io/deletion-secret-name': 'snap',
            'snapshot.storage.kubernetes.io/deletion-secret-namespace': 'ns',
          },
        },
        spec: { source: { volumeHandle: 'volume-1' }, sourceVolumeMode: 'Filesystem', deletionPolicy: 'Delete' },
      },
    });
  });

  test('the status cuts nanoseconds to seconds and writes sizes as quantities', () => {
    const [set] = decide(seen({ snapshot: aSnapshot({ held: true }), content: aContent({ ready: true }) })).actions;
    expect(set).toMatchObject({
      status: { creationTime: '2026-11-23T12:00:00Z', restoreSize: '1Gi', readyToUse: true, boundVolumeSnapshotContentName: CONTENT_NAME },
    });
  });
});
