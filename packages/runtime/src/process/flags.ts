// Command lines as Go's flag and pflag packages read them, so that a chart written for the Go components
// starts ours unchanged: -x, --x, --x=v, --x v; a bool takes its value only after `=`.
// Source: https://pkg.go.dev/flag#hdr-Command_line_flag_syntax
import { formatDuration, parseDuration } from './duration.ts';

interface FlagValues {
  string: string;
  bool: boolean;
  int: number;
  float: number;
  /** Milliseconds. Written as a Go duration. */
  duration: number;
  /** May be given several times, or with commas. */
  strings: readonly string[];
  /** `key=value,key2=value2`; may be given several times. */
  map: Readonly<Record<string, string>>;
}

export type FlagType = keyof FlagValues;

export type FlagDefinition = {
  [T in FlagType]: {
    type: T;
    default: FlagValues[T];
    help: string;
    /** Environment variable that gives the value when the flag is not on the command line. */
    env?: string;
    /** Accepted, warned about; the text says what to use instead. */
    deprecated?: string;
  };
}[FlagType];

export type FlagDefinitions = Readonly<Record<string, FlagDefinition>>;

export type Parsed<D extends FlagDefinitions> = { readonly [K in keyof D]: FlagValues[D[K]['type']] };

export interface FlagSet<D extends FlagDefinitions> {
  readonly definitions: D;
  /**
   * @param argv without program and script name
   * @throws FlagError naming the flag, what is wrong with it and what it takes
   */
  parse(argv: readonly string[], env?: Readonly<Record<string, string | undefined>>): Parsed<D>;
  /** For each deprecated flag on the command line a sentence saying what to use instead. */
  warnings(argv: readonly string[]): string[];
  /** The text of `--help`. */
  usage(program: string): string;
}

/** A command line that cannot be used; the message is for the user. */
export class FlagError extends Error {
  override readonly name = 'FlagError';
}

const BOOLEANS: Record<string, boolean> = {
  true: true,
  TRUE: true,
  True: true,
  t: true,
  T: true,
  '1': true,
  false: false,
  FALSE: false,
  False: false,
  f: false,
  F: false,
  '0': false,
};

function parseMap(text: string, separator: RegExp): Record<string, string> {
  const entries = text.split(',').filter((part) => part.trim() !== '');
  return Object.fromEntries(
    entries.map((part) => {
      const at = part.search(separator);
      if (at < 1) throw new RangeError(`"${part}" is no key=value pair`);
      return [part.slice(0, at).trim(), part.slice(at + 1).trim()];
    }),
  );
}

const WHOLE = /^([+-]?\d+|0x[0-9a-f]+)$/i;
const FRACTION = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

function parseNumber(text: string, whole: boolean): number {
  const value = (whole ? WHOLE : FRACTION).test(text) ? Number(text) : Number.NaN;
  if (Number.isNaN(value) || (whole && !Number.isSafeInteger(value))) throw new RangeError(`"${text}" is no ${whole ? 'whole ' : ''}number`);
  return value;
}

function parseValue(definition: FlagDefinition, text: string, before: unknown): unknown {
  switch (definition.type) {
    case 'string':
      return text;
    case 'bool': {
      const value = BOOLEANS[text];
      if (value === undefined) throw new RangeError(`"${text}" is neither true nor false`);
      return value;
    }
    case 'int':
      return parseNumber(text, true);
    case 'float':
      return parseNumber(text, false);
    case 'duration':
      return parseDuration(text);
    case 'strings':
      return [...((before ?? []) as string[]), ...text.split(',').filter((part) => part !== '')];
    case 'map':
      return { ...(before as Record<string, string> | undefined), ...parseMap(text, /[=:]/) };
  }
}

/** Edit distance, for "did you mean". Names are short, so the quadratic table is small. */
function distance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current[j] = Math.min(replaced, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1);
    }
    previous = current;
  }
  return previous[b.length] ?? 0;
}

function nearest(name: string, known: readonly string[]): string {
  const best = known.map((candidate) => ({ candidate, far: distance(name, candidate) })).sort((a, b) => a.far - b.far)[0];
  return best !== undefined && best.far <= Math.max(2, name.length / 3) ? `; did you mean --${best.candidate}?` : '; --help lists all flags';
}

function parseFlags<D extends FlagDefinitions>(definitions: D, argv: readonly string[], env: Readonly<Record<string, string | undefined>>): Parsed<D> {
  const given = new Map<string, unknown>();
  const take = (name: string, definition: FlagDefinition, text: string, from: string): void => {
    try {
      given.set(name, parseValue(definition, text, given.get(name)));
    } catch (error) {
      throw new FlagError(`${from}: ${(error as Error).message}`, { cause: error });
    }
  };
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? '';
    if (argument === '--' && i + 1 === argv.length) break;
    const match = /^--?([^=-][^=]*)(?:=(.*))?$/s.exec(argument);
    if (match === null) throw new FlagError(`unexpected argument "${argument}"; flags start with --`);
    const [, written = '', inline] = match;
    const name = written === 'h' && !Object.hasOwn(definitions, 'h') ? 'help' : written;
    const definition = Object.hasOwn(definitions, name) ? definitions[name] : undefined;
    if (definition === undefined) throw new FlagError(`unknown flag --${written}${nearest(written, Object.keys(definitions))}`);
    if (inline !== undefined) take(name, definition, inline, `--${name}`);
    else if (definition.type === 'bool') given.set(name, true);
    else if (i + 1 < argv.length) take(name, definition, argv[++i] ?? '', `--${name}`);
    else throw new FlagError(`--${name} needs a value (${definition.type}): ${definition.help}`);
  }
  for (const [name, definition] of Object.entries(definitions)) {
    const text = definition.env === undefined ? undefined : env[definition.env];
    if (text !== undefined && text !== '' && !given.has(name)) take(name, definition, text, `environment variable ${definition.env}`);
  }
  const values = Object.entries(definitions).map(([name, { default: fallback }]) => [name, given.has(name) ? given.get(name) : fallback]);
  return Object.freeze(Object.fromEntries(values)) as Parsed<D>;
}

