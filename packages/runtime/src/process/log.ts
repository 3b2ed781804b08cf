// Structured logs on standard error: text for people (`I1123 16:02:03.123 message key="value"`), json for machines.
import { pino, type Logger } from 'pino';

export interface Log {
  debug(message: string, fields?: object): void;
  info(message: string, fields?: object): void;
  warn(message: string, fields?: object): void;
  error(message: string, fields?: object): void;
  /** A log that adds these fields to each line. */
  with(fields: object): Log;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LogOptions {
  name: string;
  level?: LogLevel;
  format?: 'text' | 'json';
}

/** Errors are given as `{ error }`; this makes them readable without a stack unless debug is on. */
function plainError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const cause = error.cause instanceof Error && !error.message.includes(error.cause.message) ? `: ${error.cause.message}` : '';
  return `${error.name === 'Error' ? '' : `${error.name}: `}${error.message}${cause}`;
}

function show(value: unknown): string {
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint'
    ? String(value)
    : JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? part.toString() : part));
}

const LETTERS: Record<string, string> = { '20': 'D', '30': 'I', '40': 'W', '50': 'E' };

/** Sizes and times in nanoseconds may exceed what a double holds. */
function keepDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source ?? '';
  return typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** Turns one JSON line of pino into a line for people. */
function textLine(line: string): string {
  const { level, time, msg, logger, ...fields } = JSON.parse(line, keepDigits) as Record<string, unknown>;
  const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${show(value)}`);
  const at = new Date(Number(time)).toISOString();
  return `${LETTERS[String(level)] ?? '?'}${at.slice(5, 7)}${at.slice(8, 10)} ${at.slice(11, 23)} ${String(logger)}] ${String(msg)}${pairs.join('')}\n`;
}

const textStream = { write: (line: string): void => void process.stderr.write(textLine(line)) };
const jsonStream = { write: (line: string): void => void process.stderr.write(line) };

class PinoLog implements Log {
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  debug(message: string, fields: object = {}): void {
    this.#logger.debug(fields, message);
  }

  info(message: string, fields: object = {}): void {
    this.#logger.info(fields, message);
  }

  warn(message: string, fields: object = {}): void {
    this.#logger.warn(fields, message);
  }

  error(message: string, fields: object = {}): void {
    this.#logger.error(fields, message);
  }

  with(fields: object): Log {
    return new PinoLog(this.#logger.child(fields));
  }
}

export function createLog({ name, level = 'info', format = 'text' }: LogOptions): Log {
  const serializers = { error: plainError };
  return new PinoLog(pino({ level, base: { logger: name }, serializers }, format === 'json' ? jsonStream : textStream));
}

/** Klog's numbers as levels: `--v=4` and up is debug. */
export function levelOf(v: number): LogLevel {
  return v >= 4 ? 'debug' : 'info';
}

const nothing = (): void => {};
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing, with: () => silentLog };
