import { describe, expect, it } from 'vitest';
import { ByteBudget } from './byte-budget.ts';

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('the budget of bytes', () => {
  it('lets in what fits, and the rest in the order they came', async () => {
    const budget = new ByteBudget(10);
    const order: string[] = [];
    const enter = (name: string, bytes: number): (() => void) => {
      const { giveBack, granted } = budget.take(bytes);
      void granted.then(() => order.push(name));
      return giveBack;
    };
    const first = enter('first', 6);
    const second = enter('second', 6);
    enter('third', 4);
    await settled();
    expect(order).toEqual(['first']);
    first();
    await settled();
    expect(order).toEqual(['first', 'second', 'third']);
    second();
    expect(budget.taken).toBe(4);
  });

  it('lets a body in alone that is larger than all of it', async () => {
    const budget = new ByteBudget(10);
    const { giveBack, granted } = budget.take(50);
    await granted;
    expect(budget.taken).toBe(10);
    giveBack();
    expect(budget.taken).toBe(0);
  });

  it('forgets who went away while waiting, and who gives back twice', async () => {
    const budget = new ByteBudget(10);
    const first = budget.take(10);
    const gone = budget.take(10);
    const third = budget.take(10);
    gone.giveBack();
    await gone.granted;
    first.giveBack();
    first.giveBack();
    await third.granted;
    expect([budget.taken, budget.waiting]).toEqual([10, 0]);
  });
});
