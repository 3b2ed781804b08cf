// Tells kubelet that we are here, by answering on a socket in its plugins_registry folder: what
// node-driver-registrar does, without a sidecar. Kubelet drops the driver when the socket goes.
import { join } from 'node:path';
import { serveCsi, type CsiServer } from '@snapshot-stack/csi';
import type { Log } from '@snapshot-stack/runtime/process';
import type { DriverOptions } from './options.ts';

const REGISTRATION_API = '1.0.0';

/**
 * @param refused told why kubelet does not take the driver; it is to exit then, so that starting again is a new try
 * @throws Error when the folder cannot be written to
 */
export function registerWithKubelet(options: DriverOptions, log: Log, refused: (why: string) => void): Promise<CsiServer> {
  const socket = join(options['plugin-registration-path'], `${options.drivername}-reg.sock`);
  return serveCsi({
    endpoint: `unix://${socket}`,
    registration: {
      getInfo: () =>
        Promise.resolve({ type: 'CSIPlugin', name: options.drivername, endpoint: options['kubelet-registration-path'], supportedVersions: [REGISTRATION_API] }),
      notifyRegistrationStatus: (status) => {
        if (status.pluginRegistered) log.info('registered with kubelet');
        else refused(status.error);
        return Promise.resolve({});
      },
    },
  });
}
