// Stages, publishes and undoes it, for one pod's use of one volume. All work on one volume goes one after the other,
// so that the last pod to leave is known to be the last.
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { CsiDriver, PersistentVolume, Pod } from '@snapshot-stack/api-types';
import { CsiError } from '@snapshot-stack/csi';
import type { Context } from '../context.ts';
import { readSecret, volumeCapability } from '../node/capability.ts';
import type { Driver } from '../node/drivers.ts';
import { removeEmpty, type Use } from '../node/journal.ts';
import { Locks } from '../node/locks.ts';
import { attachmentName, type Paths } from '../node/paths.ts';
import { reportInUse } from '../node/register.ts';
import type { Mounting } from './decide.ts';

/** As kubelet's limit for one CSI call. */
const CALL_TIMEOUT_MS = 120_000;

export class Mounter {
  readonly #context: Context;
  readonly #locks = new Locks();
  /** Targets that this process has published. */
  readonly #published = new Set<string>();

  constructor(context: Context) {
    this.#context = context;
  }

  /** True when the target was published by this process, or the kernel lists it as mounted. */
  isInPlace(use: Use, mounts: readonly string[]): boolean {
    const target = targetOf(this.#context.paths, use);
    return use.published && (this.#published.has(target) || mounts.includes(target));
  }

  async mount(mounting: Mounting, signal: AbortSignal): Promise<void> {
    const use = this.#useOf(mounting);
    await this.#locks.run(volumeKey(use), async () => {
      const driver = this.#driver(use);
      await this.#context.journal.write(use);
      await this.#reportInUse(signal);
      if (use.staged) await this.#stage(driver, use, mounting, signal);
      await this.#publish(driver, use, mounting, signal);
      await this.#context.journal.write({ ...use, published: true });
      this.#published.add(targetOf(this.#context.paths, use));
    });
  }

