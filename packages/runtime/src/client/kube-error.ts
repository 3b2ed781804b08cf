// Everything that can go wrong between us and the API server, as one class with a code, and the one table
// that says whether trying again can help.
import type { Status } from '@snapshot-stack/api-types';

export type KubeErrorCode =
  | 'BadRequest'
  | 'Unauthorized'
  | 'Forbidden'
  | 'NotFound'
  | 'AlreadyExists'
  | 'Conflict'
  | 'Expired'
  | 'Invalid'
  | 'TooLarge'
  | 'UnsupportedMediaType'
  | 'TooManyRequests'
  | 'Timeout'
  | 'Unavailable'
  | 'Internal'
  /** No answer, or none that could be understood: the request may or may not have taken effect. */
  | 'Connection';

/** Whether the same request can succeed later without anybody changing anything but time. */
const RETRYABLE: Record<KubeErrorCode, boolean> = {
  BadRequest: false,
  Unauthorized: true, // a token is being rotated, or RBAC has not caught up
  Forbidden: true, // an administrator may still grant it
  NotFound: false,
  AlreadyExists: false,
  Conflict: true,
  Expired: true,
  Invalid: false,
  TooLarge: false,
  UnsupportedMediaType: false,
  TooManyRequests: true,
  Timeout: true,
  Unavailable: true,
  Internal: true,
  Connection: true,
};

const BY_STATUS: Record<number, KubeErrorCode> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'BadRequest',
  408: 'Timeout',
  409: 'Conflict',
  410: 'Expired',
  413: 'TooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'Internal',
  503: 'Unavailable',
  504: 'Timeout',
};

interface KubeErrorOptions {
  /** HTTP status; 0 when there was no answer. */
  status?: number;
  reason?: string;
  retryAfterMs?: number | undefined;
  body?: Status | undefined;
  cause?: unknown;
}

export class KubeError extends Error {
  override readonly name = 'KubeError';
  readonly code: KubeErrorCode;
  readonly status: number;
  /** The Status object's reason, for example `AlreadyExists`. */
  readonly reason: string;
  readonly retryAfterMs: number | undefined;
  readonly body: Status | undefined;

  constructor(code: KubeErrorCode, message: string, options: KubeErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.status = options.status ?? 0;
    this.reason = options.reason ?? code;
    this.retryAfterMs = options.retryAfterMs;
    this.body = options.body;
  }

  get retryable(): boolean {
    return RETRYABLE[this.code];
  }

  /** True when the server has never heard of the resourceVersion: it was restored from a backup, or lags behind. */
  get isFromTheFuture(): boolean {
    return this.body?.details?.causes?.some((cause) => cause.reason === 'ResourceVersionTooLarge') ?? false;
  }

  /** True when the request may have taken effect although it failed. */
  get mayHaveHappened(): boolean {
    return this.code === 'Connection' || this.code === 'Timeout' || this.code === 'Internal' || this.code === 'Unavailable';
  }

  /** Any thrown value as a KubeError; what is not one already counts as a broken connection. */
  static from(error: unknown): KubeError {
    if (error instanceof KubeError) return error;
    const message = error instanceof Error ? error.message : String(error);
    return new KubeError('Connection', message, { cause: error });
  }

  /** From an HTTP answer of 400 or above. `what` says what was tried: `PATCH /api/v1/...`. */
  static fromAnswer(what: string, httpStatus: number, body: unknown, retryAfterMs?: number): KubeError {
    const status = isStatus(body) ? body : undefined;
    const reason = status?.reason ?? '';
    const code = reason === 'AlreadyExists' ? 'AlreadyExists' : (BY_STATUS[httpStatus] ?? (httpStatus >= 500 ? 'Unavailable' : 'BadRequest'));
    const message =
      status?.message ?? `${what} was answered with HTTP ${httpStatus}${typeof body === 'string' && body !== '' ? `: ${body.slice(0, 200)}` : ''}`;
    const seconds = status?.details?.retryAfterSeconds;
    const afterMs = retryAfterMs ?? (seconds === undefined || seconds <= 0 ? undefined : seconds * 1_000);
    return new KubeError(code, message, { status: httpStatus, reason, retryAfterMs: afterMs, body: status });
  }
}

function isStatus(body: unknown): body is Status {
  return typeof body === 'object' && body !== null && (body as Status).kind === 'Status';
}

export function isNotFound(error: unknown): boolean {
  return error instanceof KubeError && error.code === 'NotFound';
}

export function isConflict(error: unknown): boolean {
  return error instanceof KubeError && error.code === 'Conflict';
}

export function isAlreadyExists(error: unknown): boolean {
  return error instanceof KubeError && error.code === 'AlreadyExists';
}
