// Clocks, durations, delays and chance: what everything that waits is built from.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Backoff } from './backoff.ts';
import { ManualClock, systemClock } from './clock.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { seededRandom } from './random.ts';

describe('a duration', () => {
  it.each([
    ['0', 0],
    ['1s', 1_000],
    ['1m30s', 90_000],
    ['1h15m30.918s', 4_530_918],
    ['300ms', 300],
    ['.5s', 500],
    ['1.s', 1_000],
    ['-2m', -120_000],
    ['+5s', 5_000],
    ['1500us', 1.5],
    ['1µs', 0.001],
  ])('%s is %d ms', (text, ms) => {
    expect(parseDuration(text)).toBeCloseTo(ms, 9);
  });

  it.each(['', '-', '1', '1x', 's', '1s2', '1 s', '.s', '1h-1m'])('is not %j', (text) => {
    expect(() => parseDuration(text)).toThrow(`"${text}" is no duration`);
  });

  it.each([
    [0, '0s'],
    [300, '300ms'],
    [90_000, '1m30s'],
    [3_600_000, '1h0m0s'],
    [-1_500, '-1.5s'],
  ])('of %d ms is written %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it('is read back as it was written', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e12, max: 1e12 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });
});

describe('a manual clock', () => {
  it('runs timers in the order of their times, each at its time', async () => {
    const clock = new ManualClock(0);
    const ran: string[] = [];
    clock.setTimer(20, () => ran.push(`b ${clock.now()}`));
    clock.setTimer(10, () => {
      ran.push(`a ${clock.now()}`);
      clock.setTimer(5, () => ran.push(`nested ${clock.now()}`));
    });
    clock.setTimer(15, () => ran.push('never')).cancel();
    await clock.advance(19);
    expect(ran).toEqual(['a 10', 'nested 15']);
    await clock.advance(1);
    expect(ran).toEqual(['a 10', 'nested 15', 'b 20']);
    expect(clock.pending).toBe(0);
  });

  it('lets sleepers go on, or wakes them with the reason of their signal', async () => {
    const clock = new ManualClock(0);
    const abort = new AbortController();
    const slept = clock.sleep(10);
    const woken = clock.sleep(10, abort.signal);
    abort.abort(new Error('the end'));
    await expect(woken).rejects.toThrow('the end');
    await expect(clock.sleep(10, abort.signal)).rejects.toThrow('the end');
    await clock.advance(10);
    await slept;
    expect(clock.pending).toBe(0);
  });

  it('can be set without time passing', async () => {
    const clock = new ManualClock(1_000);
    clock.jump(-500);
    await clock.advance(10);
    expect([clock.now(), clock.elapsed()]).toEqual([510, 1_010]);
  });
});

describe('the system clock', () => {
  it('sleeps, wakes and measures', async () => {
    const start = systemClock.elapsed();
    await systemClock.sleep(5);
    expect(systemClock.elapsed() - start).toBeGreaterThanOrEqual(4);
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1_000);
    await expect(systemClock.sleep(60_000, AbortSignal.abort(new Error('no')))).rejects.toThrow('no');
  });

  it('does not take a very long time for none', async () => {
    const abort = new AbortController();
    const sleeping = systemClock.sleep(2 ** 40, abort.signal);
    const first = await Promise.race([sleeping.then(() => 'woke'), systemClock.sleep(5).then(() => 'still asleep')]);
    abort.abort(new Error('up'));
    await expect(sleeping).rejects.toThrow('up');
    expect(first).toBe('still asleep');
  });
});

describe('a backoff', () => {
  it('doubles up to its limit and starts over', () => {
    const backoff = new Backoff({ startMs: 100, maxMs: 1_000 });
    expect([1, 2, 3, 4, 5, 6].map(() => backoff.next())).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    backoff.reset();
    expect(backoff.next()).toBe(100);
  });

  it('stays within its jitter, however often it is asked', () => {
    fc.assert(
      fc.property(fc.integer(), fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(2_000), (seed, jitter, failures) => {
        const backoff = new Backoff({ startMs: 100, maxMs: 10_000, jitter, random: seededRandom(seed) });
        let last = 0;
        for (let i = 0; i <= failures % 90; i++) last = backoff.next();
        const full = Math.min(10_000, 100 * 2 ** (failures % 90));
        expect(last).toBeGreaterThanOrEqual(full * (1 - jitter));
        expect(last).toBeLessThanOrEqual(full);
      }),
    );
  });
});

describe('seeded chance', () => {
  it('is the same for the same seed, and spread over [0, 1)', () => {
    const numbers = Array.from({ length: 1_000 }, seededRandom(42));
    expect(numbers).toEqual(Array.from({ length: 1_000 }, seededRandom(42)));
    expect(numbers).not.toEqual(Array.from({ length: 1_000 }, seededRandom(43)));
    expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
    expect(numbers.reduce((sum, number) => sum + number, 0) / 1_000).toBeCloseTo(0.5, 1);
  });
});
