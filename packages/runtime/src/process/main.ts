// The life of a process: options → run → exit code, with signals turned into an abort.
import { FlagError, type FlagDefinitions, type FlagSet, type Parsed } from './flags.ts';

/** The reason that an aborted signal carries when the process was asked to end. */
export class Shutdown extends Error {
  override readonly name = 'Shutdown';

  constructor(signal: string) {
    super(`asked to end by ${signal}`);
  }
}

const SIGNAL_EXIT_CODE = 130;
const FAILURE_EXIT_CODE = 1;
const USAGE_EXIT_CODE = 2;

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const wantsStack = /(^| )--?v[= ]([5-9]|\d\d)/.test(process.argv.slice(2).join(' '));
  return wantsStack ? (error.stack ?? error.message) : error.message;
}

/**
 * Runs a program's main function and exits with what it returns. The first SIGTERM or SIGINT aborts the
 * signal, a second one exits at once. A thrown error is printed in one line (with its stack from --v=5 on)
 * and gives exit code 1; a {@link FlagError} gives 2; being asked to end gives 0.
 */
export async function runMain(main: (signal: AbortSignal) => Promise<number>): Promise<void> {
  const abort = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (abort.signal.aborted) process.exit(SIGNAL_EXIT_CODE);
    abort.abort(new Shutdown(name));
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  let code: number;
  try {
    code = await main(abort.signal);
  } catch (error) {
    if (error instanceof Shutdown) code = 0;
    else {
      console.error(`error: ${explain(error)}`);
      code = error instanceof FlagError ? USAGE_EXIT_CODE : FAILURE_EXIT_CODE;
    }
  }
  process.exit(code);
}

/**
 * Reads the command line; prints usage or version and exits where these are asked for.
 * @throws FlagError
 */
export function readFlags<D extends FlagDefinitions>(flags: FlagSet<D>, program: string, version: string): Parsed<D> {
  const argv = process.argv.slice(2);
  const parsed = flags.parse(argv);
  for (const warning of flags.warnings(argv)) console.error(`warning: ${warning}`);
  if ('help' in parsed && parsed['help'] === true) {
    process.stdout.write(flags.usage(program));
    process.exit(0);
  }
  if ('version' in parsed && parsed['version'] === true) {
    process.stdout.write(`${program} ${version}\n`);
    process.exit(0);
  }
  return parsed;
}
