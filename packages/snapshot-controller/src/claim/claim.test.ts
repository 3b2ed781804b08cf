import { describe, expect, test } from 'vitest';
import { aClaim, aSnapshot } from '../testing/builders.ts';
import { decideClaim } from './decide.ts';
import { KeyedLock } from './keyed-lock.ts';

describe('decideClaim', () => {
  const held = aClaim({ held: true });

  test.each([
    ['has nothing to do for a claim that is gone', undefined, [], 'nothing'],
    ['has nothing to do for a claim that is not held', aClaim(), [], 'nothing'],
    ['releases a claim that no snapshot is taken of', held, [], 'release'],
    ['keeps a claim while the content of an unready snapshot exists', held, [{ snapshot: aSnapshot({ held: true }), contentExists: true }], 'nothing'],
    [
      'keeps a claim for a snapshot that is held and whose content comes next',
      held,
      [{ snapshot: aSnapshot({ held: true }), contentExists: false }],
      'nothing',
    ],
    ['keeps a claim while a deleted snapshot may still be cut', held, [{ snapshot: aSnapshot({ held: true, deleted: true }), contentExists: true }], 'nothing'],
    ['does not keep a claim for a snapshot that waits for its class', held, [{ snapshot: aSnapshot(), contentExists: false }], 'release'],
    ['does not keep a claim for a ready snapshot', held, [{ snapshot: aSnapshot({ held: true, ready: true }), contentExists: true }], 'release'],
  ] as const)('%s', (_name, claim, unready, kind) => {
    expect(decideClaim({ claim, unready }).kind).toBe(kind);
  });

  test('does not keep a claim for a snapshot that lost its content after it was cut', () => {
    const lost = aSnapshot({ held: true, ready: true });
    const snapshot = { ...lost, status: { ...lost.status, readyToUse: false } };
    expect(decideClaim({ claim: held, unready: [{ snapshot, contentExists: false }] }).kind).toBe('release');
  });
});

describe('KeyedLock', () => {
  test('lets one section per key run at a time, in order, and others beside it', async () => {
    const lock = new KeyedLock();
    const log: string[] = [];
    const gate = Promise.withResolvers<void>();
    const first = lock.run('a', async () => {
      log.push('first begins');
      await gate.promise;
      log.push('first ends');
    });
    const second = lock.run('a', () => Promise.resolve(log.push('second')));
    await lock.run('b', () => Promise.resolve(log.push('other key')));
    gate.resolve();
    await Promise.all([first, second]);
    expect(log).toEqual(['first begins', 'other key', 'first ends', 'second']);
  });

  test('goes on after a section that failed', async () => {
    const lock = new KeyedLock();
    await expect(lock.run('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await lock.run('a', () => Promise.resolve(1))).toBe(1);
  });
});
