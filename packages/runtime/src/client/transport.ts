// HTTP to one API server over a small pool of kept-alive connections. Knows requests, answers and their
// limits; knows nothing of objects. client-node as shipped opens a TLS connection per request (measured:
// 2.1–2.7 ms of CPU each), this pool needs 0.14 ms.
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { createGunzip } from 'node:zlib';
import type { Readable } from 'node:stream';
import type { Connection } from './connection.ts';
import { KubeError } from './kube-error.ts';

const RESPONSE_BYTES_MAX = 512 * 2 ** 20;
const REQUEST_TIMEOUT_MS = 60_000;
const IDLE_SOCKET_MS = 30_000;

export interface TransportRequest {
  method: string;
  /** Path with query. */
  path: string;
  headers?: Readonly<Record<string, string>>;
  body?: string;
  signal?: AbortSignal | undefined;
  /** How long the server may take until the answer has ended; 60 s by default. */
  timeoutMs?: number;
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
  /** Watches never share the pool: they would keep its sockets for minutes. */
  readonly #streamAgent: HttpAgent | HttpsAgent;
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
    this.#streamAgent = plain ? new HttpAgent({ keepAlive: false }) : new HttpsAgent({ keepAlive: false, ...secure });
  }

  /**
   * One request and its whole answer, whatever its status.
   * @throws KubeError `Connection` or `Timeout` when there is none; the signal's reason when aborted
   */
  async send(request: TransportRequest): Promise<TransportAnswer> {
    const idempotent = request.method === 'GET' || request.method === 'PUT' || request.method === 'DELETE';
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#once(request);
      } catch (error) {
        // A kept-alive socket may have been closed by the server just as we wrote to it. Then nothing was
        // answered, and for requests that may be repeated a new connection settles it.
        if (attempt > 0 || !idempotent || !isStaleSocket(error)) throw error;
      }
    }
  }

  async #once(request: TransportRequest): Promise<TransportAnswer> {
    const timeout = AbortSignal.timeout(request.timeoutMs ?? REQUEST_TIMEOUT_MS);
    const opened = await this.#open(request, this.#agent, timeout);
    const onTimeout = (): void => opened.destroy(timeoutError(request));
    const onAbort = (): void => opened.destroy(request.signal?.reason as Error);
    timeout.addEventListener('abort', onTimeout, { once: true });
    request.signal?.addEventListener('abort', onAbort, { once: true });
    try {
      const text = await readAll(opened.stream, request);
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
    const timeout = AbortSignal.timeout(request.timeoutMs ?? REQUEST_TIMEOUT_MS);
    const opened = await this.#open(request, this.#streamAgent, timeout);
    return { status: opened.response.statusCode ?? 0, headers: opened.response.headers, stream: opened.stream, close: () => opened.destroy() };
  }

  async #open(request: TransportRequest, agent: HttpAgent, timeout: AbortSignal): Promise<Opened> {
    request.signal?.throwIfAborted();
    const token = await this.#connection.token?.();
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
        const stream = response.headers['content-encoding'] === 'gzip' ? response.pipe(createGunzip()) : response;
        if (stream !== response) response.once('error', (error) => stream.destroy(error));
        resolve({ response, stream, destroy: (error) => (response.destroy(error), stream.destroy(error)) });
      });
      outgoing.once('error', (error) => {
        settled();
        reject(request.signal?.aborted === true ? (request.signal.reason as Error) : asKubeError(error, request));
      });
      outgoing.end(request.body);
    });
  }

  /** Closes the pooled connections; requests under way fail. */
  close(): void {
    this.#agent.destroy();
    this.#streamAgent.destroy();
  }
}

function timeoutError(request: TransportRequest): KubeError {
  return new KubeError('Timeout', `${request.method} ${request.path} was not answered in time; it may have taken effect`);
}

function asKubeError(error: unknown, request: TransportRequest): KubeError {
  if (error instanceof KubeError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new KubeError('Connection', `${request.method} ${request.path}: ${message}`, { cause: error });
}

function isStaleSocket(error: unknown): boolean {
  const cause = error instanceof KubeError ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return cause?.code === 'ECONNRESET' || cause?.code === 'EPIPE';
}

async function readAll(stream: Readable, request: TransportRequest): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > RESPONSE_BYTES_MAX)
      throw new KubeError('TooLarge', `${request.method} ${request.path}: the answer exceeds ${RESPONSE_BYTES_MAX} bytes; list in pages`);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer).toString('utf8') : Buffer.concat(chunks, size).toString('utf8');
}