  async unmount(use: Use, signal: AbortSignal): Promise<void> {
    const { journal, paths } = this.#context;
    await this.#locks.run(volumeKey(use), async () => {
      const { csi } = this.#driver(use);
      const target = targetOf(paths, use);
      const call = { timeoutMs: CALL_TIMEOUT_MS, signal };
      this.#published.delete(target);
      await unlessUnknown(csi.node.nodeUnpublishVolume({ volumeId: use.volumeHandle, targetPath: target }, call));
      const others = (await journal.all()).filter((other) => volumeKey(other) === volumeKey(use) && other.podUid !== use.podUid);
      if (use.staged && others.length === 0) {
        const stagingTargetPath = stagingOf(paths, use);
        await unlessUnknown(csi.node.nodeUnstageVolume({ volumeId: use.volumeHandle, stagingTargetPath }, call));
        await removeEmpty(stagingTargetPath);
        if (use.volumeMode === 'Filesystem') await removeEmpty(dirname(stagingTargetPath));
      }
      if (use.volumeMode === 'Block') await removeEmpty(dirname(target));
      await journal.remove(use);
      await this.#reportInUse(signal);
    });
  }

  // The list is read and written by many mounts at once.
  async #reportInUse(signal: AbortSignal): Promise<void> {
    await this.#locks.run('volumesInUse', () => reportInUse(this.#context, signal));
  }

  #useOf({ pod, volume, driver, attachment }: Mounting): Use {
    const { driver: driverName = '', volumeHandle = '' } = volume.spec.csi ?? {};
    const { nodeName } = this.#context;
    return {
      specVolID: volume.metadata.name ?? '',
      driverName,
      volumeHandle,
      nodeName,
      attachmentID: attachment === undefined ? '' : attachmentName(volumeHandle, driverName, nodeName),
      podUid: pod.metadata.uid ?? '',
      volumeMode: volume.spec.volumeMode ?? 'Filesystem',
      staged: driver.stages,
      published: false,
    };
  }

  #driver({ driverName, specVolID }: Use): Driver {
    const driver = this.#context.drivers.get(driverName);
    if (driver === undefined) throw new Error(`volume ${specVolID} waits for driver ${driverName}, which has not registered on this node; is it running?`);
    return driver;
  }

  async #stage({ csi, knowsSingleWriter }: Driver, use: Use, { volume, attachment }: Mounting, signal: AbortSignal): Promise<void> {
    const stagingTargetPath = stagingOf(this.#context.paths, use);
    await mkdir(stagingTargetPath, { recursive: true, mode: 0o750 });
    const request = {
      volumeId: use.volumeHandle,
      publishContext: attachment?.status?.attachmentMetadata ?? {},
      stagingTargetPath,
      volumeCapability: volumeCapability(volume, knowsSingleWriter),
      secrets: await readSecret(this.#context.client, volume.spec.csi?.nodeStageSecretRef, signal),
      volumeContext: volume.spec.csi?.volumeAttributes ?? {},
    };
    await csi.node.nodeStageVolume(request, { timeoutMs: CALL_TIMEOUT_MS, signal });
  }

  async #publish({ csi, knowsSingleWriter, name }: Driver, use: Use, { pod, volume, readOnly, attachment }: Mounting, signal: AbortSignal): Promise<void> {
    const { paths, client, caches } = this.#context;
    const targetPath = targetOf(paths, use);
    await mkdir(dirname(targetPath), { recursive: true, mode: 0o750 });
    const request = {
      volumeId: use.volumeHandle,
      publishContext: attachment?.status?.attachmentMetadata ?? {},
      stagingTargetPath: use.staged ? stagingOf(paths, use) : '',
      targetPath,
      volumeCapability: volumeCapability(volume, knowsSingleWriter),
      readonly: readOnly || volume.spec.csi?.readOnly === true,
      secrets: await readSecret(client, volume.spec.csi?.nodePublishSecretRef, signal),
      volumeContext: { ...volume.spec.csi?.volumeAttributes, ...podInfo(pod, caches.csiDrivers.get(name)) },
    };
    await csi.node.nodePublishVolume(request, { timeoutMs: CALL_TIMEOUT_MS, signal });
  }
}

export function targetOf(paths: Paths, use: Use): string {
  return use.volumeMode === 'Block' ? paths.blockTargetOf(use.specVolID, use.podUid) : `${paths.podVolume(use.podUid, use.specVolID)}/mount`;
}

function stagingOf(paths: Paths, use: Use): string {
  return use.volumeMode === 'Block' ? paths.blockStagingOf(use.specVolID) : paths.stagingOf(use.driverName, use.volumeHandle);
}

function volumeKey({ driverName, volumeHandle }: Use): string {
  return `${driverName}^${volumeHandle}`;
}

/** Who mounts, for drivers that ask for it (CSIDriver.spec.podInfoOnMount). */
function podInfo(pod: Pod, csiDriver: CsiDriver | undefined): Record<string, string> {
  if (csiDriver?.spec.podInfoOnMount !== true) return {};
  const { name = '', namespace = '', uid = '' } = pod.metadata;
  return {
    'csi.storage.k8s.io/pod.name': name,
    'csi.storage.k8s.io/pod.namespace': namespace,
    'csi.storage.k8s.io/pod.uid': uid,
    'csi.storage.k8s.io/serviceAccount.name': pod.spec.serviceAccountName ?? '',
    'csi.storage.k8s.io/ephemeral': 'false',
  };
}

/** A driver that does not know the volume (any more) has nothing of it mounted. */
async function unlessUnknown(call: Promise<unknown>): Promise<void> {
  await call.catch((error: unknown) => {
    if (CsiError.from(error).code !== 'NOT_FOUND') throw error;
  });
}

export function needsAttach(volume: PersistentVolume, csiDriver: CsiDriver | undefined, driver: Driver | undefined): boolean {
  return driver?.publishesByController === true && volume.spec.csi !== undefined && csiDriver?.spec.attachRequired !== false;
}
