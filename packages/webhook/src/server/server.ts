// HTTPS in front of the webhook: TLS 1.3, HTTP/1.1, bounded in time, size and number.
//
// HTTP/2 is not offered: Node's costs about 60 % more memory, has no header and request timeouts, and the protocol's
// ways of overloading a server (CVE-2023-44487 and its kin) are why most admission webhooks leave it off.
import type { Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { parseJson, stringifyJson } from '@snapshot-stack/api-types';
import { parseDuration, type HttpAnswer, type Log } from '@snapshot-stack/runtime';
import type { ServingCertificate } from '../certificates/index.ts';
import { BadRequest } from '../review/bad-request.ts';
import { ByteBudget, SMALL_BYTES } from './byte-budget.ts';
import { refusalOf, statusBody } from './errors.ts';
import { LIST_FACTOR, type Limits } from './limits.ts';

/** What the server serves. */
export interface Handlers {
  /** @param timeoutMs how long the API server waits for the answer */
  validate(body: unknown, timeoutMs: number): Promise<object>;
  convert(body: unknown): object;
  /** Plain answers to GET, by path. */
  readonly pages: Readonly<Record<string, () => HttpAnswer | Promise<HttpAnswer>>>;
  /** Told of each request that got an error, with its HTTP status. */
  refused(code: number): void;
}

export interface ServerOptions {
  /** 0 picks a free one. */
  readonly port: number;
  /** All addresses by default. */
  readonly host?: string | undefined;
  readonly certificate: ServingCertificate;
  readonly limits: Limits;
  readonly handlers: Handlers;
  readonly log: Log;
}

export interface WebhookServer {
  readonly port: number;
  /** New connections get this certificate; those that are open stay. */
  use(certificate: ServingCertificate): void;
  readonly connections: number;
  readonly requestsInHand: number;
  /** Connections refused because there were too many. */
  readonly dropped: number;
  /** From now on each answer asks its client to connect anew, elsewhere if possible. */
  sendAway(): void;
  /** Takes no more connections, lets requests in hand finish for at most `graceMs`, then cuts them. */
  close(graceMs: number): Promise<void>;
}

/** Source: kube-apiserver's default for webhooks. */
const REVIEW_TIMEOUT_MS = 10_000;
const TIMEOUT_MAX_MS = 30_000;
const VALIDATE_PATHS = ['/validate', '/volumesnapshot', '/volumegroupsnapshot'];

interface Hands {
  readonly app: FastifyInstance<Server>;
  readonly budget: ByteBudget;
  isLeaving: boolean;
  connections: number;
  inHand: number;
  dropped: number;
  /** Resolves when no request is in hand. */
  idle(): Promise<void>;
  /** Called when the last request in hand is over. */
  onIdle: () => void;
}

/** @throws Error naming the port when it cannot be listened on */
export async function startServer(options: ServerOptions): Promise<WebhookServer> {
  const { limits, log } = options;
  const app = fastify<Server>({
    logger: false,
    https: tlsOptions(options.certificate, limits),
    bodyLimit: limits.maxBodyBytes,
    requestTimeout: limits.requestTimeoutMs,
    connectionTimeout: limits.silenceTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { ignoreTrailingSlash: true },
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
  });
  const hands: Hands = {
    app,
    budget: new ByteBudget(limits.bodiesBytes),
    isLeaving: false,
    connections: 0,
    inHand: 0,
    dropped: 0,
    idle: () => new Promise((resolve) => (hands.inHand === 0 ? resolve() : (hands.onIdle = resolve))),
    onIdle: () => {},
  };
  app.server.maxConnections = limits.maxConnections;
  app.server.on('connection', (socket: Socket) => {
    hands.connections++;
    socket.once('close', () => void hands.connections--);
  });
  app.server.on('drop', () => void hands.dropped++);
  app.server.on('tlsClientError', (error) => log.debug('a TLS handshake failed', { error }));
  acceptJson(app);
  guard(hands, options);
  addRoutes(app, options.handlers, limits);
  await listen(app, options);
  return {
    port: (app.server.address() as AddressInfo).port,
    use: (certificate) => app.server.setSecureContext(tlsOptions(certificate, limits)),
    get connections() {
      return hands.connections;
    },
    get requestsInHand() {
      return hands.inHand;
    },
    get dropped() {
      return hands.dropped;
    },
    sendAway: () => void (hands.isLeaving = true),
    close: (graceMs) => close(hands, graceMs, log),
  };
}

/** Routes have no JSON schemas here; without this fastify would load ajv and fast-json-stringify, for nothing. */
function noSchemas(): never {
  throw new Error('routes of the webhook have no JSON schemas; check bodies in their handlers');
}

function tlsOptions({ cert, key }: ServingCertificate, limits: Limits): object {
  return {
    cert,
    key,
    minVersion: 'TLSv1.3' as const,
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: limits.handshakeTimeoutMs,
    headersTimeout: limits.headersTimeoutMs,
    // So often the two timeouts above are looked at; Node's default of 30 s would make them that long.
    connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs / 4),
  };
}

