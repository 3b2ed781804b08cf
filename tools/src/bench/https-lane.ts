// One keep-alive HTTPS connection, one request at a time: a client that costs next to nothing, so that a bench
// measures the server. It understands answers with a Content-Length, and streams for watches.
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';

export interface Target {
  port: number;
  ca: string;
  cert?: string;
  key?: string;
}

const HEAD_END = Buffer.from('\r\n\r\n');

export class HttpsLane {
  readonly #socket: TLSSocket;
  #chunks: Buffer[] = [];
  #size = 0;
  /** Bytes until the answer is whole, once its head has told. */
  #needed = 0;
  #waiting: PromiseWithResolvers<Buffer> | undefined;

  constructor(target: Target) {
    this.#socket = connect({ host: '127.0.0.1', servername: 'localhost', ...target });
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (chunk) => this.#receive(chunk));
    this.#socket.on('error', (error) => this.#waiting?.reject(error));
    this.#socket.on('close', () => this.#waiting?.reject(new Error('the server closed the connection')));
  }

  async open(): Promise<this> {
    await once(this.#socket, 'secureConnect');
    return this;
  }

  /** The body of the answer. @throws Error for a status other than 2xx */
  async send(method: string, path: string, body = '', contentType = 'application/json'): Promise<Buffer> {
    if (this.#socket.destroyed) throw new Error('the server has closed the connection before');
    this.#waiting = Promise.withResolvers<Buffer>();
    const length = body === '' ? '' : `Content-Type: ${contentType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
    this.#socket.write(`${method} ${path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n${length}\r\n${body}`);
    return this.#waiting.promise;
  }

  /** Sends a GET whose answer does not end; `onChunk` gets the raw bytes. */
  stream(path: string, onChunk: (chunk: Buffer) => void): void {
    this.#socket.removeAllListeners('data');
    this.#socket.on('data', onChunk);
    this.#socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n\r\n`);
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#size += chunk.length;
    if (this.#size < this.#needed) return;
    const received = Buffer.concat(this.#chunks, this.#size);
    this.#chunks = [received];
    const end = received.indexOf(HEAD_END);
    if (end < 0) return;
    const head = received.toString('latin1', 0, end);
    const start = end + HEAD_END.length;
    this.#needed = start + Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#size < this.#needed) return;
    const body = received.subarray(start, this.#needed);
    this.#chunks = [];
    this.#size = 0;
    this.#needed = 0;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (head.startsWith('HTTP/1.1 2')) waiting?.resolve(body);
    else waiting?.reject(new Error(`${head.split('\r\n')[0] ?? ''}: ${body.toString('utf8', 0, 500)}`));
  }
}

/** Sends `count` requests over all lanes. */
export async function overLanes(lanes: readonly HttpsLane[], count: number, run: (lane: HttpsLane, index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  await Promise.all(
    lanes.map(async (lane) => {
      while (next < count) await run(lane, next++);
    }),
  );
}
