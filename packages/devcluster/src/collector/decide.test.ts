import { describe, expect, it } from 'vitest';
import type { KubeObject, OwnerReference } from '@snapshot-stack/api-types';
import { decideCollection, FOREGROUND, ORPHAN, type CollectorSeen, type Owner } from './decide.ts';

const ref = (uid: string, blockOwnerDeletion = false): OwnerReference => ({ apiVersion: 'v1', kind: 'Pod', name: uid, uid, blockOwnerDeletion });
const owner = (uid: string, state: Owner['state']): Owner => ({ ref: ref(uid), state });
const anObject = (uid: string, { owners = [] as OwnerReference[], finalizers = [] as string[], going = false } = {}): KubeObject => ({
  metadata: { name: uid, uid, ownerReferences: owners, finalizers, ...(going && { deletionTimestamp: 'now' }) },
});

const outcome = (seen: Partial<CollectorSeen>): string => {
  const plan = decideCollection({ object: anObject('x'), owners: [], dependents: [], ...seen });
  if (plan.kind !== 'act') return plan.why;
  return plan.actions
    .map((action) => {
      if (action.kind === 'delete') return `delete ${action.propagation}`;
      return action.kind === 'keepOwners' ? `${action.object.metadata.uid} keeps [${action.refs.map(({ uid }) => uid).join()}]` : action.kind;
    })
    .join('; ');
};

const child = anObject('child', { owners: [ref('x', true), ref('y')] });

describe('garbage collection', () => {
  it.each<[string, Partial<CollectorSeen>, string]>([
    ['leaves alone what nobody owns', {}, 'nobody owns it'],
    ['leaves alone what a living owner has', { owners: [owner('a', 'present')] }, 'its owners live'],
    ['deletes what its last owner left', { owners: [owner('a', 'absent')] }, 'delete Background'],
    ['keeps the living of several owners', { owners: [owner('a', 'absent'), owner('b', 'present')] }, 'x keeps [b]'],
    ['deletes nothing while an owner cannot be looked up', { owners: [owner('a', 'absent'), owner('b', 'unknown')] }, 'an owner cannot be looked up'],
    ['deletes for an owner that waits for it', { owners: [owner('a', 'waiting')] }, 'delete Background'],
    ['deletes the dependents of such a dependent first', { owners: [owner('a', 'waiting')], dependents: [child] }, 'delete Foreground'],
    ['does not delete twice', { object: anObject('x', { going: true }), owners: [owner('a', 'absent')] }, 'it is being deleted'],
    [
      'lets dependents outlive an owner that asks for it',
      { object: anObject('x', { going: true, finalizers: [ORPHAN] }), dependents: [child] },
      'child keeps [y]',
    ],
    ['lets the owner go when all are orphaned', { object: anObject('x', { going: true, finalizers: [ORPHAN] }) }, 'dropFinalizer'],
    [
      'waits for dependents that block their owner',
      { object: anObject('x', { going: true, finalizers: [FOREGROUND] }), dependents: [child] },
      'its dependents go first',
    ],
    [
      'does not wait for those that do not',
      { object: anObject('x', { going: true, finalizers: [FOREGROUND] }), dependents: [anObject('c', { owners: [ref('x')] })] },
      'dropFinalizer',
    ],
  ])('%s', (_, seen, expected) => {
    expect(outcome(seen)).toBe(expected);
  });
});
