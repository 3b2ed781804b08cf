import {
  Annotation,
  Finalizer,
  Label,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type StorageClass,
  type VolumeSnapshot,
  type VolumeSnapshotContent,
} from '@snapshot-stack/api-types';
import { describe, expect, it } from 'vitest';
import { dataSourceOf } from '../cluster.ts';
import { CLAIM_FINALIZER, decideClaim, volumeNameFor, type SeenClaim } from './decide.ts';

const DRIVER = 'hostpath.csi.k8s.io';

function aClaim(change: Partial<PersistentVolumeClaim['spec']> = {}, metadata: Partial<PersistentVolumeClaim['metadata']> = {}): PersistentVolumeClaim {
  return {
    metadata: {
      name: 'claim',
      namespace: 'ns',
      uid: '11111111-2222-3333-4444-555555555555',
      annotations: { [Annotation.storageProvisioner]: DRIVER },
      ...metadata,
    },
    spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'sc', resources: { requests: { storage: '1Gi' } }, ...change },
    status: { phase: 'Pending' },
  };
}

const marked = { finalizers: [CLAIM_FINALIZER] };
const aClass: StorageClass = { metadata: { name: 'sc' }, provisioner: DRIVER };
const fromSnapshot = { dataSource: { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'snap' } };
const fromClaim = { dataSource: { kind: 'PersistentVolumeClaim', name: 'source' } };

function aSnapshot(status: VolumeSnapshot['status'] = {}, finalizers: string[] = []): VolumeSnapshot {
  return {
    metadata: { name: 'snap', namespace: 'ns', uid: 'snap-uid', finalizers },
    spec: { source: { persistentVolumeClaimName: 'source' } },
    status: { boundVolumeSnapshotContentName: 'content', readyToUse: true, restoreSize: '1Gi', ...status },
  };
}

function aContent(spec: Partial<VolumeSnapshotContent['spec']> = {}, annotations: Record<string, string> = {}): VolumeSnapshotContent {
  return {
    metadata: { name: 'content', annotations },
    spec: {
      deletionPolicy: 'Delete',
      driver: DRIVER,
      source: { volumeHandle: 'v' },
      sourceVolumeMode: 'Filesystem',
      volumeSnapshotRef: { name: 'snap', namespace: 'ns', uid: 'snap-uid' },
      ...spec,
    },
    status: { snapshotHandle: 'handle', readyToUse: true },
  };
}

function seen(change: Partial<SeenClaim> = {}): SeenClaim {
  const claim = change.claim ?? aClaim();
  return {
    claim,
    storageClass: aClass,
    driver: DRIVER,
    abilities: { snapshots: true, clones: true, modify: true },
    volumeName: 'pvc-x',
    volume: undefined,
    source: dataSourceOf(claim),
    snapshot: undefined,
    content: undefined,
    sourceClaim: undefined,
    sourceVolume: undefined,
    sourceGranted: false,
    crossNamespace: false,
    preventModeConversion: true,
    node: undefined,
    labels: {},
    nodeTakesImmediate: true,
    attributesClass: undefined,
    honoursAttributes: true,
    ...change,
  };
}

const restoring = (change: Partial<SeenClaim> = {}): SeenClaim =>
  seen({ claim: aClaim(fromSnapshot, marked), snapshot: aSnapshot({}, [Finalizer.snapshotBeingRestored]), content: aContent(), ...change });

