// The last requests, for tests that count what a component asked for and for people who wonder.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { parseResourcePath } from './request-info.ts';

export interface RequestRecord {
  method: string;
  /** Path without query. */
  path: string;
  query: string;
  userAgent: string;
  /** Known once the request is authenticated. */
  user: string;
  /** Plural of the resource, or '' for other paths. */
  resource: string;
  subresource: string;
  /** `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, or '' for other paths. */
  verb: string;
  namespace: string;
  name: string;
  /** 0 until it is answered. */
  status: number;
  /** Milliseconds since the Unix epoch. */
  at: number;
}

const VERBS: Record<string, string> = { POST: 'create', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };
const KEPT_MAX = 20_000;

export class RequestLog {
  readonly #records: RequestRecord[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  start(request: IncomingMessage, response: ServerResponse): RequestRecord {
    const [path = '', query = ''] = (request.url ?? '').split('?');
    const target = parseResourcePath(path);
    const method = request.method ?? 'GET';
    const watches = /(?:^|&)watch=(?:1|true)/.test(query) || target?.legacyWatch === true;
    const read = watches ? 'watch' : target?.name === undefined ? 'list' : 'get';
    const record: RequestRecord = {
      method,
      path,
      query,
      userAgent: request.headers['user-agent'] ?? '',
      user: '',
      resource: target?.plural ?? '',
      subresource: target?.subresource ?? '',
      verb: target === undefined ? '' : (VERBS[method] ?? read),
      namespace: target?.namespace ?? '',
      name: target?.name ?? '',
      status: 0,
      at: this.#now(),
    };
    this.#records.push(record);
    if (this.#records.length > KEPT_MAX * 1.25) this.#records.splice(0, this.#records.length - KEPT_MAX);
    response.once('finish', () => (record.status = response.statusCode));
    return record;
  }

  /** The kept records, oldest first; at most the last 20,000. */
  all(): readonly RequestRecord[] {
    return this.#records;
  }

  clear(): void {
    this.#records.length = 0;
  }
}
