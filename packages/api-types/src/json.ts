// JSON as Kubernetes speaks it: int64 fields may exceed 2^53 (a content's status.creationTime is in
// nanoseconds), and must come out of a round trip digit for digit. Integers that a double cannot hold
// become bigint on parsing; everything else stays a number. Both directions take the fast built-in path
// unless such an integer is there.

// Sixteen digits in a row are needed to exceed 2^53; a match inside a string only costs the slower path.
const MAY_HOLD_BIG_INTEGER = /[0-9]{16}/;
// Nineteen digits hold every int64; anything longer is no int64 and stays the double that JSON says it is.
const INTEGER = /^-?[0-9]{1,19}$/;

interface ReviverContext {
  source?: string;
}

function reviveBigIntegers(_key: string, value: unknown, context?: ReviverContext): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value;
  const source = context?.source;
  return source !== undefined && INTEGER.test(source) ? BigInt(source) : value;
}

/**
 * Parses JSON without losing integers: those beyond ±(2^53−1) come back as `bigint`.
 * @throws SyntaxError as JSON.parse does
 */
export function parseJson(text: string): unknown {
  return MAY_HOLD_BIG_INTEGER.test(text) ? JSON.parse(text, reviveBigIntegers) : JSON.parse(text);
}

declare global {
  interface JSON {
    /** Source: https://tc39.es/proposal-json-parse-with-source/ (in V8 since Node 21). */
    rawJSON(text: string): unknown;
  }
}

function writeBigIntegers(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? JSON.rawJSON(value.toString()) : value;
}

/** The inverse of {@link parseJson}: `bigint` is written as a plain JSON integer. */
export function stringifyJson(value: unknown, indent?: number): string {
  try {
    return JSON.stringify(value, undefined, indent);
  } catch (error) {
    // JSON.stringify has one TypeError for bigint and another for cycles; the second try tells them apart.
    if (error instanceof TypeError) return JSON.stringify(value, writeBigIntegers, indent);
    throw error;
  }
}

/** True when two values would be the same JSON document; the order of members does not count. */
export function jsonEqual(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const names = definedMembers(left);
  return (
    names.length === definedMembers(right).length &&
    names.every((name) => Object.hasOwn(right, name) && jsonEqual(Reflect.get(left, name), Reflect.get(right, name)))
  );
}

// JSON has no undefined: a member holding it is not written.
function definedMembers(value: object): string[] {
  return Object.keys(value).filter((name) => Reflect.get(value, name) !== undefined);
}
