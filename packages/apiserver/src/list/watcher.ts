// A watch: the changes of one resource since a version, seen through a selector, as a stream of JSON lines.
// Each change is encoded once for all watchers that see it alike. A watcher that does not read is cut off
// rather than buffered without end.
import type { ServerResponse } from 'node:http';
import { stringifyJson, type KubeObject } from '@snapshot-stack/api-types';
import { groupVersionOf, storageKeyOf, type ResourceDefinition } from '../registry/resource.ts';
import { forbidden, notSupported, type FieldError } from '../schema/field-error.ts';
import { expired, invalid } from '../status.ts';
import type { Change, Entry, Store } from '../store/store.ts';
import { parseVersion, type Query } from './reader.ts';
import type { Matcher } from './selectors.ts';

const BOOKMARK_EVERY_MS = 60_000;
const BUFFER_BYTES_MAX = 32 * 2 ** 20;
const PENDING_MAX = 1_000;
const TIMEOUT_MIN_SECONDS = 1_800;

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';

/** How an entry is shown to a watcher: as it is, as a Table row, in another version. */
export type Show = (entry: Entry) => string | Promise<string>;

const encoded = new WeakMap<Entry, Partial<Record<EventType, string>>>();

/** The line of an event, made once per entry and type for all watchers that see entries as they are. */
function plainLine(type: EventType, entry: Entry): string {
  const lines = encoded.get(entry) ?? {};
  encoded.set(entry, lines);
  return (lines[type] ??= `{"type":"${type}","object":${entry.json}}\n`);
}

export interface WatchRequest {
  store: Store;
  definition: ResourceDefinition;
  namespace: string | undefined;
  query: Query;
  matches: Matcher | undefined;
  response: ServerResponse;
  /** undefined shows entries as they are stored. */
  show: Show | undefined;
  /** Called with each watch so that faults can end it; returns a function to call at its end. */
  onOpen?: (cut: () => void) => () => void;
}

export function watchOptionErrors(query: Query): FieldError[] {
  const match = query.get('resourceVersionMatch') ?? '';
  const initial = query.get('sendInitialEvents');
  if (initial === null)
    return match === '' ? [] : [forbidden('resourceVersionMatch', 'resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided')];
  const errors: FieldError[] = [];
  if (match !== 'NotOlderThan') errors.push(forbidden('resourceVersionMatch', 'sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'));
  if (match !== 'NotOlderThan' && match !== '') errors.push(notSupported('resourceVersionMatch', match, ['NotOlderThan']));
  return errors;
}

function eventOf(change: Change, matches: Matcher | undefined): EventType | undefined {
  const sees = (entry: Entry | undefined): boolean => entry !== undefined && (matches === undefined || matches(entry.object));
  const before = sees(change.previous);
  const now = change.kind === 'put' && sees(change.entry);
  if (now) return before ? 'MODIFIED' : 'ADDED';
  return before ? 'DELETED' : undefined;
}

/** Serves one watch until its time is up, the client goes, or `cut` ends it. */
export function serveWatch(request: WatchRequest): void {
  const { store, definition, namespace, query, matches, response } = request;
  const errors = watchOptionErrors(query);
  if (errors.length > 0) throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', errors);
  const collection = store.collection(storageKeyOf(definition));
  const prefix = namespace === undefined ? '' : `${namespace}/`;
  const asked = parseVersion(query.get('resourceVersion'));
  const initialEvents = query.get('sendInitialEvents');
  const wantsBookmarks = query.get('allowWatchBookmarks') === 'true' || query.get('allowWatchBookmarks') === '1';
  const fromState = initialEvents === 'true' || initialEvents === '1' || (initialEvents === null && (asked === undefined || asked === 0));
  const resumeFrom = fromState ? store.revision : (asked ?? store.revision);
  const backlog = fromState ? [] : collection.since(resumeFrom);
  response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private' });
  response.flushHeaders();
  const line = (type: EventType, entry: Entry): string | Promise<string> => {
    if (request.show === undefined) return plainLine(type, entry);
    const shown = request.show(entry);
    const around = (object: string): string => `{"type":"${type}","object":${object}}\n`;
    return typeof shown === 'string' ? around(shown) : shown.then(around);
  };
  const bookmark = (annotations?: Record<string, string>): void => {
    const object: KubeObject = {
      kind: definition.kind,
      apiVersion: groupVersionOf(definition),
      metadata: { resourceVersion: String(sent), ...(annotations === undefined ? {} : { annotations }) },
    };
    write(`{"type":"BOOKMARK","object":${stringifyJson(object)}}\n`);
  };
  let sent = fromState ? store.revision : resumeFrom;
  let open = true;
  const end = (): void => {
    if (!open) return;
    open = false;
    stop();
    clearInterval(ticking);
    clearTimeout(timer);
    closed?.();
    response.end();
  };
  const put = (text: string): void => {
    if (!open) return;
    response.write(text);
    if (response.writableLength > BUFFER_BYTES_MAX) response.destroy();
  };
  // Lines keep their order: what comes after one that a conversion webhook has still to make waits for it.
  let pending = 0;
  let last = Promise.resolve();
  const write = (text: string | Promise<string>): void => {
    if (typeof text === 'string' && pending === 0) return put(text);
    if (++pending > PENDING_MAX) return void response.destroy();
    const ready = Promise.resolve(text);
    ready.catch(() => response.destroy());
    last = Promise.all([ready, last])
      .then(([made]) => put(made))
      .catch(() => {})
      .finally(() => pending--);
  };
  const tell = (change: Change): void => {
    if (change.revision <= sent && change.revision <= resumeFrom) return;
    sent = Math.max(sent, change.revision);
    if (!change.entry.key.startsWith(prefix)) return;
    const type = eventOf(change, matches);
    if (type === undefined) return;
    // An object that left the selector is shown in its old state, at the version in which it left.
    const shown = type === 'DELETED' && change.kind === 'put' ? departed(change) : change.entry;
    write(line(type, shown));
  };
  const stop = collection.listen(tell);
  const seconds = Number(query.get('timeoutSeconds') ?? 0) || TIMEOUT_MIN_SECONDS + Math.random() * TIMEOUT_MIN_SECONDS;
  const timer = setTimeout(end, seconds * 1_000);
  const ticking = setInterval(() => {
    // A quiet resource's watchers may as well know how far the server is.
    sent = Math.max(sent, store.published);
    if (wantsBookmarks) bookmark();
  }, BOOKMARK_EVERY_MS);
  const closed = request.onOpen?.(() => {
    response.destroy();
    end();
  });
  response.once('close', end);
  if (backlog === undefined) {
    write(`{"type":"ERROR","object":${stringifyJson(expired(`too old resource version: ${resumeFrom} (${collection.oldest})`).status)}}\n`);
    end();
    return;
  }
  if (fromState) {
    for (const entry of collection.list(prefix)) if (matches === undefined || matches(entry.object)) write(line('ADDED', entry));
    if (initialEvents !== null && wantsBookmarks) bookmark({ 'k8s.io/initial-events-end': 'true' });
  }
  for (const change of backlog) tell(change);
}

const departures = new WeakMap<Change, Entry>();

function departed(change: Change): Entry {
  const known = departures.get(change);
  if (known !== undefined) return known;
  const { object, key } = change.previous as Entry;
  const shown = { ...object, metadata: { ...object.metadata, resourceVersion: String(change.revision) } };
  const entry = new (change.entry.constructor as typeof Entry)(key, shown, change.revision);
  departures.set(change, entry);
  return entry;
}
