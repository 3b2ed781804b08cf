import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesOf, compareQuantities, formatBytes, formatQuantity, parseQuantity, type QuantityFormat } from './quantity.ts';

describe('quantities', () => {
  // The right column is what Go's resource.MustParse(left).String() gives.
  it.each([
    ['0', '0'],
    ['0Gi', '0'],
    ['1Gi', '1Gi'],
    ['1024Mi', '1Gi'],
    ['1073741824', '1073741824'],
    ['1.5Gi', '1536Mi'],
    ['0.5Gi', '512Mi'],
    ['1000Ki', '1000Ki'],
    ['1023', '1023'],
    ['1Ki', '1Ki'],
    ['0.5Ki', '512'],
    ['0.1Ki', '102400m'],
    ['0.0001Ki', '102400u'],
    ['1.5G', '1500M'],
    ['1000M', '1G'],
    ['100m', '100m'],
    ['1000m', '1'],
    ['1500m', '1500m'],
    ['1u', '1u'],
    ['0.1n', '1n'],
    ['1e3', '1e3'],
    ['1E3', '1e3'],
    ['1000e0', '1e3'],
    ['12e-1', '1200e-3'],
    ['1E', '1E'],
    ['1Ei', '1Ei'],
    ['-1Gi', '-1Gi'],
    ['+5', '5'],
    ['.5', '500m'],
    ['5.', '5'],
    ['1k', '1k'],
  ])('spells %s as %s', (text, canonical) => {
    expect(formatQuantity(parseQuantity(text))).toBe(canonical);
  });

  it.each(['', 'big', '1GB', '1 Gi', '1KI', '--1', '.', 'Gi', '1e', '1e9999', '0x10', '1Gi Gi'])('refuses %j, naming it', (text) => {
    expect(() => parseQuantity(text)).toThrow(`"${text}"`);
  });

  it('compares by value, not by spelling', () => {
    expect(compareQuantities('1Gi', '1024Mi')).toBe(0);
    expect(compareQuantities('1G', '1Gi')).toBe(-1);
    expect(compareQuantities('9007199254740993', '9007199254740992')).toBe(1);
    expect(compareQuantities(1073741824, '1Gi')).toBe(0);
  });

  it('gives bytes whole, upwards', () => {
    expect(bytesOf('1Gi')).toBe(1073741824n);
    expect(bytesOf('1.5')).toBe(2n);
    expect(bytesOf('100m')).toBe(1n);
    expect(bytesOf('-1500m')).toBe(-2n);
    expect(bytesOf('8Ei')).toBe(9223372036854775808n);
  });

  it('writes sizes as the controllers of Kubernetes do', () => {
    expect(formatBytes(1073741824n)).toBe('1Gi');
    expect(formatBytes(1073741825n)).toBe('1073741825');
    expect(formatBytes(500)).toBe('500');
    expect(formatBytes(1500000000n, 'DecimalSI')).toBe('1500M');
  });

  it('reads back what it writes, exactly, for every value and format', () => {
    const formats = fc.constantFrom<QuantityFormat[]>('BinarySI', 'DecimalSI', 'DecimalExponent');
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 93n), max: 2n ** 93n }), formats, (nano, format) => {
        expect(parseQuantity(formatQuantity({ nano, format })).nano).toBe(nano);
      }),
    );
  });

  it('has one canonical spelling: formatting it again changes nothing', () => {
    const suffix = fc.constantFrom('', 'n', 'u', 'm', 'k', 'M', 'G', 'T', 'P', 'E', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'e3', 'e-2');
    fc.assert(
      fc.property(fc.nat(), fc.nat(9999), suffix, (whole, fraction, unit) => {
        const once = formatQuantity(parseQuantity(`${whole}.${fraction}${unit}`));
        expect(formatQuantity(parseQuantity(once))).toBe(once);
      }),
    );
  });
});
