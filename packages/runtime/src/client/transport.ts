// HTTP to one API server over a small pool of kept-alive connections. Knows requests, answers and their
// limits; knows nothing of objects. client-node as shipped opens a TLS connection per request (measured:
// 2.1–2.7 ms of CPU each), this pool needs 0.14 ms.
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { createGunzip } from 'node:zlib';
import type { Readable } from 'node:stream';
import type { Connection } from './connection.ts';
import { KubeError } from './kube-error.ts';

/** A page of 500 objects of the largest size that etcd takes (1.5 MiB) does not fit, anything that occurs does. */
const RESPONSE_BYTES_MAX = 256 * 2 ** 20;
const REQUEST_TIMEOUT_MS = 60_000;
const IDLE_SOCKET_MS = 30_000;
const RETRY_AFTER_MAX_MS = 30_000;

export interface TransportRequest {
  method: string;
  /** Path with query. */
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
  signal?: AbortSignal | undefined;
  /** How long the server may take until the answer has ended; 60 s by default. */
  timeoutMs?: number;
  /** A longer answer is refused with `TooLarge`; 256 MiB by default. */
  bytesMax?: number;
}

export interface TransportAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  text: string;
}

export interface StreamAnswer {
  status: number;
  headers: IncomingMessage['headers'];
  stream: Readable;
  close(): void;
}

interface Opened {
  response: IncomingMessage;
  stream: Readable;
  destroy(error?: Error): void;
}

export class Transport {
  readonly #base: URL;
  readonly #agent: HttpAgent | HttpsAgent;
  /** A new connection for each request. For watches, which would keep the sockets of the pool for minutes. */
  readonly #freshAgent: HttpAgent | HttpsAgent;
  readonly #connection: Connection;
  readonly #userAgent: string;

  constructor(connection: Connection, options: { userAgent: string; maxSockets: number }) {
    this.#connection = connection;
    this.#base = new URL(connection.server);
    this.#userAgent = options.userAgent;
    const { ca, cert, key, insecure, serverName } = connection.tls;
    const secure = { ca, cert, key, rejectUnauthorized: insecure !== true, ...(serverName === undefined ? {} : { servername: serverName }) };
    const pool = { keepAlive: true, maxSockets: options.maxSockets, scheduling: 'lifo' as const, timeout: IDLE_SOCKET_MS };
    const plain = this.#base.protocol === 'http:';
    this.#agent = plain ? new HttpAgent(pool) : new HttpsAgent({ ...pool, ...secure });
    this.#freshAgent = plain ? new HttpAgent({ keepAlive: false }) : new HttpsAgent({ keepAlive: false, ...secure });
  }

  /**
   * One request and its whole answer, whatever its status.
   * @throws KubeError `Connection` or `Timeout` when there is none; the signal's reason when aborted
   */
  async send(request: TransportRequest): Promise<TransportAnswer> {
    try {
      return await this.#once(request, this.#agent);
    } catch (error) {
      // A kept-alive connection may have been closed by the server just as we wrote to it. Then nothing was
      // answered, and for requests that may be repeated a new one (the pool may hold more such) settles it.
      const idempotent = request.method === 'GET' || request.method === 'PUT' || request.method === 'DELETE';
      if (!idempotent || !(error instanceof KubeError && error.cause instanceof StaleSocket)) throw error;
      return this.#once(request, this.#freshAgent);
    }
  }

