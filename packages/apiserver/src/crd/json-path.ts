// The JSONPath of printer columns, selectable fields and scale paths: `.spec.a`, `.list[0].b`, `.list[*].b`,
// `.labels['a.b']`, `.labels.a\.b`, `.conditions[?(@.type=="Ready")].status`, `..name`.
// Source: k8s.io/client-go/util/jsonpath.
import { isObject } from '../schema/schema.ts';

type Step =
  | { readonly kind: 'member'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'slice'; readonly from: number; readonly to: number | undefined }
  | { readonly kind: 'all' }
  | { readonly kind: 'deep' }
  | { readonly kind: 'filter'; readonly path: readonly Step[]; readonly operator: string; readonly value: unknown };

export type JsonPath = readonly Step[];

const NAME = /(?:\\.|[^.[\]\\])+/y;
const FILTER = /^\?\(@((?:\.[^=<>!)\s]+)+)\s*(?:(==|!=|<=|>=|<|>)\s*(.+?))?\s*\)$/;

/** Reads a path. @throws Error naming what cannot be read */
export function parsePath(text: string): JsonPath {
  const steps: Step[] = [];
  let at = 0;
  while (at < text.length) {
    if (text.startsWith('..', at)) {
      steps.push({ kind: 'deep' });
      at += 1;
    } else if (text[at] === '.') {
      at += 1;
    } else if (text[at] === '[') {
      const end = closing(text, at);
      steps.push(subscript(text.slice(at + 1, end)));
      at = end + 1;
    } else {
      NAME.lastIndex = at;
      const name = NAME.exec(text)?.[0];
      if (name === undefined) throw new Error(`invalid json path ${JSON.stringify(text)} at ${at}`);
      steps.push(name === '*' ? { kind: 'all' } : { kind: 'member', name: name.replaceAll(/\\(.)/g, '$1') });
      at += name.length;
    }
  }
  return steps;
}

function closing(text: string, open: number): number {
  let quote = '';
  for (let at = open + 1; at < text.length; at++) {
    const letter = text[at] ?? '';
    if (quote !== '') quote = letter === quote ? '' : quote;
    else if (letter === "'" || letter === '"') quote = letter;
    else if (letter === ']') return at;
  }
  throw new Error(`unterminated array in json path ${JSON.stringify(text)}`);
}

function subscript(text: string): Step {
  if (text === '*') return { kind: 'all' };
  if (/^-?\d+$/.test(text)) return { kind: 'index', index: Number(text) };
  const slice = /^(-?\d*):(-?\d*)$/.exec(text);
  if (slice !== null) return { kind: 'slice', from: Number(slice[1]), to: slice[2] === '' ? undefined : Number(slice[2]) };
  const quoted = /^(['"])(.*)\1$/s.exec(text);
  if (quoted !== null) return { kind: 'member', name: quoted[2] ?? '' };
  const filter = FILTER.exec(text);
  if (filter === null) throw new Error(`invalid array index ${text}`);
  return { kind: 'filter', path: parsePath(filter[1] ?? ''), operator: filter[2] ?? 'exists', value: literal(filter[3] ?? '') };
}

function literal(text: string): unknown {
  const quoted = /^(['"])(.*)\1$/s.exec(text);
  if (quoted !== null) return quoted[2];
  if (text === 'true' || text === 'false') return text === 'true';
  return text !== '' && !Number.isNaN(Number(text)) ? Number(text) : text;
}

/** The values that a path finds; none when a member is missing. */
export function findAll(path: JsonPath, root: unknown): unknown[] {
  let values: unknown[] = [root];
  for (const step of path) values = values.flatMap((value) => follow(step, value));
  return values;
}

function follow(step: Step, value: unknown): unknown[] {
  switch (step.kind) {
    case 'member':
      if (Array.isArray(value)) return [];
      return isObject(value) && Object.hasOwn(value, step.name) ? [value[step.name]] : [];
    case 'index':
      return Array.isArray(value) ? pick(value as unknown[], step.index) : [];
    case 'slice':
      return Array.isArray(value) ? (value as unknown[]).slice(step.from, step.to) : [];
    case 'all':
      return Array.isArray(value) ? (value as unknown[]) : isObject(value) ? Object.values(value) : [];
    case 'deep':
      return descendants(value);
    default:
      return Array.isArray(value) ? (value as unknown[]).filter((item) => passes(step, item)) : [];
  }
}

function pick(list: readonly unknown[], index: number): unknown[] {
  const item = list.at(index);
  return item === undefined ? [] : [item];
}

function descendants(value: unknown): unknown[] {
  if (Array.isArray(value)) return [value, ...value.flatMap(descendants)];
  return isObject(value) ? [value, ...Object.values(value).flatMap(descendants)] : [];
}

function passes({ path, operator, value }: Extract<Step, { kind: 'filter' }>, item: unknown): boolean {
  const [found] = findAll(path, item);
  if (found === undefined) return false;
  switch (operator) {
    case 'exists':
      return true;
    case '==':
      return found === value;
    case '!=':
      return found !== value;
    default:
      return ordered(operator, found, value);
  }
}

function ordered(operator: string, left: unknown, right: unknown): boolean {
  if (typeof left !== typeof right || (typeof left !== 'number' && typeof left !== 'string')) return false;
  const other = right as typeof left;
  if (operator === '<') return left < other;
  if (operator === '>') return left > other;
  return operator === '<=' ? left <= other : left >= other;
}
