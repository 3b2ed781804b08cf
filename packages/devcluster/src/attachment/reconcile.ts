// Observes an attachment to this node, and carries it out through the driver.
import { volumeAttachments } from '@snapshot-stack/api-types';
import { CsiError } from '@snapshot-stack/csi';
import { claimKeyOf, Index, patchSeen, type Context, type PatchBody } from '../context.ts';
import { readSecret, volumeCapability } from '../node/capability.ts';
import type { Driver } from '../node/drivers.ts';
import type { AttachmentAction, AttachmentSeen } from './decide.ts';

const CALL_TIMEOUT_MS = 120_000;

/** Attachments to other nodes are other agents' business, and count as gone. */
export async function observeAttachment(name: string, { caches, drivers, journal, nodeName }: Context): Promise<AttachmentSeen> {
  const attachment = caches.attachments.get(name);
  if (attachment?.spec.nodeName !== nodeName) return { attachment: undefined, volume: undefined, nodeId: undefined, isNeeded: false };
  const volume = caches.volumes.get(attachment.spec.source.persistentVolumeName ?? '');
  const key = volume && claimKeyOf(volume);
  const isWanted = key !== undefined && caches.pods.byIndex(Index.claim, key).some((pod) => pod.spec.nodeName === nodeName);
  const isMounted = async () => (await journal.all()).some(({ specVolID }) => specVolID === volume?.metadata.name);
  return { attachment, volume, nodeId: drivers.get(attachment.spec.attacher)?.nodeId, isNeeded: isWanted || (await isMounted()) };
}

export async function performOnAttachment(action: AttachmentAction, context: Context, signal: AbortSignal): Promise<void> {
  const { attachment } = action;
  const { metadata } = attachment;
  const patch = (body: PatchBody, subresource?: 'status') =>
    patchSeen(context, volumeAttachments, context.caches.attachments, attachment, body, { signal, ...(subresource && { subresource }) });
  switch (action.kind) {
    case 'hold':
      return await patch({ metadata: { finalizers: [...(metadata.finalizers ?? []), action.finalizer] } });
    case 'publish':
      return await patch({ status: { attached: true, attachmentMetadata: await publish(action, context, signal), attachError: null } }, 'status');
    case 'unpublish':
      await unpublish(action, context, signal);
      return await patch({ status: { attached: false, attachmentMetadata: null, detachError: null } }, 'status');
    case 'giveUp':
      return await context.client.delete(volumeAttachments, { name: metadata.name ?? '' }, { uid: metadata.uid, signal });
    case 'release':
      return await patch({ metadata: { finalizers: (metadata.finalizers ?? []).filter((finalizer) => finalizer !== action.finalizer) } });
  }
}

type Publish = Extract<AttachmentAction, { kind: 'publish' | 'unpublish' }>;

async function publish({ attachment, volume, nodeId }: Publish, context: Context, signal: AbortSignal): Promise<Record<string, string>> {
  const { csi, knowsSingleWriter } = driverOf(attachment.spec.attacher, context);
  const request = {
    volumeId: volume.spec.csi?.volumeHandle ?? '',
    nodeId,
    volumeCapability: volumeCapability(volume, knowsSingleWriter),
    readonly: false,
    secrets: await readSecret(context.client, volume.spec.csi?.controllerPublishSecretRef, signal),
    volumeContext: volume.spec.csi?.volumeAttributes ?? {},
  };
  const { publishContext } = await csi.controller.controllerPublishVolume(request, { timeoutMs: CALL_TIMEOUT_MS, signal });
  return publishContext;
}

async function unpublish({ attachment, volume, nodeId }: Publish, context: Context, signal: AbortSignal): Promise<void> {
  const { csi } = driverOf(attachment.spec.attacher, context);
  const secrets = await readSecret(context.client, volume.spec.csi?.controllerPublishSecretRef, signal);
  const request = { volumeId: volume.spec.csi?.volumeHandle ?? '', nodeId, secrets };
  await csi.controller.controllerUnpublishVolume(request, { timeoutMs: CALL_TIMEOUT_MS, signal }).catch((error: unknown) => {
    // A volume or node that the driver does not know is not attached.
    if (CsiError.from(error).code !== 'NOT_FOUND') throw error;
  });
}

function driverOf(name: string, { drivers }: Context): Driver {
  const driver = drivers.get(name);
  if (driver === undefined) throw new Error(`driver ${name} has not registered on this node; is it running?`);
  return driver;
}
