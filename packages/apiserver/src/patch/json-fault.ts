// Says in the words of Go's decoder what is wrong with a JSON text.

const NAMES: Record<string, string> = { '\n': "'\\n'", '\t': "'\\t'", '\r': "'\\r'", "'": "'\\''", '"': "'\"'" };

function quoted(letter: string): string {
  return NAMES[letter] ?? `'${letter}'`;
}

/** @param error what JSON.parse threw for this text */
export function jsonFault(text: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  const at = Number(/position (\d+)/.exec(message)?.[1] ?? Number.NaN);
  const end = text.trimEnd().length;
  if (text.trim() === '' || /end of JSON input/.test(message) || at >= end) return 'unexpected end of JSON input';
  const position = Number.isNaN(at) ? text.length - text.trimStart().length : at;
  const letter = quoted(text.charAt(position));
  if (/property name/.test(message)) return `invalid character ${letter} looking for beginning of object key string`;
  if (/after property value/.test(message)) return `invalid character ${letter} after object key:value pair`;
  if (/after array element/.test(message)) return `invalid character ${letter} after array element`;
  if (/':' after/.test(message)) return `invalid character ${letter} after object key`;
  if (/non-whitespace/.test(message)) return `invalid character ${letter} after top-level value`;
  return `invalid character ${letter} looking for beginning of value`;
}
