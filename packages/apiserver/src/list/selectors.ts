// Label and field selectors, parsed once and then asked for each object. The messages for what cannot be
// parsed are kube-apiserver's. Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
import type { KubeObject } from '@snapshot-stack/api-types';
import { badRequest } from '../status.ts';

export type Matcher = (object: KubeObject) => boolean;

interface Token {
  kind: 'word' | '(' | ')' | ',' | '=' | '==' | '!=' | '!' | '>' | '<' | 'end';
  text: string;
}

function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const pattern = /\s*(?:(==|!=|[(),=!<>])|([^\s(),=!<>]+))/gy;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const [, symbol, word = ''] = match;
    tokens.push(symbol === undefined ? { kind: 'word', text: word } : { kind: symbol as Token['kind'], text: symbol });
  }
  tokens.push({ kind: 'end', text: '' });
  return tokens;
}

const LABEL_VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const LABEL_NAME = /^(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

function show(token: Token): string {
  return token.kind === 'end' ? '' : token.text;
}

/** One requirement is none; its text is completed by the parser. */
class Fault extends Error {}

class LabelParser {
  readonly #tokens: Token[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  #peek(): Token {
    return this.#tokens[this.#at] as Token;
  }

  #take(): Token {
    return this.#tokens[this.#at++] as Token;
  }

  parse(): Matcher[] {
    const requirements: Matcher[] = [];
    if (this.#peek().kind === 'end') return requirements;
    for (;;) {
      const first = this.#peek();
      if (first.kind !== 'word' && first.kind !== '!') throw badRequest(`found '${show(first)}', expected: !, identifier, or 'end of string'`);
      requirements.push(this.#checkedRequirement());
      const next = this.#take();
      if (next.kind === 'end') return requirements;
      if (next.kind !== ',') throw badRequest(`found '${show(next)}', expected: ',' or 'end of string'`);
      const after = this.#peek();
      if (after.kind !== 'word' && after.kind !== '!') throw badRequest(`found '${show(after)}', expected: identifier after ','`);
    }
  }

  #checkedRequirement(): Matcher {
    try {
      return this.#requirement();
    } catch (error) {
      throw error instanceof Fault ? badRequest(`unable to parse requirement: ${error.message}`) : error;
    }
  }

  #key(): string {
    const token = this.#take();
    if (token.kind !== 'word') throw new Fault(`found '${show(token)}', expected: identifier`);
    if (!LABEL_NAME.test(token.text)) {
      throw new Fault(
        `<nil>: Invalid value: "${token.text}": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
      );
    }
    return token.text;
  }

  #requirement(): Matcher {
    if (this.#peek().kind === '!') {
      this.#take();
      const key = this.#key();
      return (object) => object.metadata.labels?.[key] === undefined;
    }
    const key = this.#key();
    const next = this.#peek();
    if (next.kind === 'end' || next.kind === ',') return (object) => object.metadata.labels?.[key] !== undefined;
    return this.#operation(key, this.#take());
  }

  #operation(key: string, operator: Token): Matcher {
    const valueOf = (object: KubeObject): string | undefined => object.metadata.labels?.[key];
    switch (operator.kind) {
      case '=':
      case '==': {
        const wanted = this.#value(key);
        return (object) => valueOf(object) === wanted;
      }
      case '!=': {
        const unwanted = this.#value(key);
        return (object) => valueOf(object) !== unwanted;
      }
      case '>':
      case '<': {
        const bound = this.#value(key);
        if (!/^-?\d+$/.test(bound)) throw new Fault(`values[0]: Invalid value: "${bound}": for 'Gt', 'Lt' operators, the value must be an integer`);
        const greater = operator.kind === '>';
        return (object) => {
          const value = valueOf(object);
          if (value === undefined || !/^-?\d+$/.test(value)) return false;
          return greater ? BigInt(value) > BigInt(bound) : BigInt(value) < BigInt(bound);
        };
      }
      default: {
        if (operator.text !== 'in' && operator.text !== 'notin') throw new Fault(`found '${show(operator)}', expected: in, notin, =, ==, !=, gt, lt`);
        const values = this.#values(key);
        const wanted = operator.text === 'in';
        return (object) => {
          const value = valueOf(object);
          return value === undefined ? !wanted : values.has(value) === wanted;
        };
      }
    }
  }

  #value(key: string): string {
    const next = this.#peek();
    if (next.kind === 'end' || next.kind === ',') return '';
    const token = this.#take();
    if (token.kind !== 'word') throw new Fault(`found '${show(token)}', expected: identifier`);
    return this.#checked(key, token.text);
  }

  #checked(key: string, value: string): string {
    if (LABEL_VALUE.test(value)) return value;
    throw new Fault(
      `values[0][${key}]: Invalid value: "${value}": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
    );
  }

  #values(key: string): Set<string> {
    const open = this.#take();
    if (open.kind !== '(') throw new Fault(`found '${show(open)}' expected: '('`);
    const values = new Set<string>();
    for (;;) {
      const token = this.#take();
      if (token.kind === 'word') values.add(this.#checked(key, token.text));
      else if (token.kind === ',' || token.kind === ')') {
        if (token.kind === ')' && values.size === 0) values.add('');
        if (token.kind === ')') return values;
        continue;
      } else throw new Fault(`found '${show(token)}', expected: ',', ')' or identifier`);
      const next = this.#take();
      if (next.kind === ')') return values;
      if (next.kind !== ',') throw new Fault(`found '${show(next)}', expected: ',' or ')'`);
    }
  }
}

/** @throws StatusError 400 for what is no label selector */
export function labelMatcher(text: string): Matcher | undefined {
  const requirements = new LabelParser(text).parse();
  return requirements.length === 0 ? undefined : (object) => requirements.every((matches) => matches(object));
}

function fieldValue(object: KubeObject, path: string): string {
  let value: unknown = object;
  for (const part of path.split('.')) value = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[part] : undefined;
  return value === undefined || value === null ? '' : String(value as string | number | boolean);
}

/**
 * @param allowed fields that the resource can be selected by
 * @throws StatusError 400 for other fields and for what is no field selector
 */
export function fieldMatcher(text: string, allowed: readonly string[], unsupported: (field: string) => string): Matcher | undefined {
  const terms = text.split(/(?<!\\),/).filter((term) => term !== '');
  const requirements = terms.map((term) => {
    const match = /^([^=!]+)(!=|==|=)(.*)$/s.exec(term);
    if (match === null) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    const [, field = '', operator, raw = ''] = match;
    if (!allowed.includes(field)) throw badRequest(unsupported(field));
    const wanted = raw.replaceAll(/\\([\\,=])/g, '$1');
    return (object: KubeObject): boolean => (fieldValue(object, field) === wanted) === (operator !== '!=');
  });
  return requirements.length === 0 ? undefined : (object) => requirements.every((matches) => matches(object));
}
