// Requests of tests: as the administrator, as somebody else, or with a token.
import { Agent, request as send } from 'node:https';
import type { ApiServer } from '@snapshot-stack/apiserver';

export interface Answered {
  status: number;
  warnings: string[];
  // Tests look into answers of many kinds.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  body: any;
}

export interface Sent {
  body?: unknown;
  contentType?: string;
  headers?: Record<string, string | string[]>;
  /** No client certificate. */
  anonymous?: boolean;
}

export type Caller = (method: string, path: string, sent?: Sent) => Promise<Answered>;

/** Also gives the agents, for the caller to destroy. */
export function callerOf(api: ApiServer): { call: Caller; close(): void } {
  const { ca, cert, key } = api.adminConnection.tls;
  const admin = new Agent({ ca, cert, key, keepAlive: true });
  const nobody = new Agent({ ca, keepAlive: true });
  const call: Caller = (method, path, { body, contentType = 'application/json', headers = {}, anonymous = false } = {}) => {
    const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
    const typed = text === undefined ? {} : { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(text) };
    return new Promise((resolve, reject) => {
      const request = send(new URL(path, api.url), { method, agent: anonymous ? nobody : admin, headers: { ...typed, ...headers } }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          const answer = Buffer.concat(chunks).toString();
          const warnings = response.rawHeaders.flatMap((name, index) =>
            name.toLowerCase() === 'warning' && index % 2 === 0 ? [response.rawHeaders[index + 1] ?? ''] : [],
          );
          resolve({ status: response.statusCode ?? 0, warnings, body: answer.startsWith('{') ? (JSON.parse(answer) as unknown) : answer });
        });
      });
      request.on('error', reject);
      request.end(text);
    });
  };
  return {
    call,
    close: () => {
      admin.destroy();
      nobody.destroy();
    },
  };
}
