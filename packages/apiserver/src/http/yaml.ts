// Reads YAML as kube-apiserver's library does: YAML 1.1, where `yes` and `on` are booleans, but times stay texts.
// Source: sigs.k8s.io/yaml. The parser is loaded only when a body is YAML.
import { isObject, type JsonObject } from '../schema/schema.ts';

/** Aliases that a document may use; more is an attack on memory. */
const ALIASES_MAX = 100;

type Tag = string | { readonly tag: string; readonly format?: string };

// Times, and numbers to the base of 60, are texts.
function isWanted(tag: Tag): boolean {
  return typeof tag === 'string' || (tag.tag !== 'tag:yaml.org,2002:timestamp' && tag.format !== 'TIME');
}

/**
 * The value of a document; members that are named twice have their last value. Integers stay bigint only where a
 * number would lose digits, as in JSON.
 * @throws Error of the parser for what is no YAML
 */
export async function parseYamlText(text: string): Promise<unknown> {
  const { parse } = await import('yaml');
  const value: unknown = parse(text, {
    version: '1.1',
    customTags: (tags) => tags.filter(isWanted),
    intAsBigInt: true,
    maxAliasCount: ALIASES_MAX,
    uniqueKeys: false,
    merge: true,
    logLevel: 'error',
  });
  return plain(value);
}

/** The lines on which a member is named for a second time, and its name. */
export async function repeatedMembers(text: string): Promise<{ line: number; name: string }[]> {
  const { parseDocument } = await import('yaml');
  const { errors } = parseDocument(text, { version: '1.1' });
  return errors
    .filter(({ code }) => code === 'DUPLICATE_KEY')
    .map(({ pos, linePos }) => ({ line: linePos?.[0].line ?? 1, name: /^"?([^":\s]+)/.exec(text.slice(pos[0]))?.[1] ?? '' }));
}

function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  if (Array.isArray(value)) return value.map(plain);
  if (!isObject(value)) return value;
  const copy: JsonObject = {};
  for (const [name, member] of Object.entries(value)) {
    Object.defineProperty(copy, name, { value: plain(member), enumerable: true, writable: true, configurable: true });
  }
  return copy;
}
