import { describe, expect, it } from 'vitest';
import type { Schema } from '../schema/schema.ts';
import { EvaluationFailure, compile } from './compile.ts';
import { CompileError } from './issues.ts';
import { library } from './library/index.ts';
import { celTypeOf } from './schema-type.ts';
import { CelError } from './values.ts';

const schema: Schema = {
  type: 'object',
  properties: {
    a: { type: 'string' },
    n: { type: 'integer' },
    d: { type: 'number' },
    big: { type: 'integer' },
    tags: { type: 'array', maxItems: 5, items: { type: 'string', maxLength: 10 } },
    m: { type: 'object', additionalProperties: { type: 'integer' } },
    q: { 'x-kubernetes-int-or-string': true },
    namespace: { type: 'string' },
    'a-b': { type: 'string' },
    t: { type: 'string', format: 'date-time' },
    o: { type: 'object', properties: { x: { type: 'integer' } } },
  },
};
const self = {
  a: 'hi',
  n: 5,
  d: 1.5,
  big: 9007199254740993n,
  tags: ['a', 'b'],
  m: { k: 1, z: 2 },
  q: '50%',
  namespace: 'ns',
  'a-b': 'dash',
  t: '2024-01-02T03:04:05Z',
  o: {},
};
const type = celTypeOf(schema)!;
const evaluate = (source: string, limit = 1e6): unknown => compile(source, [['self', type]], library).evaluate([self], limit).value;

function faultOf(source: string): string {
  try {
    compile(source, [['self', type]], library);
    return 'compiled';
  } catch (error) {
    if (error instanceof CompileError) return error.message;
    throw error;
  }
}

const holds = [
  'self.n % 2 == 1',
  'self.n > 1.5',
  'self.big == 9007199254740993',
  'self.d * 2.0 == 3.0',
  "self.tags.all(t, t != 'no') && self.tags.exists_one(t, t == 'a')",
  'self.m.all(k, v, v > 0) && self.m.exists(k, self.m[k] == 2)',
  'has(self.o.x) || self.o.?x.orValue(7) == 7',
  "self.q == '50%' && type(self.q) == string",
  "self.q == 5 || self.q.endsWith('%')",
  "self.__namespace__ == 'ns' && self.a__dash__b == 'dash'",
  "self.t < timestamp('2025-01-01T00:00:00Z') && self.t.getFullYear() == 2024",
  "duration('1h') > duration('59m') && string(duration('90m')) == '5400s'",
  "quantity('1Gi').isGreaterThan(quantity('500Mi')) && quantity('1.5').add(quantity('500m')).asInteger() == 2",
  "isQuantity('12Ki') && !isQuantity('12Xi')",
  "self.tags.map(t, t + 'x').join(',') == 'ax,bx'",
  '[1, 2, 2].isSorted() && [1, 2, 3].sum() == 6 && [3, 1].min() == 1',
  "'%s-%d-%.2f'.format(['a', 3, 1.5]) == 'a-3-1.50'",
  "'abc123'.find('[0-9]+') == '123' && 'a1b2'.findAll('[0-9]') == ['1', '2']",
  "self.a.matches('^h.$') && !self.a.matches('^(h+)+x$')",
  "cidr('10.0.0.0/8').containsIP(ip('10.1.2.3')) && ip('::1').isLoopback()",
  "url('https://a.b:80/x?y=1').getPort() == '80' && url('/p').getHost() == ''",
  "sets.contains(self.tags, ['a']) && sets.equivalent([1, 2], [2, 1])",
  'optional.of(1).hasValue() && !optional.none().hasValue() && optional.of(2).optMap(x, x * 2).value() == 4',
  'cel.bind(x, self.n * 2, x > 9 && x < 11)',
  "format.dns1123Label().validate('ok') == optional.none()",
  "semver('1.2.3').isLessThan(semver('1.10.0'))",
  "{'a': 1}[?'b'].orValue(3) == 3 && 'a' in {'a': 1} && 2 in [1, 2]",
  'false && self.tags[9] == "x" || true',
  'self.tags[9] == "x" || true',
  'dyn(1) == 1.0',
];

const faults: [string, string][] = [
  ['self.b == 1', "ERROR: <input>:1:5: undefined field 'b'\n | self.b == 1\n | ....^"],
  ['self.a == 1', "ERROR: <input>:1:8: found no matching overload for '_==_' applied to '(string, int)'\n | self.a == 1\n | .......^"],
  ['foo', "ERROR: <input>:1:1: undeclared reference to 'foo' (in container '')\n | foo\n | ^"],
  [
    'self.n.startsWith("a")',
    "ERROR: <input>:1:18: found no matching overload for 'startsWith' applied to 'int.(string)'\n | self.n.startsWith(\"a\")\n | .................^",
  ],
  [
    'self.n ==',
    "ERROR: <input>:1:10: Syntax error: mismatched input '<EOF>' expecting {'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}\n | self.n ==\n | .........^",
  ],
  ['true &&\n  self.b', "ERROR: <input>:2:7: undefined field 'b'\n |   self.b\n | ......^"],
  ["['a', 1] == []", "ERROR: <input>:1:7: expected type 'string' but found 'int'\n | ['a', 1] == []\n | ......^"],
];

describe('compile', () => {
  it.each(holds)('evaluates to true: %s', (source) => {
    expect(evaluate(source)).toBe(true);
  });

  it.each(faults)('tells what is wrong with %s as cel-go does', (source, wanted) => {
    expect(faultOf(source)).toBe(wanted);
  });

  it('tells all faults of an expression, in their order', () => {
    expect(faultOf('self.x && self.y').match(/undefined field '.'/g)).toEqual(["undefined field 'x'", "undefined field 'y'"]);
  });

  it.each([
    ['self.n / 0 == 1', 'division by zero'],
    ['self.o.x == 1', 'no such key: x'],
    ['self.tags[5] == "a"', 'index out of bounds: 5'],
    ['9223372036854775807 + 1 > 0', 'integer overflow'],
    ['self.tags.map(t, self.m[t]) == []', 'no such key: a'],
    ['self.q < 3', 'no such overload: _<_'],
  ])('fails to evaluate %s', (source, wanted) => {
    expect(() => evaluate(source)).toThrow(wanted);
  });

  it('stops an evaluation that costs more than it may, wherever the cost arises', () => {
    const ten = '[0,1,2,3,4,5,6,7,8,9]';
    const source = `${ten}.all(a, ${ten}.all(b, ${ten}.all(c, ${ten}.all(d, a + b + c + d >= 0 || true))))`;
    try {
      evaluate(source, 10_000);
      expect.unreachable('the budget must run out');
    } catch (error) {
      expect(error).toBeInstanceOf(EvaluationFailure);
      expect((error as EvaluationFailure).cause).toBeInstanceOf(CelError);
      expect((error as Error).message).toBe('operation cancelled: actual cost limit exceeded');
    }
  });
});
