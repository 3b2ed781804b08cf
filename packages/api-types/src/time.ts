// Times between the two ways the snapshot API writes them: a content says nanoseconds since 1970 (int64), a
// snapshot an RFC 3339 text of second precision.
import type { Int64 } from './meta.ts';

const NANOS_PER_SECOND = 1_000_000_000n;
const NANOS_PER_MS = 1_000_000n;

/**
 * Nanoseconds since 1970 to `2026-01-31T12:00:00Z`; what is below a second is cut off, towards the past.
 * Every int64 has such a text (years 1677 to 2262).
 */
export function nanosToTimestamp(nanos: Int64): string {
  const total = BigInt(nanos);
  const seconds = total / NANOS_PER_SECOND - (total % NANOS_PER_SECOND < 0n ? 1n : 0n);
  return secondsText(Number(seconds));
}

/** Milliseconds since 1970, as a Clock tells them, to the text that Kubernetes objects carry (metav1.Time). */
export function msToTimestamp(ms: number): string {
  return secondsText(Math.floor(ms / 1000));
}

function secondsText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}

/**
 * An RFC 3339 text to nanoseconds since 1970, keeping up to nine digits of a second.
 * @throws RangeError when the text is no RFC 3339 time
 */
export function timestampToNanos(timestamp: string): bigint {
  const match = /^(\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d{2}:\d{2})$/.exec(timestamp);
  const ms = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN;
  if (!match || Number.isNaN(ms)) throw new RangeError(`"${timestamp}" is no RFC 3339 time such as 2026-01-31T12:00:00Z`);
  return BigInt(ms) * NANOS_PER_MS + BigInt((match[2] ?? '').padEnd(9, '0'));
}
