// What cells share: storage and snapshot classes, source claims with data in them, and snapshots of those. Each is
// made once, when the first cell asks for it.
import {
  Annotation,
  namespaces,
  persistentVolumeClaims,
  pods,
  storageClasses,
  volumeSnapshotClasses,
  volumeSnapshotContents,
  volumeSnapshots,
  type KubeObject,
  type PersistentVolumeClaim,
  type Pod,
  type Resource,
  type VolumeMode,
  type VolumeSnapshot,
} from '@snapshot-stack/api-types';
import { isAlreadyExists } from '@snapshot-stack/runtime';
import type { Cell } from './cell.ts';
import type { Cluster } from './cluster.ts';
import { DATA_PATH, DEVICE_PATH } from './kubectl-cluster.ts';
import { until } from './wait.ts';

export const NAMESPACE = 'e2e';
export const SOURCE_MIB = 16;
export const FILE = 'data.bin';
export const CONTENT: Buffer = Buffer.from('what went in must come out. '.repeat(2_000));
const MIB = 2 ** 20;

/** `image` volumes are file systems in an image: they can be converted to devices and back. */
export type Backend = 'directory' | 'image' | 'block';

export function storageClassName(backend: Backend, binding: Cell['binding']): string {
  return `e2e-${backend}-${binding === 'Immediate' ? 'immediate' : 'wait'}`;
}

export function claimObject(
  name: string,
  mode: VolumeMode,
  storageClassName_: string,
  mib: number,
  dataSource?: PersistentVolumeClaim['spec']['dataSource'],
): PersistentVolumeClaim {
  return {
    metadata: { name, namespace: NAMESPACE },
    spec: {
      accessModes: ['ReadWriteOnce'],
      volumeMode: mode,
      storageClassName: storageClassName_,
      resources: { requests: { storage: `${mib}Mi` } },
      ...(dataSource === undefined ? {} : { dataSource }),
    },
  };
}

export function podObject(name: string, claim: string, mode: VolumeMode): Pod {
  const use = mode === 'Block' ? { volumeDevices: [{ name: 'data', devicePath: DEVICE_PATH }] } : { volumeMounts: [{ name: 'data', mountPath: DATA_PATH }] };
  return {
    metadata: { name, namespace: NAMESPACE },
    spec: {
      containers: [{ name: 'user', image: 'busybox:1.37', command: ['sleep', 'infinity'], ...use }],
      volumes: [{ name: 'data', persistentVolumeClaim: { claimName: claim } }],
    },
  };
}

function short(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z]+/g, '-');
}

/** What a snapshot fixture is of and how it came to be. */
export type SnapshotKey = Pick<Cell, 'provisioning' | 'policy' | 'snapshotClass'> & { mode: VolumeMode; backend: Backend; convertible: boolean };

