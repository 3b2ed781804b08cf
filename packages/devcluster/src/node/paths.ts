// Where kubelet keeps the volumes of pods, below its root directory. Drivers and backup tools know these paths.
// Source: kubernetes pkg/volume/csi (csi-behaviour: kubelet).
import { createHash } from 'node:crypto';
import { join } from 'node:path';

export interface Paths {
  readonly root: string;
  /** Holds `mount` and the journal of one pod's use of one volume. */
  podVolume(podUid: string, volumeName: string): string;
  stagingOf(driver: string, handle: string): string;
  blockStagingOf(volumeName: string): string;
  blockTargetOf(volumeName: string, podUid: string): string;
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

export function pathsBelow(root: string): Paths {
  const plugins = join(root, 'plugins', 'kubernetes.io', 'csi');
  const devices = join(plugins, 'volumeDevices');
  return {
    root,
    podVolume: (podUid, volumeName) => join(root, 'pods', podUid, 'volumes', 'kubernetes.io~csi', volumeName),
    stagingOf: (driver, handle) => join(plugins, driver, sha256(handle), 'globalmount'),
    blockStagingOf: (volumeName) => join(devices, 'staging', volumeName),
    blockTargetOf: (volumeName, podUid) => join(devices, 'publish', volumeName, podUid),
  };
}

/** The name under which a node says that it uses a volume (Node.status.volumesInUse). */
export function inUseName(driver: string, handle: string): string {
  return `kubernetes.io/csi/${driver}^${handle}`;
}

export function attachmentName(handle: string, driver: string, node: string): string {
  return `csi-${sha256(`${handle}${driver}${node}`)}`;
}
