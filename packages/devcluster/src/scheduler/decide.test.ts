import { describe, expect, it } from 'vitest';
import { aClaim, aClass, aPod, aVolume } from '../../test/builders.ts';
import { decideScheduling, type ClaimOfPod, type SchedulerSeen } from './decide.ts';

const node = { name: 'a', labels: { zone: 'east' } };
const delayed = aClass({ volumeBindingMode: 'WaitForFirstConsumer' });
const bound = aClaim({ volumeName: 'v' }, { status: { phase: 'Bound' } });
const promisedTo = (name: string) => aClaim({}, { metadata: { annotations: { 'volume.kubernetes.io/selected-node': name } } });
const affinity = (zone: string) => ({
  nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: [zone] }] }] } },
});

const outcome = (claim: Partial<ClaimOfPod> | undefined, pod: SchedulerSeen['pod'] = aPod()) => {
  const claims = claim ? [{ name: 'c', claim: aClaim(), volume: undefined, storageClass: aClass(), ...claim }] : [];
  const plan = decideScheduling({ pod, claims, node });
  const [action] = plan.kind === 'act' ? plan.actions : [];
  return action?.kind === 'report' ? action.message : action?.kind;
};

describe('a pod', () => {
  it.each<[string, Partial<ClaimOfPod> | undefined, SchedulerSeen['pod'] | undefined, string | undefined]>([
    ['without claims gets the node', undefined, undefined, 'bindPod'],
    ['with a node keeps it', undefined, aPod({ spec: { nodeName: 'b' } }), undefined],
    ['that wants another node is left alone', undefined, aPod({ spec: { nodeSelector: { zone: 'west' } } }), undefined],
    ['that wants this node gets it', undefined, aPod({ spec: { nodeSelector: { zone: 'east' } } }), 'bindPod'],
    ['with a bound claim gets the node', { claim: bound, volume: aVolume() }, undefined, 'bindPod'],
    ['waits for an unbound claim', {}, undefined, 'pod has unbound immediate PersistentVolumeClaims'],
    ['waits for a claim that does not exist', { claim: undefined }, undefined, 'persistentvolumeclaim "c" not found'],
    ['promises a waiting claim to the node', { storageClass: delayed }, undefined, 'selectNode'],
    ['waits while a promised claim is bound', { storageClass: delayed, claim: promisedTo('a') }, undefined, undefined],
    [
      'does not follow a claim promised elsewhere',
      { storageClass: delayed, claim: promisedTo('b') },
      undefined,
      'persistentvolumeclaim "c" was promised to node "b"',
    ],
    [
      'is not put where its volume cannot follow',
      { claim: bound, volume: aVolume(affinity('west')) },
      undefined,
      "node(s) didn't match PersistentVolume's node affinity",
    ],
    ['is put where its volume is', { claim: bound, volume: aVolume(affinity('east')) }, undefined, 'bindPod'],
  ])('%s', (_, claim, pod, expected) => {
    expect(outcome(claim, pod ?? aPod())).toBe(expected);
  });
});
