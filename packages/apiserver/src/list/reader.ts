// GET of one object and of lists, with the meaning that resourceVersion, limit and continue have.
// Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
import type { KubeObject } from '@snapshot-stack/api-types';
import { storageKeyOf, type ResourceDefinition } from '../registry/resource.ts';
import { StatusError, badRequest, expired, invalid, notFound } from '../status.ts';
import { forbidden, notSupported, type FieldError } from '../schema/field-error.ts';
import type { Entry, Store } from '../store/store.ts';
import { fieldMatcher, labelMatcher, type Matcher } from './selectors.ts';

export type Query = URLSearchParams;

export interface ListResult {
  definition: ResourceDefinition;
  entries: Entry[];
  resourceVersion: string;
  continue: string | undefined;
  remaining: number | undefined;
}

interface ContinueToken {
  v: 'meta.k8s.io/v1';
  rv: number;
  start: string;
}

const EXPIRED =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';

export function selectorOf(definition: ResourceDefinition, query: Query, name?: string): Matcher | undefined {
  const labels = labelMatcher(query.get('labelSelector') ?? '');
  // Kinds with fields of their own name them all; the rest go by two fields of their metadata.
  const plain = !definition.custom && definition.selectableFields.length === 0;
  const allowed = ['metadata.name', ...(definition.namespaced || plain ? ['metadata.namespace'] : []), ...definition.selectableFields];
  const unsupported = (field: string): string =>
    plain ? `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"` : `field label not supported: ${field}`;
  const fields = fieldMatcher(query.get('fieldSelector') ?? '', allowed, unsupported);
  const named = name === undefined ? undefined : (object: KubeObject): boolean => object.metadata.name === name;
  const matchers = [labels, fields, named].filter((matcher) => matcher !== undefined);
  return matchers.length === 0 ? undefined : (object) => matchers.every((matches) => matches(object));
}

/** A resourceVersion parameter; '' and undefined mean "the newest". */
export function parseVersion(text: string | null): number | undefined {
  if (text === null || text === '') return undefined;
  if (!/^\d+$/.test(text)) throw new StatusError(500, '', `resourceVersion: Invalid value: "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`);
  return Number(text);
}

export function getObject(store: Store, definition: ResourceDefinition, namespace: string | undefined, name: string, query: Query): Entry {
  const asked = parseVersion(query.get('resourceVersion'));
  if (asked !== undefined && asked > store.revision) throw tooNew(asked, store.revision);
  const entry = store.collection(storageKeyOf(definition)).get(namespace === undefined ? name : `${namespace}/${name}`);
  if (entry === undefined) throw notFound({ group: definition.group, kind: definition.plural }, name);
  return entry;
}

