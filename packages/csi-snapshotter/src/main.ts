// The csi-snapshotter sidecar as a process: options → driver → wire → run → exit code.
import { volumeSnapshotClasses, volumeSnapshotContents } from '@snapshot-stack/api-types';
import { connectCsi, waitUntilReady } from '@snapshot-stack/csi';
import { csiOperations, leaseNameOf, runComponent, runMain, systemClock, type ComponentParts, type ComponentWork } from '@snapshot-stack/runtime';
import { accessNeeded } from './access.ts';
import { connectDriver } from './driver.ts';
import { readOptions, type Options } from './options.ts';
import { createSnapshotter } from './wire.ts';

const NAME = 'csi-snapshotter';
const VERSION = '0.1.0';

async function start(options: Options, { client, log, metrics, signal, waitsFor, atEnd }: ComponentParts): Promise<ComponentWork> {
  const { csiAddress, timeoutMs } = options;
  const operations = csiOperations(metrics);
  const csi = connectCsi({ endpoint: csiAddress, onCall: operations.observe });
  atEnd(() => csi.close());
  waitsFor(`the CSI driver on ${csiAddress}`);
  await waitUntilReady(csi, { timeoutMs, signal, onWaiting: (why) => log.warn('still waiting for the CSI driver', { address: csiAddress, why }) });
  const driver = await connectDriver(csi, timeoutMs, signal);
  operations.driverName = driver.name;
  log.info('the CSI driver is ready', { driver: driver.name, ...driver.abilities });
  const snapshotter = createSnapshotter({ client, driver, clock: systemClock, random: Math.random, log, metrics, ...options });
  return {
    leaseName: leaseNameOf(`external-snapshotter-leader-${driver.name}`),
    resources: [volumeSnapshotContents, volumeSnapshotClasses],
    access: accessNeeded,
    run: snapshotter.run,
    isReady: () => snapshotter.ready,
  };
}

await runMain((signal) => {
  const options = readOptions(NAME, VERSION);
  return runComponent({ name: NAME, version: VERSION, options, start: (parts) => start(options, parts) }, signal);
});
