// The typed Kubernetes client: objects in, objects out, KubeError for everything else. One request is one
// call; what is retried here is only what the server asked to retry (429, 503 with Retry-After).
import { apiVersionOf, parseJson, stringifyJson, type KubeList, type KubeObject, type Resource } from '@snapshot-stack/api-types';
import { systemClock, type Clock } from '../process/index.ts';
import type { Connection } from './connection.ts';
import { KubeError } from './kube-error.ts';
import { RateLimit } from './rate-limit.ts';
import { Transport, retryAfterOf, type TransportAnswer, type TransportRequest } from './transport.ts';
import { readWatch, type WatchEvent } from './watch.ts';

export interface Ref {
  name: string;
  namespace?: string | undefined;
}

export type JsonPatchOperation =
  | { op: 'add' | 'replace' | 'test'; path: string; value: unknown }
  | { op: 'remove'; path: string }
  | { op: 'move' | 'copy'; path: string; from: string };

export type Patch = { kind: 'merge' | 'strategic' | 'apply'; body: object } | { kind: 'json'; body: readonly JsonPatchOperation[] };

export interface CallOptions {
  signal?: AbortSignal | undefined;
}
export interface WriteOptions extends CallOptions {
  subresource?: string;
  fieldManager?: string;
  /** Server-side apply takes over fields that others own. */
  force?: boolean;
  dryRun?: boolean;
}
export interface ListOptions extends CallOptions {
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  limit?: number;
  continue?: string;
  resourceVersion?: string;
  resourceVersionMatch?: 'Exact' | 'NotOlderThan';
}
export interface WatchOptions {
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
  resourceVersion?: string;
  sendInitialEvents?: boolean;
  timeoutSeconds?: number;
  /** Silence for longer than this counts as a dead connection. */
  idleTimeoutMs?: number;
  /** Called once the server has agreed to the watch, which may be long before the first event. */
  onOpen?: () => void;
  signal: AbortSignal;
}
export interface DeleteOptions extends CallOptions {
  /** The deletion fails with Conflict when the object is another one by now. */
  uid?: string | undefined;
  resourceVersion?: string | undefined;
  propagation?: 'Background' | 'Foreground' | 'Orphan';
  gracePeriodSeconds?: number;
}
export interface RawRequest extends CallOptions {
  query?: Readonly<Record<string, string>>;
  headers?: Readonly<Record<string, string>>;
  body?: unknown;
  contentType?: string;
}
export interface RawAnswer {
  status: number;
  headers: TransportAnswer['headers'];
  body: unknown;
}

export interface Client {
  /** @throws KubeError `NotFound` among others */
  get<T extends KubeObject>(resource: Resource<T>, ref: Ref, options?: CallOptions): Promise<T>;
  /** As get, with undefined for an object that is not there. */
  find<T extends KubeObject>(resource: Resource<T>, ref: Ref, options?: CallOptions): Promise<T | undefined>;
  /** One page; `metadata.continue` leads to the next. */
  list<T extends KubeObject>(resource: Resource<T>, options?: ListOptions): Promise<KubeList<T>>;
  /** Ends when the server ends it; throws KubeError for an ERROR event or a broken connection. */
  watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>>;
  /** apiVersion and kind are filled in from the resource. */
  create<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  /** PUT, with the object's own resourceVersion as precondition. */
  replace<T extends KubeObject>(resource: Resource<T>, object: T, options?: WriteOptions): Promise<T>;
  patch<T extends KubeObject>(resource: Resource<T>, ref: Ref, patch: Patch, options?: WriteOptions): Promise<T>;
  delete(resource: Resource, ref: Ref, options?: DeleteOptions): Promise<void>;
  /** For what has no Resource (reviews, discovery); answers of 400 and above are thrown all the same. */
  raw(method: string, path: string, request?: RawRequest): Promise<RawAnswer>;
  /** Closes the connections. */
  close(): void;
}

export interface RequestRecord {
  method: string;
  path: string;
  /** 0 when there was no answer. */
  status: number;
  ms: number;
}

