// string.format: %s %d %f %e %b %x %X %o. Source: cel-go ext/formatting.go.
import { CelError, Duration, Timestamp, Uint, isOpaque, keysOf, memberOf } from '../values.ts';
import { durationText, timestampText } from './standard.ts';

/** A value as %s writes it. */
export function display(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null) return 'null';
  if (value instanceof Uint) return value.value.toString();
  if (value instanceof Timestamp) return timestampText(value);
  if (value instanceof Duration) return durationText(value);
  if (value instanceof Uint8Array) return new TextDecoder().decode(value);
  if (Array.isArray(value)) return `[${value.map(display).join(', ')}]`;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  if (typeof value !== 'object') return '';
  if (isOpaque(value)) return value.typeName;
  const members = keysOf(value).map((key) => `${display(key)}: ${display(memberOf(value, key))}`);
  return `{${members.sort().join(', ')}}`;
}

function integer(value: unknown, verb: string): bigint {
  if (typeof value === 'bigint') return value;
  if (value instanceof Uint) return value.value;
  if (typeof value === 'boolean' && verb === 'b') return value ? 1n : 0n;
  throw new CelError(`error during formatting: could not convert argument to the type that %${verb} needs`);
}

function number(value: unknown, verb: string): number {
  if (typeof value === 'number') return value;
  return Number(integer(value, verb));
}

function hexadecimal(value: unknown): string {
  if (typeof value === 'string') return Buffer.from(value).toString('hex');
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : integer(value, 'x').toString(16);
}

function write(verb: string, precision: string | undefined, value: unknown): string {
  const digits = precision === undefined ? 6 : Number(precision);
  switch (verb) {
    case 's':
      return display(value);
    case 'd':
      return typeof value === 'number' ? String(value) : integer(value, verb).toString();
    case 'f':
      return number(value, verb).toFixed(digits);
    case 'e':
      return number(value, verb)
        .toExponential(digits)
        .replace(/e([+-])(\d)$/, 'e$10$2');
    case 'b':
      return integer(value, verb).toString(2);
    case 'o':
      return integer(value, verb).toString(8);
    case 'x':
      return hexadecimal(value);
    case 'X':
      return hexadecimal(value).toUpperCase();
    default:
      throw new CelError(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
  }
}

/** Fills the clauses of a format with values. @throws CelError when there are too few, or of a wrong type */
export function formatText(format: string, values: readonly unknown[]): string {
  let next = 0;
  return format.replaceAll(/%(?:%|(?:\.(\d+))?([a-zA-Z]))/g, (clause, precision: string | undefined, verb: string | undefined) => {
    if (clause === '%%' || verb === undefined) return '%';
    if (next >= values.length) throw new CelError(`index ${next} out of range`);
    return write(verb, precision, values[next++]);
  });
}
