// A real HTTP server whose answers a test writes by hand: for what no honest API server does (cut connections,
// garbage, silence). Ports are free ones of the loopback interface.
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { expect, onTestFinished } from 'vitest';
import type { Connection } from '@snapshot-stack/runtime';

export interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}

export interface ScriptedServer {
  connection: Connection;
  /** Every request so far, in order. */
  seen: Seen[];
  /** Connections so far. */
  connections: () => number;
  /** Closes every connection, idle ones too, without closing the server. */
  cut: () => void;
}

export type Answer = (request: Seen, response: ServerResponse, number: number) => void;

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** Serves until the test ends. `number` counts the requests from 1 on. */
export async function serve(answer: Answer, make: (listener: RequestListener) => Server = createServer, scheme = 'http'): Promise<ScriptedServer> {
  const seen: Seen[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = make((request, response) => {
    void bodyOf(request).then((body) => {
      seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
      answer(seen.at(-1)!, response, seen.length);
    });
  });
  server.on('connection', (socket: Socket) => {
    connections++;
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => sockets.forEach((socket) => socket.destroy());
  onTestFinished(() => {
    server.close();
    cut();
  });
  const { port } = server.address() as AddressInfo;
  return { connection: { server: `${scheme}://127.0.0.1:${port}`, namespace: 'default', tls: {} }, seen, connections: () => connections, cut };
}

export function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers }).end(typeof body === 'string' ? body : JSON.stringify(body));
}

/** A Status object as the API server answers failures. */
export function failure(code: number, reason: string, message: string): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message };
}

/** Waits until what `value` gives meets the matcher: long, for the sake of busy machines, and looking often. */
export function eventually<V>(value: () => V | Promise<V>): ReturnType<typeof expect.poll> {
  return expect.poll(value, { timeout: 10_000, interval: 5 });
}
