import { describe, expect, it } from 'vitest';
import { aClaim, aVolume, refTo } from '../../test/builders.ts';
import { decideVolume, type VolumeSeen } from './decide.ts';

const claim = aClaim();
const claimRef = refTo(claim);
const elsewhere = aClaim({ volumeName: 'other' });
const annotated = (name: string) => ({ metadata: { annotations: { [name]: 'yes' } } });

const outcome = (seen: VolumeSeen): string | undefined => {
  const plan = decideVolume(seen);
  const action = plan.kind === 'act' ? plan.actions[0] : undefined;
  return action?.kind === 'setPhase' ? action.phase : action?.kind;
};

describe('a volume', () => {
  it.each<[string, VolumeSeen, string | undefined]>([
    ['that is gone needs nothing', { volume: undefined, claim: undefined }, undefined],
    ['without a claim is available', { volume: aVolume(), claim: undefined }, 'Available'],
    ['kept for a claim by name is available', { volume: aVolume({ claimRef: { name: 'c', namespace: 'n' } }), claim }, 'Available'],
    ['reserved for a claim waits for it to be bound', { volume: aVolume({ claimRef }), claim }, undefined],
    ['whose claim names it is bound', { volume: aVolume({ claimRef }), claim: aClaim({ volumeName: 'v' }) }, 'Bound'],
    ['whose claim is gone is released', { volume: aVolume({ claimRef }), claim: undefined }, 'Released'],
    ['whose claim was made anew is released', { volume: aVolume({ claimRef }), claim: aClaim({}, { metadata: { uid: 'later' } }) }, 'Released'],
    ['that failed to be deleted stays failed', { volume: aVolume({ claimRef }, { status: { phase: 'Failed' } }), claim: undefined }, undefined],
    [
      'provisioned for a claim that took another is released',
      { volume: aVolume({ claimRef, persistentVolumeReclaimPolicy: 'Delete' }, annotated('pv.kubernetes.io/provisioned-by')), claim: elsewhere },
      'Released',
    ],
    [
      'that the binder reserved is taken back when the claim took another',
      { volume: aVolume({ claimRef }, annotated('pv.kubernetes.io/bound-by-controller')), claim: elsewhere },
      'unreserve',
    ],
    ['that a user kept for a claim which took another is available', { volume: aVolume({ claimRef }), claim: elsewhere }, 'Available'],
  ])('%s', (_, seen, expected) => {
    expect(outcome(seen)).toBe(expected);
  });
});
