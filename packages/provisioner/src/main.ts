// The provisioner as a process: options → driver → wire → run → exit code.
import { persistentVolumeClaims, persistentVolumes, storageClasses } from '@snapshot-stack/api-types';
import { connectCsi, waitUntilReady } from '@snapshot-stack/csi';
import { csiOperations, leaseNameOf, readFlags, runComponent, runMain, systemClock, type ComponentParts, type ComponentWork } from '@snapshot-stack/runtime';
import { accessNeeded } from './access.ts';
import { connectDriver } from './driver.ts';
import { checkOptions, flags, type ProvisionerOptions } from './options.ts';
import { createProvisioner } from './wire.ts';

const NAME = 'csi-provisioner';
const VERSION = '0.1.0';

async function start(options: ProvisionerOptions, { client, log, metrics, host, signal, waitsFor, atEnd }: ComponentParts): Promise<ComponentWork> {
  const { 'csi-address': address, timeout: timeoutMs } = options.parsed;
  const operations = csiOperations(metrics);
  const csi = connectCsi({ endpoint: address, onCall: operations.observe });
  atEnd(() => csi.close());
  waitsFor(`the CSI driver on ${address}`);
  await waitUntilReady(csi, { timeoutMs, signal, onWaiting: (why) => log.warn('still waiting for the CSI driver', { address, why }) });
  const driver = await connectDriver(csi, timeoutMs, signal, options.node !== undefined);
  operations.driverName = driver.name;
  log.info('the CSI driver is ready', { driver: driver.name, ...driver.abilities });
  const provisioner = createProvisioner({ client, driver, options, clock: systemClock, random: Math.random, log, metrics, host });
  return {
    leaseName: leaseNameOf(driver.name),
    resources: [persistentVolumeClaims, persistentVolumes, storageClasses],
    access: accessNeeded(options),
    run: provisioner.run,
    isReady: () => provisioner.ready,
  };
}

await runMain((signal) => {
  const options = checkOptions(readFlags(flags, NAME, VERSION), process.env);
  return runComponent({ name: NAME, version: VERSION, options: options.component, start: (parts) => start(options, parts) }, signal);
});
