// Policy Delete put on a content whose data is in use by others: deleting the snapshot would then take it from them.
// The owner may know better, for restores end: hence warnings.
import { Finalizer, hasFinalizer, type PersistentVolumeClaim, type VolumeSnapshot, type VolumeSnapshotContent } from '@snapshot-stack/api-types';
import { handleKeysOf } from '../observe/cluster.ts';
import type { Finding, Warning } from '../review/verdict.ts';
import { crossRule, type CrossRule } from './rule.ts';

const NAME = 'delete-policy-in-use';
const NAMES_MAX = 3;

export interface UseSeen {
  readonly content: VolumeSnapshotContent;
  /** The snapshot that is bound to the content. */
  readonly snapshot: VolumeSnapshot | undefined;
  /** Claims that are being restored from it. */
  readonly restoring: readonly PersistentVolumeClaim[];
  /** Other contents that stand for the same snapshot at the storage system. */
  readonly twins: readonly VolumeSnapshotContent[];
}

export function decideUse({ content, snapshot, restoring, twins }: UseSeen): Finding[] {
  const warnings: Warning[] = [];
  const warn = (text: string): number => warnings.push({ kind: 'warn', rule: NAME, text: `spec.deletionPolicy: ${text}` });
  if (restoring.length > 0) {
    const claims = listed(restoring.map(({ metadata }) => `${metadata.namespace ?? ''}/${metadata.name ?? ''}`));
    warn(`with Delete, deleting the snapshot takes the data that ${claims} ${restoring.length === 1 ? 'is' : 'are'} being restored from`);
  } else if (snapshot !== undefined && hasFinalizer(snapshot, Finalizer.snapshotBeingRestored)) {
    warn('with Delete, deleting the snapshot takes the data that a provisioner is restoring a claim from');
  }
  if (twins.length > 0) {
    const names = listed(twins.map(({ metadata }) => metadata.name ?? ''));
    warn(
      `${names} stand${twins.length === 1 ? 's' : ''} for the same snapshot ${handleOf(content)} at the driver; with Delete, deleting this one takes their data`,
    );
  }
  return warnings;
}

function handleOf({ spec, status }: VolumeSnapshotContent): string {
  return status?.snapshotHandle ?? spec.source.snapshotHandle ?? '';
}

function listed(names: readonly string[]): string {
  const sorted = [...names].sort();
  const rest = sorted.length - NAMES_MAX;
  return rest > 0 ? `${sorted.slice(0, NAMES_MAX).join(', ')} and ${rest} more` : sorted.join(', ');
}

export const deletePolicyInUse: CrossRule = crossRule<VolumeSnapshotContent, UseSeen>({
  name: NAME,
  kinds: ['snapshot.storage.k8s.io/VolumeSnapshotContent'],
  concerns: ({ object, old }) => object.spec.deletionPolicy === 'Delete' && old?.spec.deletionPolicy !== 'Delete',
  observe: async ({ object: content, old }, look) => {
    const name = content.metadata.name ?? '';
    const { namespace = '', name: snapshotName = '' } = content.spec.volumeSnapshotRef;
    const ref = { namespace, name: snapshotName };
    const found = look.snapshot(ref);
    const snapshot = found?.status?.boundVolumeSnapshotContentName === name ? found : undefined;
    const twins = handleKeysOf(content)
      .flatMap((key) => look.contentsOfHandle(key))
      .filter(({ metadata }) => metadata.name !== name);
    // Nobody can be restoring from a content that is only being made.
    const restoring = old === undefined || snapshot === undefined ? [] : await look.claimsRestoring(ref);
    return { content, snapshot, restoring, twins: [...new Set(twins)] };
  },
  decide: decideUse,
});
