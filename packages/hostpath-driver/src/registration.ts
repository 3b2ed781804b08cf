// Tells kubelet that we are here, by answering on a socket in its plugins_registry folder: what
// node-driver-registrar does, without a sidecar. Kubelet drops the driver when the socket goes.
import { join } from 'node:path';
import { serveCsi, type CsiServer } from '@snapshot-stack/csi';
import type { Log } from '@snapshot-stack/runtime/process';
import type { DriverOptions } from './options.ts';

const REGISTRATION_API = '1.0.0';

/** @throws Error when the folder cannot be written to */
export function registerWithKubelet(options: DriverOptions, log: Log): Promise<CsiServer> {
  const socket = join(options['plugin-registration-path'], `${options.drivername}-reg.sock`);
  return serveCsi({
    endpoint: `unix://${socket}`,
    registration: {
      getInfo: () =>
        Promise.resolve({ type: 'CSIPlugin', name: options.drivername, endpoint: options['kubelet-registration-path'], supportedVersions: [REGISTRATION_API] }),
      notifyRegistrationStatus: (status) => {
        if (status.pluginRegistered) log.info('registered with kubelet');
        else {
          log.error('kubelet refused the registration; exiting so that it is tried again', { error: status.error });
          process.kill(process.pid, 'SIGTERM');
        }
        return Promise.resolve({});
      },
    },
  });
}
