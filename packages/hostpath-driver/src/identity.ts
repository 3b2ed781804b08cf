// Who we are and what we can do.
import { CsiError, PluginCapability_Service_Type as Service, type IdentityService, type PluginCapability, type ServiceHandlers } from '@snapshot-stack/csi';
import type { Driver } from './driver.ts';
import { VERSION } from './version.ts';

function service(type: (typeof Service)[keyof typeof Service]): PluginCapability {
  return { type: { $case: 'service', value: { type } } };
}

export function identityHandlers(driver: Driver): ServiceHandlers<typeof IdentityService> {
  const { options } = driver;
  return {
    getPluginInfo: () => {
      if (options.drivername === '') throw new CsiError('UNAVAILABLE', 'the driver has no name; set --drivername');
      return Promise.resolve({ name: options.drivername, vendorVersion: VERSION });
    },
    getPluginCapabilities: () =>
      Promise.resolve({
        capabilities: [
          ...(options.ephemeral ? [] : [service(Service.CONTROLLER_SERVICE), service(Service.GROUP_CONTROLLER_SERVICE)]),
          ...(options['enable-snapshot-metadata'] && !options.ephemeral ? [service(Service.SNAPSHOT_METADATA_SERVICE)] : []),
          ...(options['enable-topology'] ? [service(Service.VOLUME_ACCESSIBILITY_CONSTRAINTS)] : []),
        ],
      }),
    probe: () => Promise.resolve({ ready: true }),
  };
}
