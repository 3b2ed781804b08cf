// Plain HTTPS to the webhook, as close to the wire as a test needs it.
import { request as httpsRequest, type Agent } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { parseJson, stringifyJson } from '@snapshot-stack/api-types';
import type { Scene } from './scene.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Parsed JSON; undefined when it is none. */
  readonly json: any;
}

type Target = Pick<Scene, 'port' | 'authority'>;

export interface Send {
  readonly method?: string;
  readonly path?: string;
  /** An object is sent as JSON. */
  readonly body?: object | string;
  readonly headers?: Record<string, string>;
  readonly agent?: Agent;
}

export function send({ port, authority }: Target, { method = 'POST', path = '/validate', body, headers = {}, agent }: Send): Promise<Answer> {
  const text = typeof body === 'object' ? stringifyJson(body) : body;
  return new Promise((resolve, reject) => {
    const request = httpsRequest(
      {
        host: '127.0.0.1',
        port,
        ca: authority.ca,
        method,
        path,
        headers: { ...(text === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) }), ...headers },
        agent: agent ?? false, // a connection of its own
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const answer = Buffer.concat(chunks).toString();
          const isJson = response.headers['content-type']?.startsWith('application/json') === true;
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text: answer, json: isJson ? parseJson(answer) : undefined });
        });
      },
    );
    request.on('error', reject);
    request.end(text);
  });
}

export const get = (target: Target, path: string): Promise<Answer> => send(target, { method: 'GET', path });

/** An open TLS connection that says only what the test writes. */
export async function openSocket({ port, authority }: Target, options: object = {}): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port, ca: authority.ca, ...options });
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', () => resolve());
    socket.once('error', reject);
  });
  return socket;
}

/** What the other side sends until it ends the connection, and after how many milliseconds it does. */
export function untilClosed(socket: TLSSocket): Promise<{ text: string; ms: number }> {
  const start = performance.now();
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.on('error', () => {});
  return new Promise((resolve) => socket.once('close', () => resolve({ text, ms: performance.now() - start })));
}
