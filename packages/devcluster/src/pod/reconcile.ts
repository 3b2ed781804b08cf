// Observes a pod of this node with its volumes and with what the disk says of it, and carries out what was decided.
// The key is the pod's uid: a pod of the same name that comes later is another one.
import { msToTimestamp, pods, volumeAttachments, type Pod } from '@snapshot-stack/api-types';
import { isAlreadyExists } from '@snapshot-stack/runtime';
import { Index, patchSeen, type Context } from '../context.ts';
import { mountsBelow } from '../node/mounts.ts';
import { attachmentName } from '../node/paths.ts';
import type { PodAction, PodSeen, VolumeOfPod } from './decide.ts';
import { needsAttach, type Mounter } from './mount.ts';

export async function observePod(podUid: string, context: Context, mounter: Mounter): Promise<PodSeen> {
  const pod = context.caches.pods.byIndex(Index.uid, podUid).find((candidate) => candidate.spec.nodeName === context.nodeName);
  const uses = await context.journal.ofPod(podUid);
  const mounts = uses.length === 0 ? [] : await mountsBelow(context.paths.root);
  return {
    podUid,
    pod,
    volumes: pod === undefined ? [] : volumesOf(pod, context),
    held: uses.map((use) => ({ use, inPlace: mounter.isInPlace(use, mounts) })),
  };
}

function volumesOf(pod: Pod, { caches, drivers, nodeName }: Context): VolumeOfPod[] {
  return (pod.spec.volumes ?? []).flatMap(({ persistentVolumeClaim }) => {
    if (persistentVolumeClaim === undefined) return [];
    const { claimName, readOnly = false } = persistentVolumeClaim;
    const claim = caches.claims.get(`${pod.metadata.namespace}/${claimName}`);
    const volume = claim?.spec.volumeName ? caches.volumes.get(claim.spec.volumeName) : undefined;
    const { driver: driverName = '', volumeHandle = '' } = volume?.spec.csi ?? {};
    const driver = drivers.get(driverName);
    const attaches = volume !== undefined && needsAttach(volume, caches.csiDrivers.get(driverName), driver);
    const attachment = attaches ? caches.attachments.get(attachmentName(volumeHandle, driverName, nodeName)) : undefined;
    return [{ claimName, readOnly, claim, volume, attachment, driver: driver && { stages: driver.stages, attaches } }];
  });
}

export async function performOnPod(action: PodAction, context: Context, mounter: Mounter, signal: AbortSignal): Promise<void> {
  switch (action.kind) {
    case 'attach': {
      const { driver = '', volumeHandle = '' } = action.volume.spec.csi ?? {};
      const name = attachmentName(volumeHandle, driver, context.nodeName);
      const spec = { attacher: driver, nodeName: context.nodeName, source: { persistentVolumeName: action.volume.metadata.name ?? '' } };
      return await context.client.create(volumeAttachments, { metadata: { name }, spec }, { signal }).then(
        (created) => context.caches.attachments.remember(created),
        (error: unknown) => {
          if (!isAlreadyExists(error)) throw error;
        },
      );
    }
    case 'mount':
      return await mounter.mount(action.mounting, signal).catch((error: unknown) => {
        const { volume, pod } = action.mounting;
        const message = `cannot mount volume ${volume.metadata.name}: ${error instanceof Error ? error.message : String(error)}`;
        if (!signal.aborted) context.report.kubelet(pods, pod, 'Warning', 'FailedMount', message);
        throw new Error(message, { cause: error });
      });
    case 'unmount':
      return await mounter.unmount(action.use, signal);
    case 'run':
      return await patchSeen(context, pods, context.caches.pods, action.pod, { status: runningStatus(action.pod, context) }, { subresource: 'status', signal });
    case 'remove': {
      const { namespace = '', name = '', uid } = action.pod.metadata;
      return await context.client.delete(pods, { namespace, name }, { uid, gracePeriodSeconds: 0, signal });
    }
  }
}

/** There is no container runtime: a pod whose volumes are mounted counts as running. */
function runningStatus(pod: Pod, { clock }: Context): object {
  const now = msToTimestamp(clock.now());
  const condition = (type: string) => ({ type, status: 'True', lastTransitionTime: now });
  return {
    phase: 'Running',
    startTime: now,
    conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map(condition),
    containerStatuses: pod.spec.containers.map(({ name, image = '' }) => ({
      name,
      image,
      imageID: '',
      ready: true,
      started: true,
      restartCount: 0,
      state: { running: { startedAt: now } },
    })),
  };
}
