// Every refusal over HTTP is a Status, which the API server passes on in words.
import { stringifyJson, type Status } from '@snapshot-stack/api-types';
import { BadRequest } from '../review/bad-request.ts';

const REASONS: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  503: 'ServiceUnavailable',
};

export interface Refusal {
  readonly code: number;
  readonly message: string;
}

/** What an error that reached the server says to the client; details of our own mistakes stay in the log. */
export function refusalOf(error: unknown, maxBytes: number): Refusal {
  if (error instanceof BadRequest) return { code: 400, message: error.message };
  const { statusCode, message } = error as { statusCode?: number; message?: string };
  if (statusCode === 413) return { code: 413, message: `the body is larger than ${maxBytes} bytes; raise --max-body-bytes if such reviews are to be judged` };
  if (statusCode === 415) return { code: 415, message: 'only Content-Type application/json is understood' };
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return { code: statusCode, message: message ?? 'the request cannot be understood' };
  return { code: 500, message: 'the webhook failed to judge the request; its log says why' };
}

export function statusBody({ code, message }: Refusal): string {
  const status: Status = {
    apiVersion: 'v1',
    kind: 'Status',
    metadata: {},
    status: 'Failure',
    message,
    reason: REASONS[code] ?? 'InternalError',
    code,
  };
  return stringifyJson(status);
}
