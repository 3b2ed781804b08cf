import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ManualClock, createMetrics, seededRandom } from '../process/index.ts';
import { WorkQueue, type WorkQueueOptions } from './work-queue.ts';

function aQueue(options: Partial<WorkQueueOptions> = {}): { queue: WorkQueue; clock: ManualClock; signal: AbortSignal; abort: AbortController } {
  const clock = new ManualClock(0);
  const abort = new AbortController();
  return { queue: new WorkQueue({ name: 'test', clock, jitter: 0, ...options }), clock, signal: abort.signal, abort };
}

describe('a work queue', () => {
  it('hands out keys in the order in which they came, each once', async () => {
    const { queue, signal } = aQueue();
    for (const key of ['b', 'a', 'b', 'c']) queue.add(key);
    expect(queue.length).toBe(3);
    expect([await queue.get(signal), await queue.get(signal), await queue.get(signal)]).toEqual(['b', 'a', 'c']);
  });

  it('hands out a key again that was added while it was worked on, but only after that', async () => {
    const { queue, signal } = aQueue();
    queue.add('a');
    await queue.get(signal);
    queue.add('a');
    queue.add('a');
    expect(queue.length).toBe(0);
    queue.done('a');
    expect(queue.length).toBe(1);
    expect(await queue.get(signal)).toBe('a');
    queue.done('a');
    expect(queue.idle).toBe(true);
  });

  it('wakes one waiter for each key', async () => {
    const { queue, signal, clock } = aQueue();
    const got: string[] = [];
    for (let i = 0; i < 3; i++) void queue.get(signal).then((key) => got.push(key));
    queue.add('a');
    queue.add('b');
    await clock.advance(0);
    expect(got).toEqual(['a', 'b']);
  });

  it('passes a key on when the waiter that was woken for it has been aborted', async () => {
    const { queue, signal, clock } = aQueue();
    const abort = new AbortController();
    const first = queue.get(abort.signal);
    const second = queue.get(signal);
    queue.add('a');
    abort.abort(new Error('gone'));
    await expect(first).rejects.toThrow('gone');
    await clock.advance(0);
    expect(await second).toBe('a');
  });

  it('counts the earliest of several delays', async () => {
    const { queue, clock } = aQueue();
    queue.addAfter('a', 100);
    queue.addAfter('a', 50);
    queue.addAfter('a', 70);
    await clock.advance(49);
    expect(queue.length).toBe(0);
    await clock.advance(1);
    expect(queue.length).toBe(1);
    expect(clock.pending).toBe(0);
  });

  it('doubles the delay of a failing key up to the limit, and starts over when it succeeds', () => {
    const { queue } = aQueue({ startMs: 1_000, maxMs: 5_000 });
    expect([1, 2, 3, 4, 5].map(() => queue.addRateLimited('a'))).toEqual([1_000, 2_000, 4_000, 5_000, 5_000]);
    expect(queue.addRateLimited('b')).toBe(1_000);
    expect(queue.failures('a')).toBe(5);
    queue.forget('a');
    expect(queue.addRateLimited('a')).toBe(1_000);
  });

  it('waits longer where the server asks for it', () => {
    const { queue } = aQueue({ startMs: 1_000 });
    expect(queue.addRateLimited('a', 30_000)).toBe(30_000);
    expect(queue.addRateLimited('a', 500)).toBe(2_000);
  });

  it('spreads keys that failed together', () => {
    const { queue } = aQueue({ startMs: 1_000, jitter: 0.5, random: seededRandom(7) });
    const delays = Array.from({ length: 50 }, (_, i) => queue.addRateLimited(`k${i}`));
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(500);
    expect(Math.max(...delays)).toBeLessThanOrEqual(1_000);
    expect(new Set(delays).size).toBeGreaterThan(40);
  });

  it('forgets what is delayed when it closes', () => {
    const { queue, clock } = aQueue();
    queue.addAfter('a', 100);
    queue.close();
    expect([queue.idle, clock.pending]).toEqual([true, 0]);
  });

  it('never works on a key twice at once, loses no addition and invents none, whatever happens when', async () => {
    const additions = fc.array(fc.record({ key: fc.constantFrom('a', 'b', 'c'), atMs: fc.nat(60), delayMs: fc.nat(20) }), { maxLength: 25 });
    const work = fc.array(fc.nat(15), { minLength: 1, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(additions, work, fc.integer({ min: 1, max: 4 }), async (adds, durations, workers) => {
        const { queue, clock, signal, abort } = aQueue();
        const starts: { key: string; at: number }[] = [];
        const active = new Set<string>();
        const loop = async (): Promise<void> => {
          for (;;) {
            const key = await queue.get(signal);
            expect(active.has(key)).toBe(false);
            active.add(key);
            starts.push({ key, at: clock.now() });
            await clock.sleep(durations[starts.length % durations.length] ?? 0);
            active.delete(key);
            queue.done(key);
          }
        };
        const loops = Array.from({ length: workers }, () => loop().catch((error: unknown) => expect(error).toBe(signal.reason)));
        for (const { key, atMs, delayMs } of adds) clock.setTimer(atMs, () => queue.addAfter(key, delayMs));
        await clock.advance(1_000);
        for (const key of ['a', 'b', 'c']) {
          const mine = adds.filter((add) => add.key === key);
          const worked = starts.filter((start) => start.key === key);
          expect(worked.length).toBeLessThanOrEqual(mine.length);
          if (mine.length > 0) expect(worked.at(-1)!.at).toBeGreaterThanOrEqual(Math.max(...mine.map(({ atMs }) => atMs)));
        }
        expect(queue.idle).toBe(true);
        abort.abort(new Error('end'));
        await Promise.all(loops);
      }),
      { numRuns: 60 },
    );
  });
});

describe('the metrics of a queue', () => {
  it('have the names of client-go, one series for each queue of a registry', async () => {
    const metrics = createMetrics();
    const { queue, clock, signal } = aQueue({ name: 'one', metrics });
    aQueue({ name: 'two', metrics }).queue.add('x');
    queue.add('a');
    await clock.advance(2_000);
    await queue.get(signal);
    queue.add('a');
    queue.add('b');
    queue.addRateLimited('c');
    await clock.advance(500);
    const text = await metrics.text();
    expect(text.split('\n')).toEqual(
      expect.arrayContaining([
        'workqueue_adds_total{name="one"} 3',
        'workqueue_depth{name="one"} 1',
        'workqueue_depth{name="two"} 1',
        'workqueue_retries_total{name="one"} 1',
        'workqueue_queue_duration_seconds_sum{name="one"} 2',
        'workqueue_queue_duration_seconds_bucket{le="10",name="one"} 1',
        'workqueue_unfinished_work_seconds{name="one"} 0.5',
        'workqueue_longest_running_processor_seconds{name="one"} 0.5',
      ]),
    );
    queue.done('a');
    expect(await metrics.text()).toContain('workqueue_work_duration_seconds_sum{name="one"} 0.5');
  });
});
