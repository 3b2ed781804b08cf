// Serves CSI services on a socket. A handler is an async function from request to response; what it throws
// becomes the call's status, and nothing it throws ends the process.
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type UntypedHandleCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { once } from 'node:events';
import { chmod, unlink } from 'node:fs/promises';
import { CsiError } from './csi-error.ts';
import { ControllerService, GroupControllerService, IdentityService, NodeService, SnapshotMetadataService } from './generated/csi.ts';
import { RegistrationService } from './generated/pluginregistration.ts';
import { withDefaults, type IsStreaming, type RequestOf, type ResponseOf } from './service.ts';
import { parseEndpoint, prepareSocket } from './socket-path.ts';

const MESSAGE_BYTES_MAX = 16 * 2 ** 20;
/** HTTP/2 header space ends a message long before this matters to people. */
const STATUS_MESSAGE_MAX = 2_048;

export interface CallContext {
  /** Aborts when the caller has given up: its deadline passed, it cancelled, or its connection is gone. */
  signal: AbortSignal;
  /** For example `/csi.v1.Controller/CreateSnapshot`. */
  method: string;
}

/** A service's handlers. Methods left out answer UNIMPLEMENTED; fields left out of a response have their defaults. */
export type ServiceHandlers<S> = {
  readonly [K in keyof S]?: IsStreaming<S[K]> extends true
    ? (request: RequestOf<S[K]>, context: CallContext) => AsyncIterable<Partial<ResponseOf<S[K]>>>
    : (request: RequestOf<S[K]>, context: CallContext) => Promise<Partial<ResponseOf<S[K]>>>;
};

export interface ServeCsiOptions {
  endpoint: string;
  identity?: ServiceHandlers<typeof IdentityService>;
  controller?: ServiceHandlers<typeof ControllerService>;
  groupController?: ServiceHandlers<typeof GroupControllerService>;
  snapshotMetadata?: ServiceHandlers<typeof SnapshotMetadataService>;
  node?: ServiceHandlers<typeof NodeService>;
  /** Kubelet's plugin registration, on its own socket. */
  registration?: ServiceHandlers<typeof RegistrationService>;
  /** Permissions of the socket file; 0600 by default. */
  socketMode?: number;
  /** Told of each call that has ended, with the error that it was answered with. */
  onCall?: (record: { method: string; code: string; seconds: number; error?: unknown }) => void;
}

export interface CsiServer {
  /** Lets calls under way end for up to `graceMs`, then ends them, and removes the socket file. */
  close(graceMs: number): Promise<void>;
}

interface AnyMethod {
  path: string;
  responseStream: boolean;
  responseDeserialize: (bytes: Buffer) => unknown;
}
type AnyHandler = (request: unknown, context: CallContext) => Promise<object> | AsyncIterable<object>;
type Observe = (method: string, start: number, error?: unknown) => void;

/** An exception that is no CsiError is a defect of the driver: INTERNAL, with what it said. */
function toStatus(error: unknown, path: string): CsiError {
  if (error instanceof CsiError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new CsiError('INTERNAL', `${path} failed unexpectedly: ${message}`, { cause: error });
}

function grpcFailure(error: CsiError): { code: number; details: string } {
  return { code: error.grpcCode, details: error.message.slice(0, STATUS_MESSAGE_MAX) };
}

function contextOf(call: ServerUnaryCall<unknown, unknown> | ServerWritableStream<unknown, unknown>, method: string): CallContext {
  const gone = new AbortController();
  call.once('cancelled', () => gone.abort(new CsiError('CANCELLED', `the caller of ${method} has given up`)));
  return { signal: gone.signal, method };
}

function unaryHandler(method: AnyMethod, handler: AnyHandler, observe: Observe): UntypedHandleCall {
  const handle = (call: ServerUnaryCall<unknown, unknown>, answer: sendUnaryData<unknown>): void => {
    const start = performance.now();
    void (async () => handler(call.request, contextOf(call, method.path)) as Promise<object>)().then(
      (response) => {
        observe(method.path, start);
        answer(null, withDefaults(method.responseDeserialize, response));
      },
      (error: unknown) => {
        const failure = toStatus(error, method.path);
        observe(method.path, start, failure);
        answer(grpcFailure(failure));
      },
    );
  };
  return handle as UntypedHandleCall;
}

function streamHandler(method: AnyMethod, handler: AnyHandler, observe: Observe): UntypedHandleCall {
  const handle = (call: ServerWritableStream<unknown, unknown>): void => {
    const start = performance.now();
    const context = contextOf(call, method.path);
    const pump = async (): Promise<void> => {
      for await (const response of handler(call.request, context) as AsyncIterable<object>) {
        context.signal.throwIfAborted();
        if (!call.write(withDefaults(method.responseDeserialize, response))) await once(call, 'drain', { signal: context.signal });
      }
    };
    void pump().then(
      () => {
        observe(method.path, start);
        call.end();
      },
      (error: unknown) => {
        const failure = context.signal.aborted ? CsiError.from(context.signal.reason) : toStatus(error, method.path);
        observe(method.path, start, failure);
        call.emit('error', grpcFailure(failure));
      },
    );
  };
  return handle as UntypedHandleCall;
}

function addService(server: Server, service: object, handlers: object, observe: Observe): void {
  const methods = Object.entries(service as Record<string, AnyMethod>).map(([name, method]) => {
    const missing: AnyHandler = () => {
      throw new CsiError('UNIMPLEMENTED', `${method.path} is not supported by this driver`);
    };
    const handler = (handlers as Record<string, AnyHandler | undefined>)[name] ?? missing;
    return [name, method.responseStream ? streamHandler(method, handler, observe) : unaryHandler(method, handler, observe)];
  });
  server.addService(service as ServiceDefinition, Object.fromEntries(methods) as Record<string, UntypedHandleCall>);
}

/** @throws Error when the endpoint is served already, or cannot be bound */
export async function serveCsi(options: ServeCsiOptions): Promise<CsiServer> {
  const { socketPath, address } = parseEndpoint(options.endpoint);
  if (socketPath !== undefined) await prepareSocket(socketPath);
  const server = new Server({ 'grpc.max_receive_message_length': MESSAGE_BYTES_MAX, 'grpc.max_send_message_length': MESSAGE_BYTES_MAX });
  const observe: Observe = (method, start, error) => {
    const code = error === undefined ? 'OK' : (error as CsiError).code;
    options.onCall?.({ method, code, seconds: (performance.now() - start) / 1_000, ...(error === undefined ? {} : { error }) });
  };
  const services = [
    [IdentityService, options.identity],
    [ControllerService, options.controller],
    [GroupControllerService, options.groupController],
    [SnapshotMetadataService, options.snapshotMetadata],
    [NodeService, options.node],
    [RegistrationService, options.registration],
  ] as const;
  for (const [service, handlers] of services) if (handlers !== undefined) addService(server, service, handlers, observe);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) => (error === null ? resolve() : reject(error)));
  });
  if (socketPath !== undefined) await chmod(socketPath, options.socketMode ?? 0o600);
  return { close: (graceMs) => closeServer(server, socketPath, graceMs) };
}

async function closeServer(server: Server, socketPath: string | undefined, graceMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
  if (socketPath !== undefined) await unlink(socketPath).catch(() => {});
}
