// Finds members that a JSON text names twice in one object: JSON.parse keeps the last one and says nothing. The text
// is known to be well-formed JSON (it was parsed before).

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

interface Level {
  /** Names seen in an object; undefined in a list. */
  readonly names: Set<string> | undefined;
  /** The path of this object or list. */
  readonly path: string;
  index: number;
  /** The name of the member whose value comes next. */
  name: string;
  expectsName: boolean;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    at += code === BACKSLASH ? 2 : 1;
  }
  return text.length;
}

function readName(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end);
  return raw.includes('\\') ? (JSON.parse(`"${raw}"`) as string) : raw;
}

function pathOf(level: Level | undefined): string {
  if (level === undefined) return '';
  if (level.names === undefined) return `${level.path}[${level.index}]`;
  return level.path === '' ? level.name : `${level.path}.${level.name}`;
}

/** Paths (`spec.list[0].a`) of the members that occur more than once, in the order of the text, each once. */
export function duplicateFields(text: string): string[] {
  const found = new Set<string>();
  const levels: Level[] = [];
  for (let at = 0; at < text.length; at++) {
    const level = levels.at(-1);
    switch (text[at]) {
      case '{':
        levels.push({ names: new Set(), path: pathOf(level), index: 0, name: '', expectsName: true });
        break;
      case '[':
        levels.push({ names: undefined, path: pathOf(level), index: 0, name: '', expectsName: false });
        break;
      case '}':
      case ']':
        levels.pop();
        break;
      case ',':
        if (level !== undefined) {
          level.index++;
          level.expectsName = level.names !== undefined;
        }
        break;
      case '"': {
        const end = endOfString(text, at);
        if (level?.names !== undefined && level.expectsName) {
          level.name = readName(text, at, end);
          level.expectsName = false;
          if (level.names.has(level.name)) found.add(pathOf(level));
          level.names.add(level.name);
        }
        at = end;
        break;
      }
      default:
        break;
    }
  }
  return [...found];
}
