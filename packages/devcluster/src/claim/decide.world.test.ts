// Small worlds of claims and volumes: whatever they start as, binding settles, and no volume serves two claims.
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { PersistentVolume, PersistentVolumeClaim } from '@snapshot-stack/api-types';
import { aClaim, aClass, aVolume } from '../../test/builders.ts';
import { decideVolume } from '../volume/decide.ts';
import { decideClaim, type ClaimAction } from './decide.ts';

interface World {
  claims: PersistentVolumeClaim[];
  volumes: PersistentVolume[];
}

const sizes = fc.constantFrom('1Gi', '2Gi', '3Gi');
const claims = fc.array(fc.record({ size: sizes, volumeName: fc.option(fc.constantFrom('v0', 'v1'), { nil: undefined }) }), { minLength: 1, maxLength: 3 });
const volumes = fc.array(fc.record({ size: sizes, keptFor: fc.option(fc.constantFrom('c0', 'c1'), { nil: undefined }) }), { minLength: 1, maxLength: 3 });

function build(claimSpecs: { size: string; volumeName: string | undefined }[], volumeSpecs: { size: string; keptFor: string | undefined }[]): World {
  return {
    claims: claimSpecs.map(({ size, volumeName }, index) =>
      aClaim({ resources: { requests: { storage: size } }, ...(volumeName && { volumeName }) }, { metadata: { name: `c${index}`, uid: `claim-${index}` } }),
    ),
    volumes: volumeSpecs.map(({ size, keptFor }, index) =>
      aVolume({ capacity: { storage: size }, ...(keptFor && { claimRef: { name: keptFor, namespace: 'n' } }) }, { metadata: { name: `v${index}` } }),
    ),
  };
}

const storageClass = aClass({ provisioner: 'kubernetes.io/no-provisioner' });

function apply(action: ClaimAction, world: World): void {
  const claim = world.claims.find(({ metadata }) => metadata.uid === action.claim.metadata.uid)!;
  switch (action.kind) {
    case 'reserveVolume': {
      const volume = world.volumes.find(({ metadata }) => metadata.name === action.volume.metadata.name)!;
      const annotations = volume.spec.claimRef ? {} : { 'pv.kubernetes.io/bound-by-controller': 'yes' };
      volume.spec.claimRef = { name: claim.metadata.name!, namespace: 'n', uid: claim.metadata.uid! };
      volume.metadata.annotations = { ...volume.metadata.annotations, ...annotations };
      return;
    }
    case 'bindClaim':
      claim.spec.volumeName = action.volume.metadata.name!;
      claim.metadata.annotations = { 'pv.kubernetes.io/bind-completed': 'yes' };
      return;
    case 'setBound':
      claim.status = { phase: 'Bound' };
      return;
    default:
      return;
  }
}

/** One pass over all objects in the given order; true when something was written. */
function pass(world: World, order: number[]): boolean {
  let wrote = false;
  for (const index of order) {
    const claim = world.claims[index % world.claims.length]!;
    const volume = world.volumes.find(({ metadata }) => metadata.name === claim.spec.volumeName);
    const seen = { claim, volume, volumes: world.volumes, storageClass, defaultClass: undefined, waitingPod: undefined, nodeLabels: undefined };
    const plan = decideClaim(structuredClone(seen));
    for (const action of plan.kind === 'act' ? plan.actions : []) {
      apply(action, world);
      wrote ||= action.kind !== 'report';
    }
    for (const each of world.volumes) {
      const owner = world.claims.find(({ metadata }) => metadata.name === each.spec.claimRef?.name);
      const volumePlan = decideVolume(structuredClone({ volume: each, claim: owner }));
      for (const action of volumePlan.kind === 'act' ? volumePlan.actions : []) {
        if (action.kind === 'setPhase') each.status = { phase: action.phase };
        else delete each.spec.claimRef;
        wrote = true;
      }
    }
  }
  return wrote;
}

it('settles from every start, with each bound claim on a volume of its own that suits it', () => {
  fc.assert(
    fc.property(claims, volumes, fc.array(fc.nat(5), { minLength: 3, maxLength: 6 }), (claimSpecs, volumeSpecs, order) => {
      const world = build(claimSpecs, volumeSpecs);
      const fair = [...order, ...world.claims.keys()];
      let passes = 0;
      while (pass(world, fair)) expect(passes++).toBeLessThan(20);
      const bound = world.claims.filter(({ status }) => status?.phase === 'Bound');
      expect(new Set(bound.map(({ spec }) => spec.volumeName)).size).toBe(bound.length);
      for (const claim of bound) {
        const volume = world.volumes.find(({ metadata }) => metadata.name === claim.spec.volumeName)!;
        expect(volume.spec.claimRef?.uid).toBe(claim.metadata.uid);
        expect(volume.status?.phase).toBe('Bound');
        expect(volume.spec.capacity!['storage']! >= claim.spec.resources!.requests!['storage']!).toBe(true);
      }
    }),
  );
});
