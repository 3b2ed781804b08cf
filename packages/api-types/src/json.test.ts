import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonEqual, parseJson, stringifyJson } from './json.ts';

describe('JSON without loss', () => {
  it.each(['1795412439123456789', '-1795412439123456789', '9223372036854775807', '-9223372036854775808', '9007199254740993'])(
    'brings %s through a round trip digit for digit',
    (digits) => {
      const parsed = parseJson(`{"status":{"creationTime":${digits}}}`);
      expect(parsed).toEqual({ status: { creationTime: BigInt(digits) } });
      expect(stringifyJson(parsed)).toBe(`{"status":{"creationTime":${digits}}}`);
    },
  );

  it('keeps safe integers as numbers, also beside one that is not', () => {
    expect(parseJson('[9007199254740991,-9007199254740991,0,9007199254740993]')).toEqual([9007199254740991, -9007199254740991, 0, 9007199254740993n]);
  });

  it('leaves digits inside strings and member names alone', () => {
    const text = '{"1795412439123456789":"id-1795412439123456789","quoted":"1795412439123456789"}';
    expect(stringifyJson(parseJson(text))).toBe(text);
  });

  it('leaves floats and exponents doubles, however many digits they have', () => {
    expect(parseJson('[0.12345678901234567890,1.7954124391234567e18,1e400]')).toEqual([
      Number('0.12345678901234567890'),
      Number('1.7954124391234567e18'),
      Infinity,
    ]);
    expect(parseJson('[123456789012345678901234567890]')).toEqual([Number('123456789012345678901234567890')]);
  });

  it('makes a member called __proto__ a plain member and no prototype', () => {
    for (const text of ['{"__proto__":{"polluted":true}}', '{"__proto__":{"polluted":1795412439123456789}}']) {
      const parsed = parseJson(text) as Record<string, unknown>;
      expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype);
      expect(Object.hasOwn(parsed, '__proto__')).toBe(true);
      expect('polluted' in parsed).toBe(false);
      expect(stringifyJson(parsed)).toBe(text);
    }
  });

  it('still refuses cycles', () => {
    const cycle: Record<string, unknown> = { big: 1n };
    cycle['self'] = cycle;
    expect(() => stringifyJson(cycle)).toThrow(TypeError);
  });

  it('agrees with JSON on everything that holds no large integer', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        expect(stringifyJson(parseJson(text))).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  it('brings every int64 through', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (int64) => {
        expect(stringifyJson(parseJson(`{"n":${int64}}`))).toBe(`{"n":${int64}}`);
      }),
    );
  });
});

describe('equality of JSON values', () => {
  it('ignores the order of members and those holding undefined', () => {
    expect(jsonEqual({ a: 1, b: [{ c: 2 }] }, { b: [{ c: 2 }], a: 1, d: undefined })).toBe(true);
  });

  it.each([
    [
      [1, 2],
      [2, 1],
    ],
    [[], {}],
    [{ a: null }, {}],
    [{ a: 1 }, { a: '1' }],
    [{ a: {} }, { b: {} }],
    [null, {}],
  ])('tells %j from %j', (left, right) => {
    expect(jsonEqual(left, right)).toBe(false);
  });

  it('holds for a value and its round trip', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => jsonEqual(JSON.parse(JSON.stringify(value)), JSON.parse(JSON.stringify(value)))));
  });
});
