import { describe, expect, it } from 'vitest';
import type { Namespace } from '@snapshot-stack/api-types';
import type { ServedResource } from '../collector/discovery.ts';
import { decideNamespace, type Remaining } from './decide.ts';

const aNamespace = ({ going = true, finalizers = ['kubernetes'] } = {}): Namespace => ({
  metadata: { name: 'n', ...(going && { deletionTimestamp: 'now' }) },
  spec: { finalizers },
});
const pods: ServedResource = { group: '', version: 'v1', plural: 'pods', kind: 'Pod', namespaced: true, verbs: ['list', 'delete'] };
const remaining = (...going: boolean[]): Remaining[] => [
  { resource: pods, objects: going.map((isGoing, index) => ({ metadata: { name: `p${index}`, ...(isGoing && { deletionTimestamp: 'now' }) } })) },
];

const outcome = (namespace: Namespace | undefined, left: Remaining[] = []): string => {
  const plan = decideNamespace({ namespace, remaining: left });
  return plan.kind === 'act' ? plan.actions.map(({ kind }) => kind).join(' ') : plan.why;
};

describe('a namespace', () => {
  it('that lives is left alone', () => expect(outcome(aNamespace({ going: false }))).toBe('the namespace lives'));
  it('being deleted has its contents deleted, once', () => expect(outcome(aNamespace(), remaining(false, true))).toBe('delete report'));
  it('is let go when nothing is left', () => expect(outcome(aNamespace(), remaining())).toBe('finalize'));
  it('held by others is left to them', () => expect(outcome(aNamespace({ finalizers: ['theirs'] }))).toBe('others hold it'));
});
