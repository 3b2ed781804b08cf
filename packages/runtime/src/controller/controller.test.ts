import { describe, expect, it, onTestFinished } from 'vitest';
import { KubeError } from '../client/kube-error.ts';
import { ManualClock, type Log } from '../process/index.ts';
import { Controller, done, type Result } from './controller.ts';
import { WorkQueue } from './work-queue.ts';

interface World {
  queue: WorkQueue;
  clock: ManualClock;
  /** Each reconciliation as `key at` (ms since the start). */
  runs: string[];
  lines: string[];
  stop: () => Promise<void>;
}

type Reconcile = (key: string, run: number, signal: AbortSignal) => Result | Promise<Result>;

function world(reconcile: Reconcile, workers = 1): World {
  const clock = new ManualClock(0);
  const queue = new WorkQueue({ name: 'test', clock, startMs: 1_000, maxMs: 60_000, jitter: 0 });
  const runs: string[] = [];
  const lines: string[] = [];
  const note =
    (level: string) =>
    (message: string, fields?: object): void =>
      void lines.push(`${level} ${message} ${'why' in (fields ?? {}) ? (fields as { why: string }).why : ''}`.trim());
  const log: Log = { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error'), with: () => log };
  const controller = new Controller({
    name: 'test',
    queue,
    workers,
    log,
    reconcile: async (key, signal) => {
      runs.push(`${key} ${clock.now()}`);
      return reconcile(key, runs.length, signal);
    },
  });
  const abort = new AbortController();
  const running = controller.run(abort.signal);
  const stop = async (): Promise<void> => (abort.abort(new Error('the end')), running);
  onTestFinished(stop);
  return { queue, clock, runs, lines, stop };
}

const conflict = (): never => {
  throw new KubeError('Conflict', 'the object has been modified');
};

describe('a controller', () => {
  it('leaves a key alone that is done', async () => {
    const { queue, clock, runs } = world(() => done);
    queue.add('a');
    await clock.advance(600_000);
    expect(runs).toEqual(['a 0']);
  });

  it('looks again after the time that the reconciliation asked for', async () => {
    const { queue, clock, runs } = world((_key, run) => (run < 3 ? { kind: 'after', ms: 5_000, why: 'not yet' } : done));
    queue.add('a');
    await clock.advance(60_000);
    expect(runs).toEqual(['a 0', 'a 5000', 'a 10000']);
  });

  it('retries with growing delays, whether it failed by a value or by an exception, and says why', async () => {
    const { queue, clock, runs, lines } = world((_key, run) => {
      if (run === 2) throw new TypeError('a bug');
      return run < 4 ? { kind: 'retry', why: 'the driver is busy' } : done;
    });
    queue.add('a');
    await clock.advance(60_000);
    expect(runs).toEqual(['a 0', 'a 1000', 'a 3000', 'a 7000']);
    expect(lines.filter((line) => line.startsWith('warn'))).toEqual([
      'warn not done; trying again the driver is busy',
      'warn not done; trying again a bug',
      'warn not done; trying again the driver is busy',
    ]);
    queue.add('a');
    await clock.advance(0);
    expect(queue.failures('a')).toBe(0);
  });

  it('waits as long as the server asks', async () => {
    const { queue, clock, runs } = world((_key, run) => {
      if (run === 1) throw new KubeError('TooManyRequests', 'slow down', { retryAfterMs: 20_000 });
      return done;
    });
    queue.add('a');
    await clock.advance(60_000);
    expect(runs).toEqual(['a 0', 'a 20000']);
  });

  it('meets a conflict quietly and soon', async () => {
    const { queue, clock, runs, lines } = world((_key, run) => (run < 3 ? conflict() : done));
    queue.add('a');
    await clock.advance(60_000);
    expect(runs).toEqual(['a 0', 'a 50', 'a 150']);
    expect(lines.filter((line) => !line.startsWith('debug'))).toEqual([]);
  });

  it('slows down, and says so, when conflicts do not end', async () => {
    const { queue, clock, runs, lines } = world(conflict);
    queue.add('a');
    await clock.advance(60_000);
    expect(runs.length).toBeLessThan(13);
    expect(lines).toContain('warn not done; trying again the object has been modified');
  });

  it('works on several keys at once, but never on one twice', async () => {
    let now = 0;
    let most = 0;
    const { queue, clock, runs } = world(async () => {
      most = Math.max(most, ++now);
      await clock.sleep(100);
      now--;
      return done;
    }, 3);
    for (const key of ['a', 'b', 'c', 'd']) queue.add(key);
    await clock.advance(50);
    queue.add('a');
    await clock.advance(500);
    expect(most).toBe(3);
    expect(runs).toEqual(['a 0', 'b 0', 'c 0', 'd 100', 'a 100']);
  });

  it('ends when asked to, after the work under way, without a word about what that interrupts', async () => {
    const { queue, clock, runs, lines, stop } = world(async (_key, _run, signal) => {
      await clock.sleep(1_000, signal);
      return done;
    });
    queue.add('a');
    queue.add('b');
    await clock.advance(10);
    await stop();
    expect(runs).toEqual(['a 0']);
    expect(lines).toEqual([]);
    expect(clock.pending).toBe(0);
  });
});