describe('a claim without a source', () => {
  it.each<[string, SeenClaim, string]>([
    ['is marked before the driver is asked', seen(), 'mark'],
    ['is provisioned once it is marked', seen({ claim: aClaim({}, marked) }), 'provision'],
    ['of another provisioner is left alone', seen({ claim: aClaim({}, { annotations: { [Annotation.storageProvisioner]: 'other' } }) }), 'settled'],
    ['waits for its class', seen({ storageClass: undefined }), 'waiting'],
    ['waits for a pod when its class says so', seen({ storageClass: { ...aClass, volumeBindingMode: 'WaitForFirstConsumer' } }), 'settled'],
    ['with a selector can never be provisioned', seen({ claim: aClaim({ selector: { matchLabels: { a: 'b' } } }) }), 'blocked'],
    [
      'that was scheduled to another node is left to that node',
      seen({ node: 'here', claim: aClaim({}, { annotations: { [Annotation.storageProvisioner]: DRIVER, [Annotation.selectedNode]: 'there' } }) }),
      'settled',
    ],
    ['that is deleted before anything was begun needs nothing', seen({ claim: aClaim({}, { deletionTimestamp: 'now' }) }), 'settled'],
    ['that is deleted while a volume may exist for it is abandoned with care', seen({ claim: aClaim({}, { ...marked, deletionTimestamp: 'now' }) }), 'abandon'],
  ])('%s', (_name, world, kind) => expect(decideClaim(world).kind).toBe(kind));

  it('is let go when its volume is saved, whoever saved it', () => {
    const volume: PersistentVolume = { metadata: { name: 'pvc-x' }, spec: { claimRef: { uid: aClaim().metadata.uid ?? '' } } };
    expect(decideClaim(seen({ claim: aClaim({}, marked), volume })).kind).toBe('unmark');
    expect(decideClaim(seen({ claim: aClaim({ volumeName: 'pvc-x' }), volume })).kind).toBe('settled');
  });

  it('that got the volume of somebody else while its own was under way has its own removed', () => {
    expect(decideClaim(seen({ claim: aClaim({ volumeName: 'made-by-hand' }, marked) })).kind).toBe('abandon');
    expect(decideClaim(seen({ claim: aClaim({ volumeName: 'made-by-hand' }) })).kind).toBe('settled');
    // Bound to its own, which this process has not seen yet.
    expect(decideClaim(seen({ claim: aClaim({ volumeName: 'pvc-x' }, marked) })).kind).toBe('unmark');
  });

  it('does not take the volume of another claim for its own', () => {
    const volume: PersistentVolume = { metadata: { name: 'pvc-x' }, spec: { claimRef: { uid: 'somebody-else' } } };
    expect(decideClaim(seen({ claim: aClaim({}, marked), volume })).kind).toBe('provision');
  });
});

describe('a claim from a snapshot', () => {
  it('holds the snapshot before the driver is asked, then restores', () => {
    expect(decideClaim(restoring({ snapshot: aSnapshot() })).kind).toBe('hold');
    expect(decideClaim(restoring())).toMatchObject({ kind: 'provision', origin: { kind: 'snapshot', handle: 'handle' } });
  });

  it.each<[string, Partial<SeenClaim>, 'waiting' | 'blocked', RegExp]>([
    ['waits for a snapshot that does not exist', { snapshot: undefined }, 'waiting', /ns\/snap, which does not exist/],
    ['waits for the snapshot to be bound', { snapshot: aSnapshot({ boundVolumeSnapshotContentName: '' }) }, 'waiting', /to be bound/],
    [
      'waits for the snapshot to be ready, and passes its trouble on',
      { snapshot: aSnapshot({ readyToUse: false, error: { message: 'disk on fire' } }) },
      'waiting',
      /ready to use \(its own trouble: disk on fire\)/,
    ],
    [
      'refuses a content that belongs to another snapshot',
      { content: aContent({ volumeSnapshotRef: { name: 'snap', namespace: 'ns', uid: 'older' } }) },
      'blocked',
      /belongs to another snapshot/,
    ],
    ['refuses a snapshot of another driver', { content: aContent({ driver: 'other' }) }, 'blocked', /use a StorageClass of other/],
    ['states the size that is needed', { snapshot: aSnapshot({ restoreSize: '2Gi' }) }, 'blocked', /needs at least 2Gi/],
    [
      'refuses a snapshot that is being deleted and not held',
      { snapshot: { ...aSnapshot(), metadata: { ...aSnapshot().metadata, deletionTimestamp: 'now' } } },
      'blocked',
      /is being deleted/,
    ],
    [
      'refuses another namespace without the gate',
      { source: { group: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'snap', namespace: 'elsewhere' } },
      'blocked',
      /CrossNamespaceVolumeDataSource/,
    ],
    [
      'refuses another namespace without a grant',
      { crossNamespace: true, source: { group: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: 'snap', namespace: 'elsewhere' } },
      'blocked',
      /ReferenceGrant/,
    ],
    ['refuses when the driver cannot', { abilities: { snapshots: false, clones: true, modify: true } }, 'blocked', /cannot restore snapshots/],
  ])('%s', (_name, change, kind, why) => {
    const plan = decideClaim(restoring(change));
    expect(plan.kind).toBe(kind);
    expect('why' in plan ? plan.why : '').toMatch(why);
  });

  describe('in another volume mode', () => {
    const block = aClaim({ ...fromSnapshot, volumeMode: 'Block' }, marked);
    const judged = (content: VolumeSnapshotContent, preventModeConversion = true) => decideClaim(restoring({ claim: block, content, preventModeConversion }));

    it('is refused with the annotation, the content and who may set it', () => {
      const plan = judged(aContent());
      expect(plan).toMatchObject({
        kind: 'blocked',
        why: expect.stringMatching(/allow-volume-mode-change: "true" on VolumeSnapshotContent content.*administrator/) as string,
      });
    });
    it.each(['true', '1', 't', 'TRUE'])('is allowed by the value %s', (value) =>
      expect(judged(aContent({}, { [Annotation.allowVolumeModeChange]: value })).kind).toBe('provision'),
    );
    it.each(['false', 'yes', ''])('is refused with the value "%s"', (value) =>
      expect(judged(aContent({}, { [Annotation.allowVolumeModeChange]: value })).kind).toBe('blocked'),
    );
    it('is allowed when the source mode is unknown', () => expect(judged(aContent({ sourceVolumeMode: null })).kind).toBe('provision'));
    it('is allowed when the guard is switched off', () => expect(judged(aContent(), false).kind).toBe('provision'));
  });

  it('of an unknown kind is left to its populator', () => {
    const claim = aClaim({ dataSourceRef: { apiGroup: 'example.com', kind: 'Backup', name: 'b' } });
    expect(decideClaim(seen({ claim }))).toMatchObject({ kind: 'settled', why: expect.stringContaining('populator') as string });
  });
});