/** All addresses: `::` takes IPv4 as well, but cannot be had where IPv6 is switched off. */
function everywhere(): string {
  const hasIpv6 = Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ family }) => family === 'IPv6') === true);
  return hasIpv6 ? '::' : '0.0.0.0';
}

async function listen(app: FastifyInstance<Server>, { port, host = everywhere() }: ServerOptions): Promise<void> {
  try {
    await app.listen({ port, host });
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const hints: Record<string, string> = {
      EADDRINUSE: 'it is in use; choose another with --port',
      EACCES: 'ports below 1024 need privileges; choose another with --port',
    };
    throw new Error(`cannot serve the webhook on port ${port}: ${hints[code] ?? message}`, { cause: error });
  }
}

/** Reads bodies as JSON that keeps 64-bit integers. */
function acceptJson(app: FastifyInstance<Server>): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, text, done) => {
    try {
      done(null, parseJson(text as string));
    } catch (error) {
      done(new BadRequest(`the body is no JSON: ${(error as Error).message}`));
    }
  });
}

/** What holds for every request: it is counted, waits for memory, and is refused in words. */
function guard(hands: Hands, { handlers, limits, log }: ServerOptions): void {
  const { app, budget } = hands;
  app.addHook('onRequest', (_request, reply, done) => {
    hands.inHand++;
    reply.raw.once('close', () => {
      hands.inHand--;
      if (hands.inHand === 0) hands.onIdle();
    });
    if (hands.isLeaving) reply.header('connection', 'close');
    done();
  });
  app.addHook('preParsing', async (request, reply, payload) => {
    const limit = request.routeOptions.bodyLimit ?? limits.maxBodyBytes;
    const bytes = Math.min(Number(request.headers['content-length'] ?? limit), limit);
    if (bytes > SMALL_BYTES) {
      const { giveBack, granted } = budget.take(bytes);
      reply.raw.once('close', giveBack);
      await granted;
    }
    return payload;
  });
  const refuse = (reply: FastifyReply, code: number, message: string): FastifyReply => {
    handlers.refused(code);
    return reply.code(code).type('application/json').send(statusBody({ code, message }));
  };
  app.setErrorHandler((error: unknown, request, reply) => {
    const refusal = refusalOf(error, request.routeOptions.bodyLimit ?? limits.maxBodyBytes);
    const fields = { path: request.url, from: request.ip, code: refusal.code };
    if (refusal.code >= 500) log.error('a review could not be judged', { ...fields, error });
    else log.warn('a request was refused', { ...fields, why: refusal.message });
    return refuse(reply, refusal.code, refusal.message);
  });
  app.setNotFoundHandler((request, reply) => {
    const served = [...VALIDATE_PATHS, '/convert'];
    const [path = ''] = request.url.split('?');
    if (served.includes(path)) return refuse(reply, 405, `${path} takes POST with a review`);
    return refuse(reply, 404, `nothing is served at this path; there are ${[...served, ...Object.keys(handlers.pages)].join(', ')}`);
  });
}

function addRoutes(app: FastifyInstance<Server>, handlers: Handlers, limits: Limits): void {
  const send = (reply: FastifyReply, answer: object): FastifyReply => reply.type('application/json').send(stringifyJson(answer));
  for (const path of VALIDATE_PATHS) app.post(path, async (request, reply) => send(reply, await handlers.validate(request.body, timeoutOf(request))));
  app.post('/convert', { bodyLimit: limits.maxBodyBytes * LIST_FACTOR }, (request, reply) => send(reply, handlers.convert(request.body)));
  for (const [path, page] of Object.entries(handlers.pages)) {
    app.get(path, async (_request, reply) => {
      const { status, body, contentType = 'text/plain; charset=utf-8' } = await page();
      return reply.code(status).type(contentType).header('cache-control', 'no-store').send(body);
    });
  }
}

/** The API server says how long it waits: `?timeout=10s`. */
function timeoutOf(request: FastifyRequest): number {
  const { timeout } = request.query as { timeout?: unknown };
  try {
    const ms = typeof timeout === 'string' ? parseDuration(timeout) : REVIEW_TIMEOUT_MS;
    return ms > 0 ? Math.min(ms, TIMEOUT_MAX_MS) : REVIEW_TIMEOUT_MS;
  } catch {
    return REVIEW_TIMEOUT_MS;
  }
}

async function close({ app, idle }: Hands, graceMs: number, log: Log): Promise<void> {
  const closed = app.close();
  const timer = setTimeout(() => {
    log.warn('requests in hand did not finish in time; their connections are cut', { graceMs });
    app.server.closeAllConnections();
  }, graceMs);
  await Promise.race([idle(), closed]);
  clearTimeout(timer);
  // Connections that asked nothing would be waited for.
  app.server.closeAllConnections();
  await closed;
}
