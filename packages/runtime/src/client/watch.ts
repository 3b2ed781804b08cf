// The stream of a watch, line by line. Everything that ends it other than the server's own close is an error,
// so that a caller never mistakes a broken connection for "nothing happened".
import { parseJson, type KubeObject, type Status } from '@snapshot-stack/api-types';
import { KubeError } from './kube-error.ts';
import { readText, retryAfterOf, type StreamAnswer, type Transport } from './transport.ts';

export interface WatchEvent<T extends KubeObject> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK';
  object: T;
}

const LINE_BYTES_MAX = 16 * 2 ** 20;
const ERROR_BYTES_MAX = 2 ** 20;
const NEWLINE = 10;

/** Splits a byte stream into lines without ever holding more than one unfinished line. */
async function* linesOf(stream: AsyncIterable<Buffer>, path: string, heard: () => void): AsyncIterable<string> {
  let rest: Buffer[] = [];
  let restBytes = 0;
  for await (const chunk of stream) {
    heard();
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      const piece = chunk.subarray(start, end);
      yield (rest.length === 0 ? piece : Buffer.concat([...rest, piece])).toString('utf8');
      rest = [];
      restBytes = 0;
      start = end + 1;
    }
    if (start === chunk.length) continue;
    rest.push(chunk.subarray(start));
    restBytes += chunk.length - start;
    if (restBytes > LINE_BYTES_MAX) throw new KubeError('TooLarge', `GET ${path}: a watch event exceeds ${LINE_BYTES_MAX} bytes`);
  }
  if (restBytes > 0) throw new KubeError('Connection', `GET ${path}: the watch ended in the middle of an event`);
}

interface RawEvent {
  type: string;
  object: KubeObject | Status;
}

/** Ends a stream that has been silent for too long; a live API server sends bookmarks about once a minute. */
function guardSilence(answer: StreamAnswer, path: string, idleTimeoutMs: number | undefined): { heard(): void; end(): void } {
  if (idleTimeoutMs === undefined) return { heard: () => {}, end: () => {} };
  const silent = (): void =>
    void answer.stream.destroy(new KubeError('Connection', `GET ${path}: nothing heard for ${idleTimeoutMs} ms; the connection counts as dead`));
  const timer = setTimeout(silent, idleTimeoutMs).unref();
  return { heard: () => void timer.refresh(), end: () => clearTimeout(timer) };
}

export async function* readWatch<T extends KubeObject>(
  transport: Transport,
  path: string,
  signal: AbortSignal,
  { idleTimeoutMs, onOpen }: { idleTimeoutMs?: number | undefined; onOpen?: (() => void) | undefined } = {},
): AsyncIterable<WatchEvent<T>> {
  const answer = await transport.stream({ method: 'GET', path, signal, headers: { 'Accept-Encoding': 'identity' } });
  const abort = (): void => answer.close();
  signal.addEventListener('abort', abort, { once: true });
  const guard = guardSilence(answer, path, idleTimeoutMs);
  try {
    signal.throwIfAborted();
    if (answer.status !== 200) {
      const text = await readText(answer.stream, ERROR_BYTES_MAX, { method: 'GET', path });
      throw KubeError.fromAnswer(`GET ${path}`, answer.status, parseOrText(text), retryAfterOf(answer.headers));
    }
    onOpen?.();
    for await (const line of linesOf(answer.stream as AsyncIterable<Buffer>, path, guard.heard)) {
      if (line === '') continue;
      const event = parseOrText(line) as RawEvent | string;
      if (typeof event === 'string') throw new KubeError('Connection', `GET ${path}: a watch event is no JSON: ${event.slice(0, 200)}`);
      if (event.type === 'ERROR') throw KubeError.fromAnswer(`GET ${path}`, (event.object as Status).code ?? 500, event.object);
      yield event as WatchEvent<T>;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw KubeError.from(error);
  } finally {
    guard.end();
    signal.removeEventListener('abort', abort);
    answer.close();
  }
  signal.throwIfAborted();
}

function parseOrText(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}
