// The smallest program with the habits of our processes; main.test.ts runs it.
import { createLog, defineFlags, levelOf, loggingFlags, readFlags, runMain, systemClock } from '@snapshot-stack/runtime/process';

const flags = defineFlags({
  ...loggingFlags,
  how: { type: 'string', default: 'code', help: 'What to do' },
  old: { type: 'string', default: '', help: 'Nothing', deprecated: 'has no effect' },
});

class KubeLike extends Error {
  override readonly name = 'KubeLike';
}

function log(level: number, format: string): void {
  const log = createLog({ name: 'program', level: levelOf(level), format: format === 'json' ? 'json' : 'text' });
  log.with({ part: 'worker' }).info('hello', { name: 'snap-1', bytes: 9007199254740993n });
  log.warn('it failed', { error: new KubeLike('no route', { cause: new Error('connection refused') }) });
  log.debug('details');
}

await runMain(async (signal) => {
  const options = readFlags(flags, 'program', '1.2.3');
  const end = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  switch (options.how) {
    case 'fail':
      throw new Error('the disk is full');
    case 'log':
      log(options.v, options['logging-format']);
      return 0;
    case 'wait':
    case 'hang':
    case 'sleep': {
      const awake = setInterval(() => {}, 1_000);
      console.log('waiting');
      if (options.how === 'sleep') await systemClock.sleep(60_000, signal);
      await end;
      console.log(`ending: ${(signal.reason as Error).message}`);
      if (options.how === 'hang') await new Promise(() => {});
      clearInterval(awake);
      return 0;
    }
    default:
      return 7;
  }
});
