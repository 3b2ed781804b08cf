import { describe, expect, test } from 'vitest';
import { Operations } from './operations.ts';

/** A task that ends when it is told to. */
function aTask(): { start: () => Promise<string>; finish: (value: string) => void; fail: (error: Error) => void } {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  return { start: () => promise, finish: resolve, fail: reject };
}

describe('operations', () => {
  test('that are the same run once, and all callers get the outcome', async () => {
    const operations = new Operations();
    const task = aTask();
    const first = operations.run({ changes: ['a'], what: 'Do it' }, task.start);
    const second = operations.run({ changes: ['a'], what: 'Do it' }, () => Promise.reject(new Error('a second run')));
    task.finish('done');
    expect(await Promise.all([first, second])).toEqual(['done', 'done']);
  });

  test('may rely on one object together, while nobody may change it', async () => {
    const operations = new Operations();
    const [one, two] = [aTask(), aTask()];
    const copies = [
      operations.run({ changes: ['x'], relies: ['source'], what: 'Copy x' }, one.start),
      operations.run({ changes: ['y'], relies: ['source'], what: 'Copy y' }, two.start),
    ];
    expect(() => operations.run({ changes: ['source'], what: 'Delete' }, () => Promise.resolve())).toThrow(expect.objectContaining({ code: 'ABORTED' }));
    one.finish('x');
    two.finish('y');
    expect(await Promise.all(copies)).toEqual(['x', 'y']);
    await operations.run({ changes: ['source'], what: 'Delete' }, () => Promise.resolve());
    expect(operations.size).toBe(0);
  });

  test('that rely on something under change are told to come back', async () => {
    const operations = new Operations();
    const task = aTask();
    const deleting = operations.run({ changes: ['source'], what: 'Delete' }, task.start);
    expect(() => operations.run({ changes: ['x'], relies: ['source'], what: 'Copy' }, () => Promise.resolve())).toThrow(/Delete is under way on source/);
    task.finish('gone');
    await deleting;
  });

  test('with equal words on other objects are not taken for each other', async () => {
    const operations = new Operations();
    const one = aTask();
    const first = operations.run({ changes: ['x'], relies: ['source'], what: 'Copy' }, one.start);
    expect(await operations.run({ changes: ['y'], relies: ['source'], what: 'Copy' }, () => Promise.resolve('y'))).toBe('y');
    one.finish('x');
    expect(await first).toBe('x');
  });

  test('go on when their caller leaves, and let others in when they fail', async () => {
    const operations = new Operations();
    const [task, caller] = [aTask(), new AbortController()];
    const first = operations.run({ changes: ['a'], what: 'Do', signal: caller.signal }, task.start);
    caller.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    expect(operations.size).toBe(1);
    task.fail(new Error('broken'));
    await operations.settled();
    expect(await operations.run({ changes: ['a'], what: 'Do' }, () => Promise.resolve('again'))).toBe('again');
  });
});
