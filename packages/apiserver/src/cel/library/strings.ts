// The strings extension, and find and findAll of Kubernetes. Positions count code points.
// Sources: cel-go ext/strings.go, k8s.io/apiserver/pkg/cel/library/regex.go.
import { compileRe2 } from '../../schema/regexp.ts';
import type { CostModel, Definition } from '../functions.ts';
import { readsFirst } from '../functions.ts';
import { CelError } from '../values.ts';
import { formatText } from './format-text.ts';

function position(at: bigint, length: number): number {
  if (at < 0n || at > BigInt(length)) throw new CelError(`index out of range: ${at}`);
  return Number(at);
}

function substring(text: string, from: bigint, to?: bigint): string {
  const letters = Array.from(text);
  const [start, end] = [position(from, letters.length), position(to ?? BigInt(letters.length), letters.length)];
  if (start > end) throw new CelError(`invalid substring range. start: ${start}, end: ${end}`);
  return letters.slice(start, end).join('');
}

function charAt(text: string, at: bigint): string {
  const letters = Array.from(text);
  return letters[position(at, letters.length)] ?? '';
}

function indexOf(text: string, part: string, from = 0n): bigint {
  const [letters, wanted] = [Array.from(text), Array.from(part)];
  for (let at = position(from, letters.length); at + wanted.length <= letters.length; at++) {
    if (wanted.every((letter, index) => letters[at + index] === letter)) return BigInt(at);
  }
  return -1n;
}

function lastIndexOf(text: string, part: string, from?: bigint): bigint {
  const [letters, wanted] = [Array.from(text), Array.from(part)];
  const latest = Math.min(from === undefined ? letters.length : position(from, letters.length), letters.length - wanted.length);
  for (let at = latest; at >= 0; at--) {
    if (wanted.every((letter, index) => letters[at + index] === letter)) return BigInt(at);
  }
  return -1n;
}

function replace(text: string, what: string, by: string, limit = -1n): string {
  if (limit < 0n) return text.split(what).join(by);
  const parts = split(text, what, limit + 1n);
  return parts.join(by);
}

function split(text: string, separator: string, limit = -1n): string[] {
  if (limit === 0n) return [];
  const parts = separator === '' ? Array.from(text) : text.split(separator);
  if (limit < 0n || BigInt(parts.length) <= limit) return parts;
  const kept = parts.slice(0, Number(limit) - 1);
  return [...kept, parts.slice(Number(limit) - 1).join(separator)];
}

const asciiCase = (text: string, from: RegExp, change: (letter: string) => string): string => text.replaceAll(from, change);
const lower = (text: string): string => asciiCase(text, /[A-Z]/g, (letter) => letter.toLowerCase());
const upper = (text: string): string => asciiCase(text, /[a-z]/g, (letter) => letter.toUpperCase());

const ESCAPES: Readonly<Record<string, string>> = {
  '\u0007': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '\\': '\\\\',
  '"': '\\"',
};

function quote(text: string): string {
  return `"${Array.from(text)
    .map((letter) => ESCAPES[letter] ?? letter)
    .join('')}"`;
}

function findAll(text: string, pattern: string, limit = -1n): string[] {
  const found: string[] = [];
  const matcher = compile(pattern).matcher(text);
  const most = limit < 0n ? Infinity : Number(limit);
  while (found.length < most && matcher.find()) found.push(matcher.group() ?? '');
  return found;
}

function compile(pattern: string): ReturnType<typeof compileRe2> {
  try {
    return compileRe2(pattern);
  } catch (error) {
    throw new CelError(`Illegal regex: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const grows: CostModel = { ...readsFirst, size: (sizes) => sizes.reduce((sum, size) => sum + size, 0) };
const regex: CostModel = { cost: ([first = 0, second = 0]) => Math.ceil((first + 1) * 0.1 * Math.max(1, second * 0.25)), size: ([first = 0]) => first };

export const strings: readonly Definition[] = [
  ['string.charAt(int): string', charAt, readsFirst],
  ['string.indexOf(string): int', (text: string, part: string) => indexOf(text, part), readsFirst],
  ['string.indexOf(string, int): int', indexOf, readsFirst],
  ['string.lastIndexOf(string): int', (text: string, part: string) => lastIndexOf(text, part), readsFirst],
  ['string.lastIndexOf(string, int): int', lastIndexOf, readsFirst],
  ['string.lowerAscii(): string', lower, readsFirst],
  ['string.upperAscii(): string', upper, readsFirst],
  ['string.replace(string, string): string', (text: string, what: string, by: string) => replace(text, what, by), grows],
  ['string.replace(string, string, int): string', replace, grows],
  ['string.split(string): list<string>', (text: string, separator: string) => split(text, separator), readsFirst],
  ['string.split(string, int): list<string>', split, readsFirst],
  ['string.substring(int): string', (text: string, from: bigint) => substring(text, from), readsFirst],
  ['string.substring(int, int): string', substring, readsFirst],
  ['string.trim(): string', (text: string) => text.trim(), readsFirst],
  ['string.reverse(): string', (text: string) => Array.from(text).reverse().join(''), readsFirst],
  ['list<string>.join(): string', (list: readonly string[]) => list.join(''), grows],
  ['list<string>.join(string): string', (list: readonly string[], separator: string) => list.join(separator), grows],
  ['strings.quote(string): string', quote, readsFirst],
  ['string.format(list<dyn>): string', formatText, grows],
  ['string.find(string): string', (text: string, pattern: string) => findAll(text, pattern, 1n)[0] ?? '', regex],
  ['string.findAll(string): list<string>', (text: string, pattern: string) => findAll(text, pattern), regex],
  ['string.findAll(string, int): list<string>', findAll, regex],
];
