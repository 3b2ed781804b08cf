import { describe, expect, it } from 'vitest';
import { aClaim, aClass, aVolume, refTo } from '../../test/builders.ts';
import { decideClaim, type ClaimSeen } from './decide.ts';

const seen = (rest: Partial<ClaimSeen>): ClaimSeen => ({
  claim: aClaim(),
  volume: undefined,
  volumes: [],
  storageClass: aClass(),
  defaultClass: undefined,
  waitingPod: undefined,
  nodeLabels: undefined,
  ...rest,
});

const steps = (rest: Partial<ClaimSeen>): string[] => {
  const plan = decideClaim(seen(rest));
  return plan.kind === 'act' ? plan.actions.map((action) => (action.kind === 'report' ? action.reason : action.kind)) : [];
};

const bound = { metadata: { annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } } };
const delayed = aClass({ volumeBindingMode: 'WaitForFirstConsumer' });

describe('a claim', () => {
  const claim = aClaim();

  it.each<[string, Partial<ClaimSeen>, string[]]>([
    ['that is gone needs nothing', { claim: undefined }, []],
    ['without a class gets the default one', { claim: aClaim({ storageClassName: undefined as never }), defaultClass: aClass() }, ['setClass']],
    ['with the class "" does not get the default one', { claim: aClaim({ storageClassName: '' }), defaultClass: aClass() }, ['FailedBinding']],
    ['of an unknown class is told so', { storageClass: undefined }, ['ProvisioningFailed']],
    ['of an immediate class is handed to the provisioner', {}, ['askProvisioner', 'ExternalProvisioning']],
    ['waits for its first consumer', { storageClass: delayed }, ['WaitForFirstConsumer']],
    ['waits for the pod that uses it', { storageClass: delayed, waitingPod: 'p' }, ['WaitForPodScheduled']],
    [
      'promised to a node is handed to the provisioner',
      { storageClass: delayed, claim: aClaim({}, { metadata: { annotations: { 'volume.kubernetes.io/selected-node': 'a' } } }) },
      ['askProvisioner', 'ExternalProvisioning'],
    ],
    ['of a class without provisioner waits for a volume', { storageClass: aClass({ provisioner: 'kubernetes.io/no-provisioner' }) }, []],
    ['reserves a free volume', { volumes: [aVolume()] }, ['reserveVolume']],
    ['reserves a volume that an administrator kept for it', { volumes: [aVolume({ claimRef: { name: 'c', namespace: 'n' } })] }, ['reserveVolume']],
    ['is bound to the volume reserved for it', { volumes: [aVolume({ claimRef: refTo(claim) })] }, ['bindClaim']],
    ['is bound to the volume it names', { claim: aClaim({ volumeName: 'v' }), volume: aVolume({ claimRef: refTo(claim) }) }, ['bindClaim']],
    ['waits for the volume it names', { claim: aClaim({ volumeName: 'v' }) }, []],
    [
      'does not take the named volume of another',
      { claim: aClaim({ volumeName: 'v' }), volume: aVolume({ claimRef: { name: 'x', namespace: 'n', uid: '9' } }) },
      [],
    ],
    [
      'is told when the volume it names is too small',
      { claim: aClaim({ volumeName: 'v' }), volume: aVolume({ capacity: { storage: '1G' } }) },
      ['VolumeMismatch'],
    ],
    ['is told when its reserved volume has another mode', { volumes: [aVolume({ claimRef: refTo(claim), volumeMode: 'Block' })] }, ['VolumeMismatch']],
    ['that was bound gets its status', { claim: aClaim({ volumeName: 'v' }, bound), volume: aVolume({ claimRef: refTo(claim) }) }, ['setBound']],
    ['that is bound rests', { claim: aClaim({ volumeName: 'v' }, { ...bound, status: { phase: 'Bound' } }), volume: aVolume({ claimRef: refTo(claim) }) }, []],
    ['that lost its volume is lost', { claim: aClaim({ volumeName: 'v' }, bound) }, ['setLost', 'ClaimLost']],
    ['says only once that it is lost', { claim: aClaim({ volumeName: 'v' }, { ...bound, status: { phase: 'Lost' } }) }, []],
    [
      'whose volume belongs to another is lost',
      { claim: aClaim({ volumeName: 'v' }, bound), volume: aVolume({ claimRef: { name: 'c', namespace: 'n', uid: 'later' } }) },
      ['setLost', 'ClaimMisbound'],
    ],
    ['being deleted is not bound any more', { claim: aClaim({}, { metadata: { deletionTimestamp: 'now' } }), volumes: [aVolume()] }, []],
  ])('%s', (_, rest, expected) => {
    expect(steps(rest)).toEqual(expected);
  });

  it('takes the smallest volume that suits, and none that does not', () => {
    const volumes = [
      aVolume({ capacity: { storage: '5Gi' } }, { metadata: { name: 'large' } }),
      aVolume({ capacity: { storage: '2Gi' } }, { metadata: { name: 'fitting' } }),
      aVolume({ capacity: { storage: '1023Mi' } }, { metadata: { name: 'small' } }),
      aVolume({ storageClassName: 'slow' }, { metadata: { name: 'of another class' } }),
      aVolume({ accessModes: ['ReadOnlyMany'] }, { metadata: { name: 'of another access mode' } }),
      aVolume({}, { metadata: { name: 'on its way out', deletionTimestamp: 'now' } }),
      aVolume({ claimRef: { name: 'x', namespace: 'n', uid: '9' } }, { metadata: { name: "another's" } }),
    ];
    expect(decideClaim(seen({ volumes }))).toMatchObject({ actions: [{ kind: 'reserveVolume', volume: { metadata: { name: 'fitting' } } }] });
  });

  it('takes no volume that its node cannot reach', () => {
    const nodeAffinity = { required: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['b'] }] }] } };
    expect(steps({ volumes: [aVolume({ nodeAffinity })], nodeLabels: { zone: 'a' } })).toEqual(['askProvisioner', 'ExternalProvisioning']);
    expect(steps({ volumes: [aVolume({ nodeAffinity })], nodeLabels: { zone: 'b' } })).toEqual(['reserveVolume']);
  });

  it('takes only volumes that its selector picks', () => {
    const picky = aClaim({ selector: { matchLabels: { tier: 'gold' }, matchExpressions: [{ key: 'old', operator: 'DoesNotExist' }] } });
    expect(steps({ claim: picky, volumes: [aVolume({}, { metadata: { labels: { tier: 'gold', old: '' } } })] })).not.toContain('reserveVolume');
    expect(steps({ claim: picky, volumes: [aVolume({}, { metadata: { labels: { tier: 'gold' } } })] })).toEqual(['reserveVolume']);
  });
});
