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
  const asked = new Promise<undefined>((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
  const refusal = await Promise.race([asked, driver.refused]);
  if (refusal !== undefined) log.error('kubelet refused the registration; exiting so that it is tried again', { error: refusal });
  await driver.close();
  return refusal === undefined ? 0 : 1;
});