function showDefault(definition: FlagDefinition): string {
  switch (definition.type) {
    case 'string':
      return definition.default === '' ? '' : ` (default "${definition.default}")`;
    case 'duration':
      return ` (default ${formatDuration(definition.default)})`;
    case 'strings':
      return definition.default.length === 0 ? '' : ` (default ${definition.default.join(',')})`;
    case 'map':
      return '';
    default:
      return ` (default ${definition.default})`;
  }
}

export function defineFlags<const D extends FlagDefinitions>(definitions: D): FlagSet<D> {
  return {
    definitions,
    parse: (argv, env = process.env) => parseFlags(definitions, argv, env),
    warnings: (argv) =>
      Object.entries(definitions)
        .filter(([name, { deprecated }]) => deprecated !== undefined && argv.some((argument) => /^--?([^=]+)/.exec(argument)?.[1] === name))
        .map(([name, { deprecated }]) => `--${name} is deprecated: ${deprecated}`),
    usage: (program) => {
      const lines = Object.entries(definitions).map(([name, definition]) => {
        const type = definition.type === 'bool' ? '' : ` ${definition.type}`;
        const deprecated = definition.deprecated === undefined ? '' : ` DEPRECATED: ${definition.deprecated}`;
        return `  --${name}${type}\n        ${definition.help}${showDefault(definition)}${deprecated}`;
      });
      return `Usage of ${program}:\n${lines.join('\n')}\n`;
    },
  };
}

/** Accepted by every Go component of the field; those about buffers and split streams change nothing here. */
export const loggingFlags = {
  v: { type: 'int', default: 0, help: 'Log level: 0 and up info, 4 and up debug' },
  vmodule: { type: 'string', default: '', help: 'Accepted for compatibility; has no effect' },
  'logging-format': { type: 'string', default: 'text', help: 'text or json' },
  'log-flush-frequency': { type: 'duration', default: 5_000, help: 'Accepted for compatibility; lines are written at once' },
  'log-json-info-buffer-size': { type: 'string', default: '0', help: 'Accepted for compatibility; lines are written at once' },
  'log-json-split-stream': { type: 'bool', default: false, help: 'Accepted for compatibility; all goes to standard error' },
  'log-text-info-buffer-size': { type: 'string', default: '0', help: 'Accepted for compatibility; lines are written at once' },
  'log-text-split-stream': { type: 'bool', default: false, help: 'Accepted for compatibility; all goes to standard error' },
  logtostderr: { type: 'bool', default: true, help: 'Accepted for compatibility; all goes to standard error' },
  automaxprocs: { type: 'bool', default: false, help: 'Accepted for compatibility; has no effect' },
  version: { type: 'bool', default: false, help: 'Print the version and exit' },
  help: { type: 'bool', default: false, help: 'Print this and exit' },
} as const;

export const httpFlags = {
  'http-endpoint': { type: 'string', default: '', help: 'Address of the HTTP server for metrics and health, for example :8080; off when empty' },
  'metrics-path': { type: 'string', default: '/metrics', help: 'Path of the metrics on the HTTP server' },
} as const;

export const kubeFlags = {
  kubeconfig: { type: 'string', default: '', env: 'KUBECONFIG', help: 'Path of a kubeconfig; the in-cluster configuration when empty' },
  'kube-api-qps': {
    type: 'float',
    default: 0,
    help: 'Requests per second to the API server; 0 leaves the limit to the server (429 and Retry-After are honoured)',
  },
  'kube-api-burst': { type: 'int', default: 0, help: 'Requests that may go at once under --kube-api-qps; 0 means as many as --kube-api-qps' },
} as const;

export const leaderElectionFlags = {
  'leader-election': { type: 'bool', default: false, help: 'Run only while holding the Lease, so that several replicas can wait for each other' },
  'leader-election-namespace': { type: 'string', default: '', help: "Namespace of the Lease; the pod's own when empty" },
  'leader-election-lease-duration': { type: 'duration', default: 15_000, help: 'How long others wait for a leader that is silent' },
  'leader-election-renew-deadline': { type: 'duration', default: 10_000, help: 'How long a leader tries to renew before it gives up and exits' },
  'leader-election-retry-period': { type: 'duration', default: 5_000, help: 'Pause between tries to get or renew the Lease' },
  'leader-election-labels': { type: 'map', default: {}, help: 'Labels for the Lease: key:value,key2:value2' },
} as const;
