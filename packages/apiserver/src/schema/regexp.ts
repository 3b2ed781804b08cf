// Regular expressions of schemas and rules are Go's (RE2). A pattern in the common subset that cannot backtrack badly
// runs on the engine of JavaScript, anything else on RE2JS; compiled patterns are kept in a bounded cache.
import { RE2JS } from 're2js';

export interface Pattern {
  /** True when the pattern is found anywhere in the text. */
  test(text: string): boolean;
}

const CACHE_SIZE = 1000;
const cache = new Map<string, Pattern>();
const compiled = new Map<string, RE2JS>();

// Literals, classes, anchors and single quantifiers on a class or a character: no groups, so no nested repetition.
const SIMPLE = /^\^?(?:(?:\[(?:[\w\-.:/@ ]|\\[.\-/])+\]|[\w\-:/@ ]|\\[.\-/])(?:[*+?]|\{\d{1,3}(?:,\d{0,3})?\})?){0,4}\$?$/;

function remember<T>(map: Map<string, T>, key: string, value: T): T {
  if (map.size >= CACHE_SIZE) map.delete(map.keys().next().value ?? '');
  map.set(key, value);
  return value;
}

/** The RE2 program of a pattern. @throws Error naming what is wrong with the pattern */
export function compileRe2(source: string): RE2JS {
  return compiled.get(source) ?? remember(compiled, source, RE2JS.compile(source));
}

/** Compiles a schema's `pattern`. @throws Error when it is no RE2 expression */
export function compilePattern(source: string): Pattern {
  const known = cache.get(source);
  if (known !== undefined) return known;
  return remember(cache, source, SIMPLE.test(source) ? new RegExp(source) : re2Pattern(source));
}

function re2Pattern(source: string): Pattern {
  const program = compileRe2(source);
  return { test: (text) => program.matcher(text).find() };
}
