import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { msToTimestamp, nanosToTimestamp, timestampToNanos } from './time.ts';

describe('times of snapshots', () => {
  it.each([
    [1704164645000000000n, '2024-01-02T03:04:05Z'],
    [1704164645999999999n, '2024-01-02T03:04:05Z'],
    [0, '1970-01-01T00:00:00Z'],
    [-1, '1969-12-31T23:59:59Z'],
    [9223372036854775807n, '2262-04-11T23:47:16Z'],
    [-9223372036854775808n, '1677-09-21T00:12:43Z'],
  ])('writes %s ns as %s', (nanos, text) => {
    expect(nanosToTimestamp(nanos)).toBe(text);
  });

  it('reads fractions and zones', () => {
    expect(timestampToNanos('2024-01-02T03:04:05.123456789Z')).toBe(1704164645123456789n);
    expect(timestampToNanos('2024-01-02T04:04:05.5+01:00')).toBe(1704164645500000000n);
  });

  it.each(['yesterday', '2024-01-02', '2024-13-02T03:04:05Z', '2024-01-02T03:04:05'])('refuses %s', (text) => {
    expect(() => timestampToNanos(text)).toThrow(RangeError);
  });

  it('loses nothing but the fraction of a second', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (nanos) => {
        const lost = nanos - timestampToNanos(nanosToTimestamp(nanos));
        expect(lost >= 0n && lost < 1_000_000_000n).toBe(true);
      }),
    );
  });

  it('writes milliseconds of a clock in whole seconds', () => {
    expect(msToTimestamp(1704164645999)).toBe('2024-01-02T03:04:05Z');
  });
});
