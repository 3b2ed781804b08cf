// A connection to a CSI driver and typed clients for its five services. The connection comes up by itself and
// comes back by itself; each call has a deadline.
import { Client, Metadata, credentials, type CallOptions, type ClientUnaryCall, type ServiceError } from '@grpc/grpc-js';
import { CsiError } from './csi-error.ts';
import { ControllerService, GroupControllerService, IdentityService, NodeService, SnapshotMetadataService } from './generated/csi.ts';
import { withDefaults, type IsStreaming, type RequestOf, type ResponseOf } from './service.ts';
import { parseEndpoint } from './socket-path.ts';

const RECONNECT_MAX_MS = 1_000;
const MESSAGE_BYTES_MAX = 16 * 2 ** 20;

export interface CsiCallOptions {
  /** How long the driver may take; the call then fails with DEADLINE_EXCEEDED. */
  timeoutMs: number;
  signal?: AbortSignal | undefined;
}

/** A service's methods as functions; fields left out of a request have their proto3 defaults. */
export type ServiceClient<S> = {
  readonly [K in keyof S]: IsStreaming<S[K]> extends true
    ? (request: Partial<RequestOf<S[K]>>, options: CsiCallOptions) => AsyncIterable<ResponseOf<S[K]>>
    : (request: Partial<RequestOf<S[K]>>, options: CsiCallOptions) => Promise<ResponseOf<S[K]>>;
};

export interface CsiCallRecord {
  /** For example `/csi.v1.Controller/CreateSnapshot`. */
  method: string;
  /** `OK` or the error's code. */
  code: string;
  seconds: number;
}

export interface ConnectCsiOptions {
  /** `unix:///csi/csi.sock` or a path. */
  endpoint: string;
  /** Told of each call when it has ended; for metrics. */
  onCall?: (record: CsiCallRecord) => void;
}

export interface CsiConnection {
  readonly identity: ServiceClient<typeof IdentityService>;
  readonly controller: ServiceClient<typeof ControllerService>;
  readonly groupController: ServiceClient<typeof GroupControllerService>;
  readonly snapshotMetadata: ServiceClient<typeof SnapshotMetadataService>;
  readonly node: ServiceClient<typeof NodeService>;
  /**
   * Resolves when the driver accepts connections.
   * @throws CsiError UNAVAILABLE after `timeoutMs`
   */
  ready(timeoutMs: number): Promise<void>;
  close(): void;
}

interface AnyMethod {
  path: string;
  responseStream: boolean;
  requestSerialize: (value: unknown) => Buffer;
  requestDeserialize: (bytes: Buffer) => unknown;
  responseDeserialize: (bytes: Buffer) => unknown;
}

function optionsOf(timeoutMs: number): CallOptions {
  return { deadline: new Date(Date.now() + timeoutMs) };
}

function aborted(signal: AbortSignal, path: string): CsiError {
  return new CsiError('CANCELLED', `${path} was given up: ${String((signal.reason as Error | undefined)?.message ?? signal.reason)}`, { cause: signal.reason });
}

/** Asked again after an await; the compiler believes that the first answer holds for good. */
function isAborted(signal: AbortSignal | undefined): signal is AbortSignal {
  return signal?.aborted === true;
}

function unary(client: Client, method: AnyMethod, request: object, options: CsiCallOptions): Promise<unknown> {
  const { signal } = options;
  if (signal?.aborted === true) return Promise.reject(aborted(signal, method.path));
  return new Promise((resolve, reject) => {
    const abort = (): void => call.cancel();
    const answered = (error: ServiceError | null, value?: unknown): void => {
      signal?.removeEventListener('abort', abort);
      if (error === null) resolve(value);
      else reject(signal?.aborted === true ? aborted(signal, method.path) : CsiError.from(error));
    };
    const call: ClientUnaryCall = client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      new Metadata(),
      optionsOf(options.timeoutMs),
      answered,
    );
    signal?.addEventListener('abort', abort, { once: true });
  });
}

async function* streaming(client: Client, method: AnyMethod, request: object, options: CsiCallOptions): AsyncGenerator<unknown> {
  const { signal } = options;
  if (signal?.aborted === true) throw aborted(signal, method.path);
  const call = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    new Metadata(),
    optionsOf(options.timeoutMs),
  );
  const abort = (): void => call.cancel();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    yield* call as AsyncIterable<unknown>;
  } catch (error) {
    throw isAborted(signal) ? aborted(signal, method.path) : CsiError.from(error);
  } finally {
    signal?.removeEventListener('abort', abort);
    call.cancel();
  }
}

type Observe = (path: string, startedAt: number, error?: unknown) => void;

async function* observedStream(stream: AsyncGenerator<unknown>, path: string, observe: Observe): AsyncGenerator<unknown> {
  const start = performance.now();
  try {
    yield* stream;
    observe(path, start);
  } catch (error) {
    observe(path, start, error);
    throw error;
  }
}

function clientFor<S extends object>(client: Client, service: S, observe: Observe): ServiceClient<S> {
  const entries = Object.entries(service as Record<string, AnyMethod>).map(([name, method]) => {
    const run = (partial: object, options: CsiCallOptions): unknown => {
      const request = withDefaults(method.requestDeserialize, partial);
      if (method.responseStream) return observedStream(streaming(client, method, request, options), method.path, observe);
      const start = performance.now();
      return unary(client, method, request, options).then(
        (value) => {
          observe(method.path, start);
          return value;
        },
        (error: unknown) => {
          observe(method.path, start, error);
          throw error;
        },
      );
    };
    return [name, run];
  });
  return Object.fromEntries(entries) as ServiceClient<S>;
}

/** Returns at once; the connection is made in the background and remade whenever it is lost. */
export function connectCsi(options: ConnectCsiOptions): CsiConnection {
  const { address } = parseEndpoint(options.endpoint);
  const client = new Client(address, credentials.createInsecure(), {
    // The socket's path as authority would be refused by Go servers. Source: csi-sanity forces the same.
    'grpc.default_authority': 'localhost',
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': RECONNECT_MAX_MS,
    'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
    'grpc.max_send_message_length': MESSAGE_BYTES_MAX,
  });
  const observe: Observe = (method, start, error) => {
    const code = error === undefined ? 'OK' : CsiError.from(error).code;
    options.onCall?.({ method, code, seconds: (performance.now() - start) / 1_000 });
  };
  return {
    identity: clientFor(client, IdentityService, observe),
    controller: clientFor(client, ControllerService, observe),
    groupController: clientFor(client, GroupControllerService, observe),
    snapshotMetadata: clientFor(client, SnapshotMetadataService, observe),
    node: clientFor(client, NodeService, observe),
    ready: (timeoutMs) =>
      new Promise((resolve, reject) => {
        client.waitForReady(Date.now() + timeoutMs, (error) => {
          if (error === undefined || error === null) resolve();
          else reject(new CsiError('UNAVAILABLE', `no CSI driver answers on ${options.endpoint} (waited ${timeoutMs} ms)`, { cause: error }));
        });
      }),
    close: () => client.close(),
  };
}
