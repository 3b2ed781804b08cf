// Requests that are not HTTP as Node's parser reads it: a Status for them too, then the connection ends.
import type { Duplex } from 'node:stream';
import { StatusError, methodNotAllowed } from '../status.ts';

interface ParserError extends Error {
  code?: string;
}

function statusOf({ code, message }: ParserError): StatusError {
  switch (code) {
    case 'HPE_INVALID_METHOD':
      return methodNotAllowed();
    case 'HPE_HEADER_OVERFLOW':
      return new StatusError(431, '', 'the headers of the request are too large');
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new StatusError(408, 'Timeout', 'the request took too long to arrive');
    default:
      return new StatusError(400, 'BadRequest', `the request cannot be read: ${message}`);
  }
}

/** Answers a request that could not be read. */
export function refuseClient(error: ParserError, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  // What still comes is thrown away: closing with bytes unread would reset the connection before the answer is read.
  socket.removeAllListeners('data');
  socket.resume();
  const { status } = statusOf(error);
  const body = `${JSON.stringify(status)}\n`;
  const head = [
    `HTTP/1.1 ${status.code} ${status.reason ?? 'Error'}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
