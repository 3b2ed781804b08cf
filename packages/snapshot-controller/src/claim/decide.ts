// Whether a claim may lose the finalizer that keeps it while snapshots are being taken of it.
import { Finalizer, hasFinalizer, type PersistentVolumeClaim, type VolumeSnapshot } from '@snapshot-stack/api-types';
import { needsClaim } from '../snapshot/questions.ts';

export interface ClaimSeen {
  claim: PersistentVolumeClaim | undefined;
  /** The unready snapshots of this claim, and whether the content of each exists. */
  unready: readonly { snapshot: VolumeSnapshot; contentExists: boolean }[];
}

export type ClaimPlan = { kind: 'nothing'; why: string } | { kind: 'release'; claim: PersistentVolumeClaim };

export function decideClaim({ claim, unready }: ClaimSeen): ClaimPlan {
  if (claim === undefined) return { kind: 'nothing', why: 'the claim is gone' };
  if (!hasFinalizer(claim, Finalizer.claimAsSource)) return { kind: 'nothing', why: 'the claim is not held' };
  const user = unready.find(({ snapshot, contentExists }) => needsClaim(snapshot, contentExists));
  if (user !== undefined) return { kind: 'nothing', why: `snapshot ${user.snapshot.metadata.name} is still being taken of it` };
  return { kind: 'release', claim };
}
