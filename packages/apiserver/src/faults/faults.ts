// Faults on demand: what a real API server does on a bad day, at the moment a test chooses. Each rule counts the
// requests that match it and acts on those it is told to.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBody } from '../http/body.ts';
import { StatusError, tooManyRequests } from '../status.ts';
import type { RequestRecord } from '../http/request-log.ts';
import type { ListResult } from '../list/reader.ts';
import type { ResourceDefinition } from '../registry/resource.ts';
import type { Store } from '../store/store.ts';

export interface FaultMatch {
  verb?: string;
  resource?: string;
  subresource?: string;
  namespace?: string;
  name?: string;
  /** Start of the user agent, for example `csi-snapshotter`. */
  client?: string;
  /** Anything else. */
  when?: (request: RequestRecord) => boolean;
}

export interface FaultTimes {
  /** Matching requests to let pass first; 0 by default. */
  after?: number;
  /** How many to act on; 1 by default, Infinity for all. */
  times?: number;
}

export type FaultAction =
  /** Answers with this status instead of doing anything. */
  | { kind: 'fail'; code: number; reason?: string; message?: string }
  /** 429 with Retry-After. */
  | { kind: 'throttle'; retryAfterSeconds: number }
  /** Waits before doing it. */
  | { kind: 'delay'; ms: number }
  /** Cuts the connection without doing anything. */
  | { kind: 'drop' }
  /** Does it, then cuts the connection: the answer is lost. */
  | { kind: 'loseAnswer' }
  /** Does it twice, as when a proxy sends it again; the client gets the second answer. */
  | { kind: 'duplicate' };

interface Rule {
  match: FaultMatch;
  action: FaultAction;
  skip: number;
  left: number;
}

export class Faults {
  readonly #rules = new Set<Rule>();
  readonly #watches = new Map<() => void, string>();
  readonly #stale = new Map<string, ListResult>();
  readonly #store: Store;
  #paused = new Map<string, PromiseWithResolvers<void>>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Adds a rule; the returned function takes it away again. */
  inject(match: FaultMatch, action: FaultAction, { after = 0, times = 1 }: FaultTimes = {}): () => void {
    const rule: Rule = { match, action, skip: after, left: times };
    this.#rules.add(rule);
    return () => void this.#rules.delete(rule);
  }

  /** Takes all rules away, lets paused clients go on, and serves fresh lists again. */
  clear(): void {
    this.#rules.clear();
    this.#stale.clear();
    for (const { resolve } of this.#paused.values()) resolve();
    this.#paused.clear();
  }

  /** Ends all watches (of one resource) without a word, as a lost connection does; returns how many. */
  breakWatches(resource?: string): number {
    let broken = 0;
    for (const [cut, watched] of this.#watches) {
      if (resource !== undefined && watched !== resource) continue;
      cut();
      broken++;
    }
    return broken;
  }

  /** Forgets the history (of one resource, by plural): watches that resume from before get 410. */
  compact(resource?: string): void {
    for (const [key, collection] of this.#store.collections()) {
      if (resource === undefined || key.endsWith(`/${resource}`)) collection.forget();
    }
  }

  /** From now on the next full list of the resource is served again and again, until {@link clear}. */
  freezeList(resource: string): void {
    this.#stale.set(resource, undefined as unknown as ListResult);
  }

  /** Holds all requests of clients whose user agent starts so, until the returned function is called. */
  pause(client: string): () => void {
    const gate = Promise.withResolvers<void>();
    this.#paused.set(client, gate);
    return () => {
      this.#paused.delete(client);
      gate.resolve();
    };
  }

  /**
   * For the server: acts on a request before it is served.
   * @returns how often to serve it
   * @throws StatusError when it is not to be served
   */
  async beforeRequest(record: RequestRecord, request: IncomingMessage, response: ServerResponse): Promise<'once' | 'twice'> {
    for (const [client, gate] of this.#paused) if (record.userAgent.startsWith(client)) await gate.promise;
    let times: 'once' | 'twice' = 'once';
    for (const rule of this.#rules) {
      if (!matches(rule.match, record)) continue;
      if (rule.skip > 0) {
        rule.skip--;
        continue;
      }
      if (rule.left <= 0) continue;
      rule.left--;
      if (rule.action.kind === 'duplicate') times = 'twice';
      else await act(rule.action, request, response);
    }
    return times;
  }

  /** For the server: a list, or the frozen one. */
  list(definition: ResourceDefinition, fresh: () => ListResult): ListResult {
    if (!this.#stale.has(definition.plural)) return fresh();
    const frozen = this.#stale.get(definition.plural) ?? fresh();
    this.#stale.set(definition.plural, frozen);
    return frozen;
  }

  /** For the server: a watch has begun; the returned function says that it has ended. */
  watching(definition: ResourceDefinition, cut: () => void): () => void {
    this.#watches.set(cut, definition.plural);
    return () => void this.#watches.delete(cut);
  }
}

function matches(match: FaultMatch, record: RequestRecord): boolean {
  if (match.verb !== undefined && match.verb !== record.verb) return false;
  if (match.resource !== undefined && match.resource !== record.resource) return false;
  if (match.subresource !== undefined && match.subresource !== record.subresource) return false;
  if (match.namespace !== undefined && match.namespace !== record.namespace) return false;
  if (match.name !== undefined && match.name !== record.name) return false;
  if (match.when !== undefined && !match.when(record)) return false;
  return match.client === undefined || record.userAgent.startsWith(match.client);
}

async function act(action: Exclude<FaultAction, { kind: 'duplicate' }>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  switch (action.kind) {
    case 'fail':
      throw new StatusError(action.code, action.reason ?? 'InternalError', action.message ?? `injected fault: HTTP ${action.code}`);
    case 'throttle':
      throw tooManyRequests('the server has received too many requests and has asked us to try again later', action.retryAfterSeconds);
    case 'delay':
      await new Promise((resolve) => setTimeout(resolve, action.ms));
      return;
    case 'drop':
      response.destroy();
      throw new StatusError(503, 'ServiceUnavailable', 'injected fault: the connection was cut');
    case 'loseAnswer':
      // The writer goes on with the body that it has; what it writes goes nowhere.
      await readBody(request);
      response.destroy();
  }
}
