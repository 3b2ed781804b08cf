// The hostpath CSI driver's process: flags → driver → until asked to end.
import { createLog, levelOf, readFlags, runMain } from '@snapshot-stack/runtime/process';
import { flags } from './options.ts';
import { VERSION } from './version.ts';
import { startDriver } from './wire.ts';

await runMain(async (signal) => {
  const options = readFlags(flags, 'hostpath-driver', VERSION);
  const log = createLog({ name: 'hostpath-driver', level: levelOf(options.v), format: options['logging-format'] === 'json' ? 'json' : 'text' });
  const driver = await startDriver(options, log);
  log.info('serving', { endpoint: options.endpoint, driver: options.drivername, node: options.nodeid });
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  await driver.close();
  return 0;
});
