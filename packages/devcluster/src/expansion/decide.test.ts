import { describe, expect, it } from 'vitest';
import { aClaim, aClass, aVolume, refTo } from '../../test/builders.ts';
import { decideExpansion, NODE_EXPANSION_PENDING, type ExpansionSeen } from './decide.ts';

const claimOf = (request: string, capacity: string) =>
  aClaim({ volumeName: 'v', resources: { requests: { storage: request } } }, { status: { phase: 'Bound', capacity: { storage: capacity } } });
const volumeOf = (storage: string, pending = false) =>
  aVolume({ capacity: { storage }, claimRef: refTo(aClaim()) }, pending ? { metadata: { annotations: { [NODE_EXPANSION_PENDING]: 'yes' } } } : {});

const outcome = (seen: Partial<ExpansionSeen>): string => {
  const plan = decideExpansion({
    claim: claimOf('2Gi', '1Gi'),
    volume: volumeOf('1Gi'),
    storageClass: aClass({ allowVolumeExpansion: true }),
    driver: { expandsController: true, expandsNode: true },
    publishedAt: undefined,
    ...seen,
  });
  return plan.kind === 'act' ? plan.actions.map((action) => (action.kind === 'report' ? action.message : action.kind)).join(' ') : plan.why;
};

describe('a claim that asks for more', () => {
  it.each<[string, Partial<ExpansionSeen>, string]>([
    ['has its volume grown', {}, 'expandController'],
    ['whose class forbids it is told so', { storageClass: aClass() }, 'storage class "fast" does not allow expansion'],
    ['waits for the driver', { driver: undefined }, 'the driver has not registered on this node'],
    ['goes to the node when only that can grow it', { driver: { expandsController: false, expandsNode: true } }, 'skipController'],
    ['is told when the driver cannot', { driver: { expandsController: false, expandsNode: false } }, 'driver d.example.dev cannot expand volumes'],
    ['gets its capacity when the node has no part', { volume: volumeOf('2Gi') }, 'setCapacity'],
    ['has its file system grown where a pod uses it', { volume: volumeOf('2Gi', true), publishedAt: '/p' }, 'expandNode'],
    ['waits for a pod to use it', { volume: volumeOf('2Gi', true) }, 'setPending'],
    ['asks for nothing when it asks for less', { claim: claimOf('512Mi', '1Gi') }, 'the claim has the size it asks for'],
    ['does not grow the volume of another claim', { volume: aVolume() }, 'the volume belongs to another claim'],
  ])('%s', (_, seen, expected) => {
    expect(outcome(seen)).toBe(expected);
  });
});
