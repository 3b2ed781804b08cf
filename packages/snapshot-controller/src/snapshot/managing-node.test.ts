import type { Node, PersistentVolume } from '@snapshot-stack/api-types';
import { describe, expect, test } from 'vitest';
import { aVolume } from '../testing/builders.ts';
import { chooseNode, indexedPairs } from './managing-node.ts';

const node = (name: string, labels: Record<string, string> = {}): Node => ({ metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } } });
const volumeOn = (...values: string[]): PersistentVolume => {
  const nodeSelectorTerms = [{ matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values }] }];
  return { ...aVolume(), spec: { ...aVolume().spec, nodeAffinity: { required: { nodeSelectorTerms } } } };
};

describe('chooseNode', () => {
  test('has no preference for a volume without affinity', () => {
    expect(chooseNode(aVolume(), [node('a')])).toEqual({ kind: 'anywhere' });
  });

  test('chooses the same node whatever the order of the nodes', () => {
    expect(chooseNode(volumeOn('b', 'c'), [node('c'), node('a'), node('b')])).toEqual({ kind: 'node', name: 'b' });
  });

  test('says that no node matches', () => {
    expect(chooseNode(volumeOn('x'), [node('a')])).toMatchObject({ kind: 'none', problem: expect.stringContaining('no node matches') });
  });

  test('says that a name is too long for a label', () => {
    const long = 'n'.repeat(64);
    expect(chooseNode(volumeOn(long), [node(long)])).toMatchObject({ kind: 'none', problem: expect.stringContaining('63') });
  });

  test('reads every operator', () => {
    const volume = (operator: string, values: string[] = []): PersistentVolume => {
      const nodeSelectorTerms = [{ matchExpressions: [{ key: 'size', operator, values }] }];
      return { ...aVolume(), spec: { ...aVolume().spec, nodeAffinity: { required: { nodeSelectorTerms } } } };
    };
    const nodes = [node('plain'), node('small', { size: '2' }), node('tall', { size: '9' })];
    const chosen = (each: PersistentVolume): unknown => (chooseNode(each, nodes) as { name?: string }).name;
    expect(chosen(volume('Gt', ['5']))).toBe('tall');
    expect(chosen(volume('Lt', ['5']))).toBe('small');
    expect(chosen(volume('Exists'))).toBe('small');
    expect(chosen(volume('DoesNotExist'))).toBe('plain');
    expect(chosen(volume('NotIn', ['2']))).toBe('plain');
  });
});

test('the labels to look nodes up by are those of the affinity', () => {
  expect(indexedPairs(volumeOn('a', 'b'))).toEqual(['kubernetes.io/hostname=a', 'kubernetes.io/hostname=b']);
  expect(indexedPairs(aVolume())).toEqual([]);
});
