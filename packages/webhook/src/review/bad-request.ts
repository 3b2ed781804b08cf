// What a request must be before it can be judged, and the error for those that are not.

/** Parsed JSON whose members are not known yet. */
export type JsonObject = Record<string, unknown>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The request cannot be understood; the message is for whoever sent it. It becomes an HTTP 400. */
export class BadRequest extends Error {
  override readonly name = 'BadRequest';
}