function listOptionErrors(query: Query): FieldError[] {
  const match = query.get('resourceVersionMatch');
  const version = query.get('resourceVersion') ?? '';
  const errors: FieldError[] = [];
  if (query.has('sendInitialEvents')) errors.push(forbidden('sendInitialEvents', 'sendInitialEvents is forbidden for list'));
  if (match === null || match === '') return errors;
  if (query.has('continue') && query.get('continue') !== '')
    errors.push(forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden when continue is provided'));
  if (version === '') errors.push(forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden unless resourceVersion is provided'));
  if (match !== 'Exact' && match !== 'NotOlderThan') errors.push(notSupported('resourceVersionMatch', match, ['Exact', 'NotOlderThan', '']));
  else if (match === 'Exact' && version === '0')
    errors.push(forbidden('resourceVersionMatch', 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'));
  return errors;
}

function encodeToken(token: ContinueToken): string {
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

/** @throws StatusError 400 in the words of Go's decoders */
function decodeToken(text: string): ContinueToken {
  const refuse = (why: string): StatusError => badRequest(`invalid continue token: continue key is not valid: ${why}`);
  const strange = /[^A-Za-z0-9_-]/.exec(text);
  if (strange !== null || text.length % 4 === 1) throw refuse(`illegal base64 data at input byte ${strange?.index ?? text.length - 1}`);
  const bytes = Buffer.from(text, 'base64url');
  let token: Partial<ContinueToken> | null;
  try {
    token = JSON.parse(bytes.toString('utf8')) as Partial<ContinueToken> | null;
  } catch {
    const [first] = bytes;
    throw refuse(first === undefined ? 'unexpected end of JSON input' : `invalid character ${quotedCharacter(first)} looking for beginning of value`);
  }
  if (token?.v !== 'meta.k8s.io/v1') throw refuse(`server does not recognize this encoded version ${JSON.stringify(token?.v ?? '')}`);
  const { rv = 0, start = '' } = token;
  if (!Number.isSafeInteger(rv) || rv === 0) throw refuse('incorrect encoded start resourceVersion (version meta.k8s.io/v1)');
  if (typeof start !== 'string' || start === '') throw refuse('encoded start key empty (version meta.k8s.io/v1)');
  return { v: token.v, rv, start };
}

function quotedCharacter(byte: number): string {
  const printable = byte >= 0x20 && byte !== 0x7f && (byte < 0x80 || byte > 0xa0) && byte !== 0xad;
  if (printable) return `'${String.fromCharCode(byte).replace(/['\\]/, '\\$&')}'`;
  return byte < 0x80 ? `'\\x${byte.toString(16).padStart(2, '0')}'` : `'\\u${byte.toString(16).padStart(4, '0')}'`;
}

function limitOf(query: Query): number {
  const text = query.get('limit') ?? '';
  if (text === '') return 0;
  if (!/^[+-]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

/** As {@link parseVersion}, for lists, which say it in other words. */
function listVersion(query: Query): number | undefined {
  const text = query.get('resourceVersion') ?? '';
  if (/^\d*$/.test(text)) return text === '' ? undefined : Number(text);
  throw badRequest(
    `invalid resource version: resourceVersion: Invalid value: ${JSON.stringify(text)}: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
  );
}

export function listObjects(store: Store, definition: ResourceDefinition, namespace: string | undefined, query: Query): ListResult {
  const errors = listOptionErrors(query);
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors);
  const limit = limitOf(query);
  const collection = store.collection(storageKeyOf(definition));
  const prefix = namespace === undefined ? '' : `${namespace}/`;
  const matches = selectorOf(definition, query);
  const token = query.get('continue') ? decodeToken(query.get('continue') as string) : undefined;
  const asked = listVersion(query);
  if (token !== undefined && asked !== undefined && asked !== 0) throw badRequest('specifying resource version is not allowed when using continue');
  if (asked !== undefined && asked > store.revision) throw tooNew(asked, store.revision);
  const exact =
    query.get('resourceVersionMatch') === 'Exact' || ((query.get('resourceVersionMatch') ?? '') === '' && limit > 0 && asked !== undefined && asked > 0);
  const at = token?.rv ?? (exact ? asked : undefined);
  const resourceVersion = at !== undefined && at > 0 ? at : store.revision;
  const all = at === undefined || at <= 0 ? collection.list(prefix) : collection.listAt(prefix, at);
  if (all === undefined) throw token === undefined ? expired(`The resourceVersion for the provided list is too old.`) : continueExpired(store, token);
  const from = token === undefined ? all : all.filter((entry) => entry.key >= token.start);
  // resourceVersion=0 is answered from the cache, which does not page.
  const pages = limit > 0 && !(asked === 0 && token === undefined);
  return page(definition, from, matches, pages ? limit : 0, resourceVersion);
}

function continueExpired(store: Store, token: ContinueToken): StatusError {
  const error = expired(EXPIRED);
  (error.status.metadata ??= {}).continue = encodeToken({ ...token, rv: -1 });
  void store;
  return error;
}

function tooNew(asked: number, current: number): StatusError {
  return new StatusError(504, 'Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1,
  });
}

function page(definition: ResourceDefinition, all: readonly Entry[], matches: Matcher | undefined, limit: number, revision: number): ListResult {
  const result: ListResult = { definition, entries: [], resourceVersion: String(revision), continue: undefined, remaining: undefined };
  for (const [index, entry] of all.entries()) {
    if (limit > 0 && result.entries.length === limit) {
      result.continue = encodeToken({ v: 'meta.k8s.io/v1', rv: revision, start: entry.key });
      // With a selector nobody knows how many more will match.
      if (matches === undefined) result.remaining = all.length - index;
      break;
    }
    if (matches === undefined || matches(entry.object)) result.entries.push(entry);
  }
  return result;
}
