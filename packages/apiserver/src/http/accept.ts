// What form of answer a client asks for in its Accept header.
// Source: k8s.io/apiserver/pkg/endpoints/handlers/negotiation.
import { badRequest, notAcceptable } from '../status.ts';
import { BODY_TYPES } from './decode.ts';

export type IncludeObject = 'Metadata' | 'Object' | 'None';

export type Form =
  | { readonly kind: 'object'; readonly mediaType: 'application/json' | 'application/yaml' }
  | { readonly kind: 'table'; readonly includeObject: IncludeObject }
  | { readonly kind: 'partial' };

const JSON_FORM: Form = { kind: 'object', mediaType: 'application/json' };

interface Clause {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
  readonly quality: number;
}

function parseClause(text: string): Clause {
  const [type = '', ...rest] = text.split(';').map((part) => part.trim());
  const parameters = new Map(rest.map((part): [string, string] => [part.split('=')[0]?.trim() ?? '', part.split('=')[1]?.trim() ?? '']));
  const quality = Number(parameters.get('q') ?? 1);
  return { type: type.toLowerCase(), parameters, quality: Number.isNaN(quality) ? 1 : quality };
}

/**
 * The form of an answer. Protobuf is never sent: a client that asks for it also reads JSON.
 * @throws StatusError 406 when nothing that is asked for can be sent, 400 for an includeObject that is none
 */
export function negotiate(accept: string | undefined, query: URLSearchParams): Form {
  if (accept === undefined || accept.trim() === '') return JSON_FORM;
  const clauses = accept.split(',').map(parseClause);
  for (const clause of clauses.sort((one, other) => other.quality - one.quality)) {
    const form = formOf(clause, query);
    if (form !== undefined) return form;
  }
  throw notAcceptable(BODY_TYPES);
}

function formOf({ type, parameters }: Clause, query: URLSearchParams): Form | undefined {
  const isJson = ['application/json', 'application/vnd.kubernetes.protobuf', 'application/*', '*/*'].includes(type);
  const as = parameters.get('as');
  if (as === undefined) return isJson ? JSON_FORM : type === 'application/yaml' ? { kind: 'object', mediaType: type } : undefined;
  const known = parameters.get('g') === 'meta.k8s.io' && (parameters.get('v') === 'v1' || parameters.get('v') === 'v1beta1');
  if (!isJson || !known) return undefined;
  if (as === 'Table') return { kind: 'table', includeObject: includeObjectOf(query) };
  return as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList' ? { kind: 'partial' } : undefined;
}

function includeObjectOf(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') ?? '';
  if (value === '') return 'Metadata';
  if (value === 'Metadata' || value === 'Object' || value === 'None') return value;
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(value)}: must be 'Metadata', 'Object', 'None', or empty`,
  );
}
