// Observes a claim with its volume and where it is mounted, and grows it.
import { bytesOf, formatBytes, parseQuantity, persistentVolumeClaims, persistentVolumes, type PersistentVolumeClaim } from '@snapshot-stack/api-types';
import { patchSeen, type Context } from '../context.ts';
import { readSecret, volumeCapability } from '../node/capability.ts';
import { storageOf } from '../claim/match.ts';
import { targetOf } from '../pod/mount.ts';
import { NODE_EXPANSION_PENDING, type ExpansionAction, type ExpansionSeen } from './decide.ts';

const CALL_TIMEOUT_MS = 120_000;

export async function observeExpansion(key: string, { caches, drivers, journal, paths }: Context): Promise<ExpansionSeen> {
  const claim = caches.claims.get(key);
  const volume = claim?.spec.volumeName ? caches.volumes.get(claim.spec.volumeName) : undefined;
  const use = volume && (await journal.all()).find(({ specVolID, published }) => published && specVolID === volume.metadata.name);
  return {
    claim,
    volume,
    storageClass: claim?.spec.storageClassName ? caches.classes.get(claim.spec.storageClassName) : undefined,
    driver: volume?.spec.csi && drivers.get(volume.spec.csi.driver),
    publishedAt: use && targetOf(paths, use),
  };
}

export async function performExpansion(action: ExpansionAction, context: Context, signal: AbortSignal): Promise<void> {
  const { claim } = action;
  switch (action.kind) {
    case 'expandController':
      return await expandController(action, context, signal);
    case 'skipController':
      return await growVolume(action, action.size, true, context, signal);
    case 'expandNode':
      return await expandNode(action, context, signal);
    case 'setCapacity': {
      const status = { capacity: action.volume.spec.capacity, conditions: withoutPending(claim) };
      return await patchSeen(context, persistentVolumeClaims, context.caches.claims, claim, { status }, { subresource: 'status', signal });
    }
    case 'setPending': {
      const message = 'Waiting for user to (re-)start a pod to finish file system resize of volume on node.';
      const conditions = [...withoutPending(claim), { type: 'FileSystemResizePending', status: 'True', message }];
      return await patchSeen(context, persistentVolumeClaims, context.caches.claims, claim, { status: { conditions } }, { subresource: 'status', signal });
    }
    case 'report':
      return context.report.kubelet(persistentVolumeClaims, claim, 'Warning', 'VolumeResizeFailed', action.message);
  }
}

function withoutPending(claim: PersistentVolumeClaim): NonNullable<NonNullable<PersistentVolumeClaim['status']>['conditions']> {
  return (claim.status?.conditions ?? []).filter(({ type }) => type !== 'FileSystemResizePending');
}

type Grow = Extract<ExpansionAction, { kind: 'expandController' | 'skipController' }>;

async function expandController(action: Grow, context: Context, signal: AbortSignal): Promise<void> {
  const { volume, size } = action;
  const driver = driverOf(action, context);
  const request = {
    volumeId: volume.spec.csi?.volumeHandle ?? '',
    capacityRange: { requiredBytes: bytesOf(size), limitBytes: 0n },
    secrets: await readSecret(context.client, volume.spec.csi?.controllerExpandSecretRef, signal),
    volumeCapability: volumeCapability(volume, driver.knowsSingleWriter),
  };
  const { capacityBytes, nodeExpansionRequired } = await driver.csi.controller.controllerExpandVolume(request, { timeoutMs: CALL_TIMEOUT_MS, signal });
  const grown = capacityBytes > 0n ? formatBytes(capacityBytes, parseQuantity(size).format) : size;
  await growVolume(action, grown, nodeExpansionRequired && driver.expandsNode, context, signal);
}

/** The new size and that the node part is still to be done are one write: a crash cannot lose the second. */
async function growVolume({ volume }: Grow, size: string, nodePart: boolean, context: Context, signal: AbortSignal): Promise<void> {
  const body = {
    spec: { capacity: { ...volume.spec.capacity, storage: size } },
    metadata: { annotations: { [NODE_EXPANSION_PENDING]: nodePart ? 'yes' : null } },
  };
  await patchSeen(context, persistentVolumes, context.caches.volumes, volume, body, { signal });
}

async function expandNode(action: Extract<ExpansionAction, { kind: 'expandNode' }>, context: Context, signal: AbortSignal): Promise<void> {
  const { volume, path } = action;
  const driver = driverOf(action, context);
  const { volumeHandle = '' } = volume.spec.csi ?? {};
  const isBlock = volume.spec.volumeMode === 'Block';
  const staging = isBlock ? context.paths.blockStagingOf(volume.metadata.name ?? '') : context.paths.stagingOf(driver.name, volumeHandle);
  const request = {
    volumeId: volumeHandle,
    volumePath: path,
    capacityRange: { requiredBytes: bytesOf(storageOf(volume.spec.capacity)), limitBytes: 0n },
    stagingTargetPath: driver.stages ? staging : '',
    volumeCapability: volumeCapability(volume, driver.knowsSingleWriter),
    secrets: await readSecret(context.client, volume.spec.csi?.nodeExpandSecretRef, signal),
  };
  await driver.csi.node.nodeExpandVolume(request, { timeoutMs: CALL_TIMEOUT_MS, signal });
  const body = { metadata: { annotations: { [NODE_EXPANSION_PENDING]: null } } };
  await patchSeen(context, persistentVolumes, context.caches.volumes, volume, body, { signal });
}

function driverOf({ volume }: { volume: Grow['volume'] }, { drivers }: Context): NonNullable<ReturnType<Context['drivers']['get']>> {
  const name = volume.spec.csi?.driver ?? '';
  const driver = drivers.get(name);
  if (driver === undefined) throw new Error(`driver ${name} has not registered on this node; is it running?`);
  return driver;
}