export class Fixtures {
  readonly #cluster: Cluster;
  readonly #made = new Map<string, Promise<string>>();

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  #once(key: string, make: () => Promise<string>): Promise<string> {
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#made.set(key, made);
    return made;
  }

  async apply<T extends KubeObject>(resource: Resource<T>, object: T): Promise<void> {
    await this.#cluster.client.create(resource, object).catch((error: unknown) => {
      if (!isAlreadyExists(error)) throw error;
    });
  }

  async classes(): Promise<void> {
    const { driver } = this.#cluster;
    await this.apply(namespaces, { metadata: { name: NAMESPACE } });
    for (const backend of ['directory', 'image', 'block'] as const) {
      for (const binding of ['Immediate', 'WaitForFirstConsumer'] as const) {
        const parameters = backend === 'image' ? { parameters: { volumeBackend: 'image', 'csi.storage.k8s.io/fstype': 'ext4' } } : {};
        await this.apply(storageClasses, {
          metadata: { name: storageClassName(backend, binding) },
          provisioner: driver,
          reclaimPolicy: 'Delete',
          volumeBindingMode: binding,
          ...parameters,
        });
      }
    }
    for (const deletionPolicy of ['Delete', 'Retain'] as const)
      await this.apply(volumeSnapshotClasses, { metadata: { name: `e2e-${short(deletionPolicy)}` }, driver, deletionPolicy });
  }

  /** Makes the class of this policy the default, or none. */
  async setDefaultClass(policy: Cell['policy'] | undefined): Promise<void> {
    for (const one of ['Delete', 'Retain'] as const) {
      const annotations = { [Annotation.isDefaultClass]: one === policy ? 'true' : null };
      await this.#cluster.client.patch(volumeSnapshotClasses, { name: `e2e-${short(one)}` }, { kind: 'merge', body: { metadata: { annotations } } });
    }
  }

  /** A claim with data in it. A convertible device holds a file system with the file; others hold the file's bytes. */
  sourceClaim(mode: VolumeMode, backend: Backend, convertible: boolean): Promise<string> {
    const name = `source-${backend}${convertible ? '-fs' : ''}`;
    return this.#once(name, async () => {
      await this.apply(persistentVolumeClaims, claimObject(name, mode, storageClassName(backend, 'Immediate'), SOURCE_MIB));
      await this.apply(pods, podObject(name, name, mode));
      const volume = await this.#cluster.mounted({ namespace: NAMESPACE, name }, name, mode);
      const data = mode === 'Block' && convertible ? await this.#cluster.fileSystemImage(FILE, CONTENT, SOURCE_MIB * MIB) : CONTENT;
      await volume.write(FILE, data);
      return name;
    });
  }

  snapshot(key: SnapshotKey): Promise<string> {
    const name = short(`snap ${key.provisioning} ${key.policy} ${key.snapshotClass} ${key.backend} ${key.convertible ? 'fs' : ''}`).replace(/-$/, '');
    return this.#once(name, async () => {
      const claim = await this.sourceClaim(key.mode, key.backend, key.convertible);
      if (key.provisioning === 'dynamic') await this.apply(volumeSnapshots, this.#snapshotObject(name, { persistentVolumeClaimName: claim }, key));
      else await this.#preProvision(name, claim, key);
      return name;
    });
  }

  #snapshotObject(name: string, source: VolumeSnapshot['spec']['source'], key: SnapshotKey): VolumeSnapshot {
    const named = key.snapshotClass === 'named class' ? { volumeSnapshotClassName: `e2e-${short(key.policy)}` } : {};
    return { metadata: { name, namespace: NAMESPACE }, spec: { source, ...named } };
  }

  /** Takes a snapshot that is kept, forgets its objects, and makes new ones for what the driver still has. */
  async #preProvision(name: string, claim: string, key: SnapshotKey): Promise<void> {
    const { client, driver } = this.#cluster;
    const first = { name: `${name}-first`, namespace: NAMESPACE };
    await this.apply(volumeSnapshots, { metadata: first, spec: { volumeSnapshotClassName: 'e2e-retain', source: { persistentVolumeClaimName: claim } } });
    const ready = await until(client, volumeSnapshots, first, 'ready', (object) => object?.status?.readyToUse === true);
    const old = { name: ready?.status?.boundVolumeSnapshotContentName ?? '' };
    const content = await client.get(volumeSnapshotContents, old);
    await client.delete(volumeSnapshots, first);
    await until(client, volumeSnapshots, first, 'gone', (object) => object === undefined);
    await client.delete(volumeSnapshotContents, old);
    await until(client, volumeSnapshotContents, old, 'gone', (object) => object === undefined);
    await this.apply(volumeSnapshotContents, {
      metadata: { name },
      spec: {
        deletionPolicy: key.policy,
        driver,
        source: { snapshotHandle: content.status?.snapshotHandle ?? '' },
        sourceVolumeMode: key.mode,
        volumeSnapshotRef: { name, namespace: NAMESPACE },
      },
    });
    await this.apply(volumeSnapshots, this.#snapshotObject(name, { volumeSnapshotContentName: name }, key));
  }
}
