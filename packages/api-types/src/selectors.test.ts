import { describe, expect, test } from 'vitest';
import type { PersistentVolume } from './core.ts';
import { isReachableFrom, matchesLabels } from './selectors.ts';

const labels = { zone: 'a', cores: '8' };

describe('a label selector', () => {
  test.each([
    ['without anything matches everything', {}, true],
    ['wants every label', { matchLabels: { zone: 'a', cores: '9' } }, false],
    ['In wants one of the values', { matchExpressions: [{ key: 'zone', operator: 'In', values: ['a', 'b'] }] }, true],
    ['In does not hold for a label that is not there', { matchExpressions: [{ key: 'none', operator: 'In', values: ['a'] }] }, false],
    ['NotIn holds for a label that is not there', { matchExpressions: [{ key: 'none', operator: 'NotIn', values: ['a'] }] }, true],
    [
      'Exists and DoesNotExist look at the key',
      {
        matchExpressions: [
          { key: 'zone', operator: 'Exists' },
          { key: 'none', operator: 'DoesNotExist' },
        ],
      },
      true,
    ],
    ['Gt compares numbers', { matchExpressions: [{ key: 'cores', operator: 'Gt', values: ['16'] }] }, false],
    ['Lt compares numbers', { matchExpressions: [{ key: 'cores', operator: 'Lt', values: ['16'] }] }, true],
    ['an unknown operator holds for nothing', { matchExpressions: [{ key: 'zone', operator: 'Like', values: ['a'] }] }, false],
    ['names from the prototype are no labels', { matchExpressions: [{ key: 'constructor', operator: 'Exists' }] }, false],
  ])('%s', (_says, selector, expected) => expect(matchesLabels(selector, labels)).toBe(expected));
});

describe('a volume', () => {
  const volume = (terms?: object[]): PersistentVolume =>
    ({ metadata: {}, spec: terms === undefined ? {} : { nodeAffinity: { required: { nodeSelectorTerms: terms } } } }) as PersistentVolume;
  const inZone = { matchExpressions: [{ key: 'zone', operator: 'In', values: ['a'] }] };

  test.each([
    ['without affinity can be reached from everywhere', volume(), true],
    ['needs one of its terms', volume([{ matchExpressions: [{ key: 'zone', operator: 'In', values: ['b'] }] }, inZone]), true],
    ['with an empty term cannot be reached', volume([{}]), false],
    ['with an empty list of terms cannot be reached', volume([]), false],
    ['may name its node', volume([{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n'] }] }]), true],
    ['may name another node', volume([{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['m'] }] }]), false],
  ])('%s', (_says, object, expected) => expect(isReachableFrom(object, { name: 'n', labels })).toBe(expected));
});
