// The types of CEL, as the checker sees them. Type parameters (A, B) occur only in signatures of functions.
// Source: https://github.com/google/cel-spec/blob/master/doc/langdef.md

export type CelType =
  | { readonly kind: Simple }
  | { readonly kind: 'list'; readonly of: CelType; readonly sizeLimit?: number }
  | { readonly kind: 'map'; readonly key: CelType; readonly value: CelType; readonly sizeLimit?: number }
  | ObjectType
  | { readonly kind: 'optional'; readonly of: CelType }
  | { readonly kind: 'type'; readonly of: CelType }
  | { readonly kind: 'opaque'; readonly name: string }
  | { readonly kind: 'parameter'; readonly name: string }
  | { readonly kind: 'sized'; readonly base: 'string' | 'bytes'; readonly sizeLimit: number };

export type Simple = 'dyn' | 'null' | 'bool' | 'int' | 'uint' | 'double' | 'string' | 'bytes' | 'timestamp' | 'duration' | 'error';

/** An object of a schema: only the fields named here may be selected. */
export interface ObjectType {
  readonly kind: 'object';
  readonly name: string;
  readonly fields: ReadonlyMap<string, FieldOfObject>;
}

export interface FieldOfObject {
  /** The name in JSON; the name in CEL may be an escaped form of it. */
  readonly jsonName: string;
  readonly type: () => CelType;
}

const simple = (kind: Simple): CelType => ({ kind });
export const DYN: CelType = simple('dyn');
export const NULL: CelType = simple('null');
export const BOOL: CelType = simple('bool');
export const INT: CelType = simple('int');
export const UINT: CelType = simple('uint');
export const DOUBLE: CelType = simple('double');
export const STRING: CelType = simple('string');
export const BYTES: CelType = simple('bytes');
export const TIMESTAMP: CelType = simple('timestamp');
export const DURATION: CelType = simple('duration');
/** The type of an expression that was already found to be wrong: it fits everywhere, so one fault is told once. */
export const ERROR: CelType = simple('error');

export const listOf = (of: CelType): CelType => ({ kind: 'list', of });
export const mapOf = (key: CelType, value: CelType): CelType => ({ kind: 'map', key, value });
export const optionalOf = (of: CelType): CelType => ({ kind: 'optional', of });
export const opaque = (name: string): CelType => ({ kind: 'opaque', name });

/** A bounded string is a string for every rule but the estimate of costs. */
export function baseKind(type: CelType): CelType['kind'] {
  return type.kind === 'sized' ? type.base : type.kind;
}

/** The name of a type in messages: `list(string)`. */
export function formatType(type: CelType): string {
  switch (type.kind) {
    case 'list':
      return `list(${formatType(type.of)})`;
    case 'map':
      return `map(${formatType(type.key)}, ${formatType(type.value)})`;
    case 'optional':
      return `optional_type(${formatType(type.of)})`;
    case 'type':
      return `type(${formatType(type.of)})`;
    case 'object':
    case 'opaque':
    case 'parameter':
      return type.name;
    case 'sized':
      return type.base;
    case 'timestamp':
    case 'duration':
      return `google.protobuf.${type.kind === 'timestamp' ? 'Timestamp' : 'Duration'}`;
    case 'error':
      return '!error!';
    default:
      return type.kind;
  }
}

const NULLABLE: ReadonlySet<string> = new Set(['null', 'object', 'opaque', 'timestamp', 'duration', 'optional']);

/** Substitutions of type parameters found while matching a signature. */
export type Bindings = Map<string, CelType>;

/** True when a value of `found` may stand where `wanted` is asked for; parameters of `wanted` are bound on the way. */
export function accepts(wanted: CelType, found: CelType, bindings: Bindings): boolean {
  if (wanted.kind === 'parameter') return bind(wanted.name, found, bindings);
  if (isLoose(wanted) || isLoose(found)) return true;
  if (found.kind === 'null') return NULLABLE.has(wanted.kind);
  if (baseKind(wanted) !== baseKind(found)) return false;
  if (wanted.kind === 'list' && found.kind === 'list') return accepts(wanted.of, found.of, bindings);
  if (wanted.kind === 'map' && found.kind === 'map') return accepts(wanted.key, found.key, bindings) && accepts(wanted.value, found.value, bindings);
  if (wanted.kind === 'optional' && found.kind === 'optional') return accepts(wanted.of, found.of, bindings);
  if (wanted.kind === 'opaque' && found.kind === 'opaque') return wanted.name === found.name;
  return true;
}

function isLoose(type: CelType): boolean {
  return type.kind === 'dyn' || type.kind === 'error';
}

function bind(name: string, found: CelType, bindings: Bindings): boolean {
  const known = bindings.get(name);
  if (known === undefined || isLoose(known)) {
    bindings.set(name, found);
    return true;
  }
  return accepts(known, found, bindings) || accepts(found, known, bindings);
}

/** The signature's result with its parameters replaced by what they were bound to (dyn when nothing was). */
export function substitute(type: CelType, bindings: Bindings): CelType {
  switch (type.kind) {
    case 'parameter':
      return bindings.get(type.name) ?? DYN;
    case 'list':
      return listOf(substitute(type.of, bindings));
    case 'map':
      return mapOf(substitute(type.key, bindings), substitute(type.value, bindings));
    case 'optional':
      return optionalOf(substitute(type.of, bindings));
    default:
      return type;
  }
}

/** The type both have in common, dyn when they have none. */
export function join(left: CelType, right: CelType): CelType {
  if (left.kind === 'error') return right;
  if (right.kind === 'error' || left === right) return left;
  if (left.kind === 'null') return accepts(right, left, new Map()) ? right : DYN;
  return accepts(left, right, new Map()) && !isLoose(right) ? left : DYN;
}

const PARAMETER = /^[A-Z]$/;

/** Reads a type as signatures write it: `list<string>`, `map<string, dyn>`, `optional<A>`, `Quantity`. */
export function parseType(text: string): CelType {
  const generic = /^(list|map|optional)<(.*)>$/s.exec(text);
  if (generic !== null) {
    const [, kind, inner = ''] = generic;
    if (kind === 'list') return listOf(parseType(inner));
    if (kind === 'optional') return optionalOf(parseType(inner));
    const comma = inner.indexOf(', ');
    return mapOf(parseType(inner.slice(0, comma)), parseType(inner.slice(comma + 2)));
  }
  if (PARAMETER.test(text)) return { kind: 'parameter', name: text };
  if (SIMPLE.has(text)) return simple(text as Simple);
  return opaque(OPAQUE[text] ?? text);
}

const OPAQUE: Readonly<Record<string, string>> = {
  Quantity: 'kubernetes.Quantity',
  IP: 'net.IP',
  CIDR: 'net.CIDR',
  URL: 'kubernetes.URL',
  Semver: 'kubernetes.Semver',
  NamedFormat: 'kubernetes.NamedFormat',
};

const SIMPLE: ReadonlySet<string> = new Set(['dyn', 'null', 'bool', 'int', 'uint', 'double', 'string', 'bytes', 'timestamp', 'duration']);
