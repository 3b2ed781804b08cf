// What a story needs of a cluster, wherever that is: objects by the client, data by what a pod would see.
import type { Client } from '@snapshot-stack/runtime';

/** A claim's volume, as a pod that uses it sees it. */
export interface MountedVolume {
  /** Filesystem volumes: writes the file `name`. Block volumes: writes at the start of the device; the name is ignored. */
  write(name: string, data: Buffer): Promise<void>;
  /** The file's content, or the first `length` bytes of the device. @throws Error when it is not there */
  read(name: string, length: number): Promise<Buffer>;
}

/** What not every cluster lets stories do, or has. */
export type Feature = 'crash' | 'replicas' | 'nodes' | 'webhook';

/** Components that stories kill. */
export const CRASHABLE = ['snapshot-controller', 'csi-snapshotter', 'provisioner', 'hostpath-driver'] as const;
export type Crashable = (typeof CRASHABLE)[number];

export interface PodRef {
  namespace: string;
  name: string;
}

export interface Cluster {
  readonly kind: 'embedded' | 'kubeconfig' | 'kind';
  readonly client: Client;
  /** The CSI driver that the stories use. */
  readonly driver: string;
  /** Where the components run. */
  readonly namespace: string;
  /** Why stories that need the feature cannot be told here; undefined when they can. */
  lacks(feature: Feature): string | undefined;
  /** Kills a component without warning; whoever looks after it starts it again. */
  crash(component: Crashable): Promise<void>;
  /** Kills the one replica that has this host name. */
  crashReplica(host: string): Promise<void>;
  /** Waits until the pod runs; resolves with access to the volume that its claim is bound to. */
  mounted(pod: PodRef, claim: string, mode: 'Filesystem' | 'Block'): Promise<MountedVolume>;
  /** Makes an ext4 image of `sizeBytes` that holds one file; for stories that turn devices into file systems. */
  fileSystemImage(name: string, data: Buffer, sizeBytes: number): Promise<Buffer>;
  /** Writes logs, events and objects below `dir`. */
  collect(dir: string): Promise<void>;
  close(): Promise<void>;
}
