import { expect, it } from 'vitest';
import { Locks } from './locks.ts';

it('runs work on one key one after the other, and work on another at once', async () => {
  const locks = new Locks();
  const order: string[] = [];
  const first = Promise.withResolvers<void>();
  const slow = locks.run('a', async () => {
    await first.promise;
    order.push('a1');
  });
  const next = locks.run('a', async () => void order.push('a2'));
  await locks.run('b', async () => void order.push('b'));
  first.resolve();
  await Promise.all([slow, next]);
  expect(order).toEqual(['b', 'a1', 'a2']);
});

it('goes on after work that failed, and hands its error to who asked', async () => {
  const locks = new Locks();
  const failing = locks.run('a', () => Promise.reject(new Error('no')));
  const next = locks.run('a', async () => 'yes');
  await expect(failing).rejects.toThrow('no');
  expect(await next).toBe('yes');
});
