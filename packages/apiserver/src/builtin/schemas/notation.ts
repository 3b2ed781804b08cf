// The notation in which the pages of built-in types are written, and its reader. A field is one line:
//
//   accessModes: '2 []string atomic'      number on the protobuf wire, type, flags
//   secretRef:   '2/6 SecretReference'    a field of a message that JSON shows inline (message 2, field 6)
//
// Types: string bool int32 int64 double bytes quantity time microtime intOrString json rawExtension fieldsV1, the schema
// unions of apiextensions, `[]T`, `{}T` (map of T by string), or the name of a type of this page or `page.version.Type`.
// Flags: required, atomic, set, map=KEYS, merge=KEY (strategic merge), strategy=S, default=JSON,
// pointer (its zero value differs from no value), always (written
// even when empty). A number of 0 means
// that the wire number is not known; such a field is JSON only. The member '' holds the flags of the type itself:
// `object GROUP/VERSION` for a kind with apiVersion, kind and metadata, `atomic` for a struct applied as a whole.

export interface TypePage {
  /** The prefix of the OpenAPI names, such as io.k8s.api.core.v1. */
  readonly prefix: string;
  readonly types: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface Field {
  readonly name: string;
  /** Protobuf field numbers from the outside in; empty when unknown. */
  readonly wire: readonly number[];
  readonly type: FieldType;
  readonly required: boolean;
  /** Zero values are told apart from absence. */
  readonly pointer?: boolean;
  /** Written even when it is null or empty. */
  readonly always?: boolean;
  readonly listType?: 'atomic' | 'set' | 'map';
  readonly mapKeys?: readonly string[];
  readonly mergeKey?: string;
  readonly strategy?: string;
  readonly default?: unknown;
}

export type FieldType =
  | { readonly kind: 'scalar'; readonly name: string }
  | { readonly kind: 'list' | 'map'; readonly of: FieldType }
  | { readonly kind: 'ref'; readonly name: string };

const SCALARS: ReadonlySet<string> = new Set(
  'string bool int32 int64 double bytes quantity time microtime intOrString json rawExtension fieldsV1 schemaOrBool schemaOrArray schemaOrStrings'.split(' '),
);

function parseType(text: string): FieldType {
  if (text.startsWith('[]')) return { kind: 'list', of: parseType(text.slice(2)) };
  if (text.startsWith('{}')) return { kind: 'map', of: parseType(text.slice(2)) };
  return SCALARS.has(text) ? { kind: 'scalar', name: text } : { kind: 'ref', name: text };
}

function parseFlag(flag: string): Partial<Field> {
  const [name = '', value = ''] = flag.split(/=(.*)/s);
  switch (name) {
    case 'required':
      return { required: true };
    case 'pointer':
    case 'always':
      return { [name]: true };
    case 'atomic':
    case 'set':
      return { listType: name };
    case 'map':
      return { listType: 'map', mapKeys: value.split(',') };
    case 'merge':
      return { mergeKey: value };
    case 'strategy':
      return { strategy: value };
    case 'default':
      return { default: JSON.parse(value) as unknown };
    default:
      throw new Error(`unknown flag ${flag} in the notation of a built-in type`);
  }
}

/** Reads one line of a page. @throws Error naming the flag that the notation does not know */
export function parseField(name: string, text: string): Field {
  const [wire = '0', type = 'json', ...flags] = text.split(' ');
  const parts: Partial<Field>[] = flags.map(parseFlag);
  return Object.assign({ name, wire: wire === '0' ? [] : wire.split('/').map(Number), type: parseType(type), required: false }, ...parts) as Field;
}
