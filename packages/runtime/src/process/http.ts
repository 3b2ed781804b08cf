// The small HTTP endpoint of a component: metrics, health, readiness. Never in the way of the work itself.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Log } from './log.ts';

export interface HttpAnswer {
  status: number;
  body: string;
  contentType?: string;
}

export interface HttpEndpointOptions {
  /** `:8080`, `127.0.0.1:0`, `[::1]:8080`. */
  address: string;
  /** Path → answer. Other paths get 404, other methods than GET and HEAD 405. */
  routes: Readonly<Record<string, () => HttpAnswer | Promise<HttpAnswer>>>;
  log: Log;
}

export interface HttpEndpoint {
  readonly port: number;
  close(): Promise<void>;
}

/** @throws RangeError when the address has no port */
export function parseAddress(address: string): { host: string | undefined; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) throw new RangeError(`"${address}" is no address; write for example :8080 or 127.0.0.1:8080`);
  const host = match[1] ?? match[2];
  return { host: host === '' ? undefined : host, port };
}

async function answer(options: HttpEndpointOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = (request.url ?? '/').split('?')[0] ?? '/';
  const route = Object.hasOwn(options.routes, path) ? options.routes[path] : undefined;
  let result: HttpAnswer;
  if (route === undefined) result = { status: 404, body: `404: nothing is served at this path; there are ${Object.keys(options.routes).join(', ')}\n` };
  else if (request.method !== 'GET' && request.method !== 'HEAD') result = { status: 405, body: '405: only GET is served here\n' };
  else {
    result = await (async () => route())().catch((error: unknown) => {
      options.log.error('an HTTP route failed', { path, error });
      return { status: 500, body: `500: ${error instanceof Error ? error.message : String(error)}\n` };
    });
  }
  response.writeHead(result.status, { 'Content-Type': result.contentType ?? 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' });
  response.end(request.method === 'HEAD' ? undefined : result.body);
}

/** @throws Error naming the address when it cannot be listened on */
export async function startHttpEndpoint(options: HttpEndpointOptions): Promise<HttpEndpoint> {
  const { host, port } = parseAddress(options.address);
  const server = createServer({ requestTimeout: 10_000, headersTimeout: 5_000, keepAliveTimeout: 15_000 }, (request, response) => {
    void answer(options, request, response);
  });
  server.maxConnections = 256;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const hint = error.code === 'EADDRINUSE' ? 'the port is in use; choose another, or stop who uses it' : error.message;
      reject(new Error(`cannot serve metrics and health on ${options.address}: ${hint}`, { cause: error }));
    });
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