describe('on one node of several', () => {
  const here = { node: 'here', labels: { host: 'here' } };
  const at = (node: string) => ({ annotations: { [Annotation.storageProvisioner]: DRIVER, [Annotation.selectedNode]: node } });
  const managedBy = (node: string): VolumeSnapshotContent => {
    const content = aContent();
    return { ...content, metadata: { ...content.metadata, labels: { [Label.managedBy]: node } } };
  };
  it.each<[string, SeenClaim, string]>([
    ['a claim that is bound at once is taken', seen(here), 'own'],
    ['it is left alone where the flag says so', seen({ ...here, nodeTakesImmediate: false }), 'settled'],
    ['a claim that was taken for this node is worked on', seen({ ...here, claim: aClaim({}, at('here')) }), 'mark'],
    ['a snapshot of this node is restored here', restoring({ ...here, claim: aClaim(fromSnapshot), content: managedBy('here') }), 'own'],
    ['a snapshot of another node is restored there', restoring({ ...here, claim: aClaim(fromSnapshot), content: managedBy('there') }), 'settled'],
    [
      'the volume of a deleted claim of another node is left to that node',
      seen({ ...here, claim: aClaim({}, { ...at('there'), ...marked, deletionTimestamp: 'now' }) }),
      'settled',
    ],
  ])('%s', (_name, world, kind) => expect(decideClaim(world).kind).toBe(kind));
});

describe('a clone', () => {
  const from: PersistentVolumeClaim = {
    ...aClaim({ volumeName: 'pv' }, { name: 'source', uid: 'source-uid', finalizers: [Finalizer.claimBeingCloned] }),
    status: { phase: 'Bound' },
  };
  const volume: PersistentVolume = {
    metadata: { name: 'pv' },
    spec: { capacity: { storage: '1Gi' }, claimRef: { uid: 'source-uid' }, csi: { driver: DRIVER, volumeHandle: 'h' } },
  };
  const cloning = (change: Partial<SeenClaim> = {}): SeenClaim =>
    seen({ claim: aClaim(fromClaim, marked), sourceClaim: from, sourceVolume: volume, ...change });

  it('is made of a bound claim of the same driver, mode and at most its size', () =>
    expect(decideClaim(cloning())).toMatchObject({ kind: 'provision', origin: { kind: 'volume', handle: 'h' } }));
  it.each<[string, Partial<SeenClaim>, RegExp]>([
    ['waits for its source', { sourceClaim: undefined }, /does not exist/],
    ['waits for its source to be bound', { sourceClaim: { ...from, status: { phase: 'Pending' } } }, /to be bound/],
    ['keeps its mode', { claim: aClaim({ ...fromClaim, volumeMode: 'Block' }, marked) }, /a clone keeps its mode/],
    [
      'needs the source’s real size, not what it asked for',
      { sourceVolume: { ...volume, spec: { ...volume.spec, capacity: { storage: '3Gi' } } } },
      /at least 3Gi/,
    ],
  ])('%s', (_name, change, why) => {
    const plan = decideClaim(cloning(change));
    expect('why' in plan ? plan.why : plan.kind).toMatch(why);
  });
});

describe('the name of a volume', () => {
  it('is the prefix and the uid', () => expect(volumeNameFor(aClaim(), 'pvc', -1)).toBe('pvc-11111111-2222-3333-4444-555555555555'));
  it('has the uid cut, without dashes, where a length is given', () => expect(volumeNameFor(aClaim(), 'vol', 12)).toBe('vol-111111112222'));
});
