// Requests may carry secrets (fields marked csi_secret in the specification; all of them are named `secrets`).
// Whatever is logged goes through here first.

const HIDDEN = '***stripped***';

/** A copy fit for a log line: secrets keep their keys and lose their values, bigint becomes text. */
export function redact(message: unknown): unknown {
  if (typeof message === 'bigint') return message.toString();
  if (Array.isArray(message)) return message.map(redact);
  if (typeof message !== 'object' || message === null) return message;
  return Object.fromEntries(
    Object.entries(message).map(([key, value]) => {
      if (key !== 'secrets' || typeof value !== 'object' || value === null) return [key, redact(value)];
      return [key, Object.fromEntries(Object.keys(value as object).map((name) => [name, HIDDEN]))];
    }),
  );
}