export interface ClientOptions {
  /** `<component>/<version>`; the API server derives the field manager from the part before the slash. */
  userAgent: string;
  /** Requests per second; 0 (the default) leaves the limit to the server. */
  qps?: number;
  /** Requests that may go at once under `qps`; 0 means as many as `qps`. */
  burst?: number;
  /** Connections besides those of watches; 16 by default. */
  maxSockets?: number;
  /** How long the server may take for one answer, watches aside; 60 s by default. */
  timeoutMs?: number;
  clock?: Clock;
  onRequest?: (record: RequestRecord) => void;
}

const PATCH_TYPES: Record<Patch['kind'], string> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};
const THROTTLED_RETRIES_MAX = 5;

type Query = Record<string, string | number | boolean | undefined>;

function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '');
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given.map(([key, value]): [string, string] => [key, String(value)])).toString()}`;
}

/** `/api/v1/namespaces/<ns>/<plural>/<name>/<subresource>`, each part only where it applies. */
export function pathOf(resource: Resource, namespace: string | undefined, name?: string, subresource?: string): string {
  const root = resource.group === '' ? `/api/${resource.version}` : `/apis/${resource.group}/${resource.version}`;
  const scope = resource.namespaced && namespace !== undefined && namespace !== '' ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  const object = name === undefined ? '' : `/${encodeURIComponent(name)}`;
  return `${root}${scope}/${resource.plural}${object}${subresource === undefined ? '' : `/${subresource}`}`;
}

class HttpClient implements Client {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #limit: RateLimit;
  readonly #component: string;
  readonly #timeoutMs: number | undefined;
  readonly #onRequest: ((record: RequestRecord) => void) | undefined;

  constructor(connection: Connection, options: ClientOptions) {
    this.#transport = new Transport(connection, { userAgent: options.userAgent, maxSockets: options.maxSockets ?? 16 });
    this.#clock = options.clock ?? systemClock;
    this.#limit = new RateLimit(options.qps ?? 0, options.burst ?? 0, this.#clock);
    this.#timeoutMs = options.timeoutMs;
    this.#component = options.userAgent.split('/')[0] ?? options.userAgent;
    this.#onRequest = options.onRequest;
  }

  get<T extends KubeObject>(resource: Resource<T>, ref: Ref, options: CallOptions = {}): Promise<T> {
    return this.#json('GET', pathOf(resource, ref.namespace, ref.name), options) as Promise<T>;
  }

  async find<T extends KubeObject>(resource: Resource<T>, ref: Ref, options: CallOptions = {}): Promise<T | undefined> {
    try {
      return await this.get(resource, ref, options);
    } catch (error) {
      if (error instanceof KubeError && error.code === 'NotFound') return undefined;
      throw error;
    }
  }

  async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}): Promise<KubeList<T>> {
    const { namespace, signal, ...query } = options;
    const list = (await this.#json('GET', withQuery(pathOf(resource, namespace), query), { signal })) as KubeList<T>;
    return { ...list, items: list.items ?? [] };
  }

  watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions): AsyncIterable<WatchEvent<T>> {
    const { namespace, signal, idleTimeoutMs, onOpen, sendInitialEvents, ...query } = options;
    const initial = sendInitialEvents === true ? { sendInitialEvents: true, resourceVersionMatch: 'NotOlderThan' } : {};
    const path = withQuery(pathOf(resource, namespace), { ...query, ...initial, watch: true, allowWatchBookmarks: true });
    return readWatch<T>(this.#transport, path, signal, { idleTimeoutMs, onOpen });
  }

  create<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions = {}): Promise<T> {
    return this.#write('POST', resource, pathOf(resource, object.metadata.namespace, undefined), object, options);
  }

  replace<T extends KubeObject>(resource: Resource<T>, object: T, options: WriteOptions = {}): Promise<T> {
    return this.#write('PUT', resource, pathOf(resource, object.metadata.namespace, object.metadata.name, options.subresource), object, options);
  }

  patch<T extends KubeObject>(resource: Resource<T>, ref: Ref, patch: Patch, options: WriteOptions = {}): Promise<T> {
    // Server-side apply needs a name for who applies; other patches get theirs from the user agent.
    const fieldManager = options.fieldManager ?? (patch.kind === 'apply' ? this.#component : undefined);
    const path = withQuery(pathOf(resource, ref.namespace, ref.name, options.subresource), {
      ...writeQuery({ ...options, ...(fieldManager === undefined ? {} : { fieldManager }) }),
      force: options.force,
    });
    return this.#json('PATCH', path, options, patch.body, PATCH_TYPES[patch.kind]) as Promise<T>;
  }

  async delete(resource: Resource, ref: Ref, options: DeleteOptions = {}): Promise<void> {
    const preconditions = { uid: options.uid, resourceVersion: options.resourceVersion };
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      ...(preconditions.uid === undefined && preconditions.resourceVersion === undefined ? {} : { preconditions }),
      ...(options.propagation === undefined ? {} : { propagationPolicy: options.propagation }),
      ...(options.gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds: options.gracePeriodSeconds }),
    };
    await this.#json('DELETE', pathOf(resource, ref.namespace, ref.name), options, body);
  }

  async raw(method: string, path: string, request: RawRequest = {}): Promise<RawAnswer> {
    const answer = await this.#send(method, withQuery(path, request.query ?? {}), request, request.body, request.contentType, request.headers);
    return { status: answer.status, headers: answer.headers, body: parseBody(answer) };
  }

  close(): void {
    this.#transport.close();
  }

  #write<T extends KubeObject>(method: 'POST' | 'PUT', resource: Resource<T>, path: string, object: T, options: WriteOptions): Promise<T> {
    const body = { apiVersion: apiVersionOf(resource), kind: resource.kind, ...object };
    return this.#json(method, withQuery(path, writeQuery(options)), options, body) as Promise<T>;
  }

  async #json(method: string, path: string, options: CallOptions, body?: unknown, contentType?: string): Promise<unknown> {
    return parseBody(await this.#send(method, path, options, body, contentType));
  }

  async #send(
    method: string,
    path: string,
    options: CallOptions,
    body?: unknown,
    contentType = 'application/json',
    headers: Readonly<Record<string, string>> = {},
  ): Promise<TransportAnswer> {
    const request: TransportRequest = {
      method,
      path,
      headers: { ...(body === undefined ? {} : { 'Content-Type': contentType }), ...headers },
      ...(body === undefined ? {} : { body: stringifyJson(body) }),
      signal: options.signal,
      ...(this.#timeoutMs === undefined ? {} : { timeoutMs: this.#timeoutMs }),
    };
    for (let attempt = 0; ; attempt++) {
      await this.#limit.take(options.signal);
      const answer = await this.#timed(request);
      if (answer.status < 400) return answer;
      const error = KubeError.fromAnswer(`${method} ${path}`, answer.status, parseBody(answer), retryAfterOf(answer.headers));
      // The server has not begun on a request that it throttles, so that repeating it is safe for every method.
      const throttled = (answer.status === 429 || answer.status === 503) && answer.headers['retry-after'] !== undefined;
      if (!throttled || error.retryAfterMs === undefined || attempt >= THROTTLED_RETRIES_MAX) throw error;
      await this.#clock.sleep(error.retryAfterMs, options.signal);
    }
  }

  async #timed(request: TransportRequest): Promise<TransportAnswer> {
    const start = this.#clock.elapsed();
    let status = 0;
    try {
      const answer = await this.#transport.send(request);
      status = answer.status;
      return answer;
    } finally {
      this.#onRequest?.({ method: request.method, path: request.path, status, ms: this.#clock.elapsed() - start });
    }
  }
}

function writeQuery(options: WriteOptions): Query {
  return { fieldManager: options.fieldManager, dryRun: options.dryRun === true ? 'All' : undefined };
}

function parseBody(answer: TransportAnswer): unknown {
  if (answer.text === '') return undefined;
  try {
    return parseJson(answer.text);
  } catch {
    return answer.text; // an intermediary's plain text or HTML; the status tells what it means
  }
}

/** A client for one API server. It holds a pool of connections: make one per process, and close it at the end. */
export function createClient(connection: Connection, options: ClientOptions): Client {
  return new HttpClient(connection, options);
}

/**
 * A merge patch that the server refuses with Conflict unless the object is still the very one, in the very
 * version, that the decision was made on.
 */
export function guarded(object: KubeObject, body: object): Patch {
  const { uid, resourceVersion } = object.metadata;
  return { kind: 'merge', body: { ...body, metadata: { ...(body as Partial<KubeObject>).metadata, uid, resourceVersion } } };
}