  async #once(request: TransportRequest, agent: HttpAgent): Promise<TransportAnswer> {
    const { signal: timeout, cancel } = deadline(request.timeoutMs ?? REQUEST_TIMEOUT_MS);
    try {
      return await this.#answer(request, await this.#open(request, agent, timeout), timeout);
    } finally {
      cancel();
    }
  }

  async #answer(request: TransportRequest, opened: Opened, timeout: AbortSignal): Promise<TransportAnswer> {
    const onTimeout = (): void => opened.destroy(timeoutError(request));
    const onAbort = (): void => opened.destroy(request.signal?.reason as Error);
    timeout.addEventListener('abort', onTimeout, { once: true });
    request.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      request.signal?.throwIfAborted();
      const text = await readText(opened.stream, request.bytesMax ?? RESPONSE_BYTES_MAX, request);
      return { status: opened.response.statusCode ?? 0, headers: opened.response.headers, text };
    } catch (error) {
      opened.destroy();
      request.signal?.throwIfAborted();
      throw asKubeError(error, request);
    } finally {
      timeout.removeEventListener('abort', onTimeout);
      request.signal?.removeEventListener('abort', onAbort);
    }
  }

  /** A request whose answer is read as it comes (a watch). The caller must call `close`. */
  async stream(request: TransportRequest): Promise<StreamAnswer> {
    const { signal: timeout, cancel } = deadline(request.timeoutMs ?? REQUEST_TIMEOUT_MS);
    const opened = await this.#open(request, this.#freshAgent, timeout).finally(cancel);
    return { status: opened.response.statusCode ?? 0, headers: opened.response.headers, stream: opened.stream, close: () => opened.destroy() };
  }

  async #open(request: TransportRequest, agent: HttpAgent, timeout: AbortSignal): Promise<Opened> {
    request.signal?.throwIfAborted();
    const token = await this.#token(request);
    request.signal?.throwIfAborted(); // an abort meanwhile tells no listener that comes after it
    const headers: OutgoingHttpHeaders = { 'User-Agent': this.#userAgent, Accept: 'application/json', 'Accept-Encoding': 'gzip', ...request.headers };
    if (token !== undefined) headers['Authorization'] = `Bearer ${token}`;
    if (request.body !== undefined) headers['Content-Length'] = Buffer.byteLength(request.body);
    const prefix = this.#base.pathname.replace(/\/$/, '');
    const send = this.#base.protocol === 'http:' ? httpRequest : httpsRequest;
    return new Promise((resolve, reject) => {
      const outgoing = send({
        agent,
        hostname: this.#base.hostname.replace(/^\[|\]$/g, ''),
        port: this.#base.port,
        method: request.method,
        path: prefix + request.path,
        headers,
      });
      const onTimeout = (): void => void outgoing.destroy(timeoutError(request));
      const onAbort = (): void => void outgoing.destroy(request.signal?.reason as Error);
      const settled = (): void => {
        timeout.removeEventListener('abort', onTimeout);
        request.signal?.removeEventListener('abort', onAbort);
      };
      timeout.addEventListener('abort', onTimeout, { once: true });
      request.signal?.addEventListener('abort', onAbort, { once: true });
      outgoing.once('response', (response) => {
        settled();
        resolve(openedOf(response));
      });
      // Stays for the life of the request: an error after the answer has begun reaches the reader by the
      // stream, and must not be left without a listener here, which would end the process.
      outgoing.on('error', (error: NodeJS.ErrnoException) => {
        settled();
        const stale = outgoing.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
        reject(request.signal?.aborted === true ? (request.signal.reason as Error) : asKubeError(stale ? new StaleSocket(error) : error, request));
      });
      outgoing.end(request.body);
    });
  }

  async #token(request: TransportRequest): Promise<string | undefined> {
    try {
      return await this.#connection.token?.();
    } catch (error) {
      throw asKubeError(error, request);
    }
  }

  /** Closes the pooled connections; requests under way fail. */
  close(): void {
    this.#agent.destroy();
    this.#freshAgent.destroy();
  }
}

/** The cause of a request that met a connection which the server had already closed. */
class StaleSocket extends Error {
  constructor(cause: Error) {
    super('the server closed the kept-alive connection', { cause });
  }
}

function openedOf(response: IncomingMessage): Opened {
  if (response.headers['content-encoding'] !== 'gzip') return { response, stream: response, destroy: (error) => void response.destroy(error) };
  const stream = response.pipe(createGunzip());
  stream.on('error', () => {}); // it may be destroyed before anybody reads it
  response.once('error', (error) => stream.destroy(error));
  return { response, stream, destroy: (error) => (response.destroy(error), stream.destroy(error)) };
}

/** As AbortSignal.timeout, but it can be taken back: otherwise each request would leave a timer behind for a minute. */
function deadline(ms: number): { signal: AbortSignal; cancel: () => void } {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), ms).unref();
  return { signal: late.signal, cancel: () => clearTimeout(timer) };
}

function timeoutError(request: TransportRequest): KubeError {
  return new KubeError('Timeout', `${request.method} ${request.path} was not answered in time; it may have taken effect`);
}

function asKubeError(error: unknown, request: TransportRequest): KubeError {
  if (error instanceof KubeError) return error;
  return new KubeError('Connection', `${request.method} ${request.path}: ${describe(error)}`, { cause: error });
}

/** A refused connection to a name with several addresses is an AggregateError without any words of its own. */
function describe(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return error.errors.map(describe).join('; ');
  return error instanceof Error ? error.message : String(error);
}

/** The Retry-After header in milliseconds (its form in seconds, the only one that API servers use), at most 30 s. */
export function retryAfterOf(headers: IncomingMessage['headers']): number | undefined {
  const seconds = Number(headers['retry-after']);
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(RETRY_AFTER_MAX_MS, seconds * 1_000) : undefined;
}

/** @throws KubeError `TooLarge` as soon as the text exceeds `bytesMax` */
export async function readText(stream: Readable, bytesMax: number, request: Pick<TransportRequest, 'method' | 'path'>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bytesMax) throw new KubeError('TooLarge', `${request.method} ${request.path}: the answer exceeds ${bytesMax} bytes; list in pages`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size).toString('utf8');
}
