// The snapshot-controller as a process: options → wire → run → exit code.
import { persistentVolumeClaims, persistentVolumes, volumeSnapshotClasses, volumeSnapshotContents, volumeSnapshots } from '@snapshot-stack/api-types';
import { runComponent, runMain, systemClock, type ComponentParts, type ComponentWork } from '@snapshot-stack/runtime';
import { accessNeeded } from './access.ts';
import { readOptions, type Options } from './options.ts';
import { createSnapshotController } from './wire.ts';

const NAME = 'snapshot-controller';
const VERSION = '0.1.0';

function start(options: Options, { client, log, metrics }: ComponentParts): ComponentWork {
  const controller = createSnapshotController({ client, clock: systemClock, random: Math.random, log, metrics, ...options });
  return {
    leaseName: `${NAME}-leader`,
    resources: [volumeSnapshots, volumeSnapshotContents, volumeSnapshotClasses, persistentVolumeClaims, persistentVolumes],
    access: accessNeeded(options),
    run: controller.run,
    isReady: () => controller.ready,
  };
}

await runMain((signal) => {
  const options = readOptions(NAME, VERSION);
  const { crdRetryMaxMs: resourcesRetryMaxMs } = options;
  return runComponent({ name: NAME, version: VERSION, options, resourcesRetryMaxMs, start: (parts) => start(options, parts) }, signal);
});
