// Reads and writes bodies: bounded, decompressed, in the formats that were asked for.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { badRequest, tooLarge } from '../status.ts';

const unzip = promisify(gunzip);
const zip = promisify(gzip);

/** kube-apiserver's limit for one request. */
export const BODY_BYTES_MAX: number = 3 * 2 ** 20;
// Smaller answers are sent as they are. Source: kube-apiserver compresses lists and objects over 128 KiB.
const GZIP_BYTES_MIN = 128 * 1024;

const bodies = new WeakMap<IncomingMessage, Promise<Buffer>>();

/**
 * The whole body, unzipped. A body can be asked for twice: a fault may have a request done again.
 * @throws StatusError 413 when it is larger than {@link BODY_BYTES_MAX}, 400 for a broken gzip
 */
export function readBody(request: IncomingMessage): Promise<Buffer> {
  const known = bodies.get(request) ?? receiveBody(request);
  bodies.set(request, known);
  return known;
}

async function receiveBody(request: IncomingMessage): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > BODY_BYTES_MAX) throw tooLarge(`Request entity too large: limit is ${BODY_BYTES_MAX}`);
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) throw tooLarge(`Request entity too large: limit is ${BODY_BYTES_MAX}`);
    chunks.push(chunk);
  }
  const body = Buffer.concat(chunks, size);
  if (request.headers['content-encoding'] !== 'gzip') return body;
  try {
    return await unzip(body, { maxOutputLength: BODY_BYTES_MAX });
  } catch (error) {
    throw badRequest(`the body is no gzip, or larger than ${BODY_BYTES_MAX} bytes: ${(error as Error).message}`);
  }
}

/** Sends a whole answer, compressed when it is large and the client can take it. */
export async function sendBody(request: IncomingMessage, response: ServerResponse, status: number, contentType: string, text: string): Promise<void> {
  if (response.headersSent || response.destroyed) return;
  let body = Buffer.from(text);
  const headers: Record<string, string | number> = { 'Content-Type': contentType, 'Cache-Control': 'no-cache, private' };
  if (body.length >= GZIP_BYTES_MIN && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''))) {
    body = await zip(body, { level: 1 });
    headers['Content-Encoding'] = 'gzip';
    headers['Vary'] = 'Accept-Encoding';
  }
  headers['Content-Length'] = body.length;
  response.writeHead(status, headers);
  response.end(request.method === 'HEAD' ? undefined : body);
}
