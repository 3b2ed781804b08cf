import { describe, expect, it } from 'vitest';
import { aClaim, aVolume } from '../../test/builders.ts';
import { protectClaim, protectVolume } from './decide.ts';

const outcome = (plan: ReturnType<typeof protectClaim>) => (plan.kind === 'act' ? plan.actions[0]?.kind : undefined);
const going = (finalizer: string) => ({ metadata: { deletionTimestamp: 'now', finalizers: [finalizer, 'other'] } });

describe('protection', () => {
  it('holds a new claim, used or not', () => {
    expect(outcome(protectClaim(aClaim(), false))).toBe('hold');
    expect(outcome(protectClaim(aClaim({}, { metadata: { finalizers: ['kubernetes.io/pvc-protection'] } }), false))).toBeUndefined();
  });

  it('keeps a deleted claim while a pod uses it, and lets it go then', () => {
    const claim = aClaim({}, going('kubernetes.io/pvc-protection'));
    expect(outcome(protectClaim(claim, true))).toBeUndefined();
    expect(outcome(protectClaim(claim, false))).toBe('release');
  });

  it('keeps a deleted volume while it is bound', () => {
    const volume = aVolume({}, going('kubernetes.io/pv-protection'));
    expect(outcome(protectVolume({ ...volume, status: { phase: 'Bound' } }))).toBeUndefined();
    expect(outcome(protectVolume({ ...volume, status: { phase: 'Released' } }))).toBe('release');
  });

  it('does not hold what is being deleted already', () => {
    expect(outcome(protectClaim(aClaim({}, { metadata: { deletionTimestamp: 'now', finalizers: ['other'] } }), true))).toBeUndefined();
  });
});
