// The Controller and GroupController services: each call checked, answered from the state, or handed on.
import {
  ControllerServiceCapability_RPC_Type as Rpc,
  CsiError,
  GroupControllerServiceCapability_RPC_Type as GroupRpc,
  type ControllerService,
  type GroupControllerService,
  type ListSnapshotsRequest,
  type ListSnapshotsResponse,
  type ListVolumesRequest,
  type ListVolumesResponse,
  type ServiceHandlers,
  type ValidateVolumeCapabilitiesRequest,
  type VolumeCondition,
} from '@snapshot-stack/csi';
import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import type { Driver } from '../driver.ts';
import { growImage } from '../files/images.ts';
import { TOPOLOGY_KEY, canExpand } from '../options.ts';
import {
  accessTypeOf,
  accessTypeOfOne,
  checkMaxEntries,
  decodeToken,
  encodeToken,
  invalidArgument,
  required,
  shown,
  snapshotOf,
  volumeOf,
} from '../requests.ts';
import type { VolumeRow } from '../state/state.ts';
import { createGroup, createSnapshot, deleteGroup, deleteSnapshot, getGroup, toSnapshot } from './snapshots.ts';
import { createVolume, deleteVolume, sizeOf, toVolume } from './volumes.ts';

// Go clients take messages up to 4 MiB by default; an entry stays well below 1 KiB.
const PAGE_MAX = 1_000;

function capabilities(driver: Driver): number[] {
  const { options } = driver;
  if (options.ephemeral) return [];
  return [
    Rpc.CREATE_DELETE_VOLUME,
    Rpc.GET_VOLUME,
    Rpc.GET_CAPACITY,
    Rpc.CREATE_DELETE_SNAPSHOT,
    Rpc.GET_SNAPSHOT,
    Rpc.LIST_VOLUMES,
    Rpc.CLONE_VOLUME,
    Rpc.VOLUME_CONDITION,
    Rpc.SINGLE_NODE_MULTI_WRITER,
    ...(options['enable-list-snapshots'] ? [Rpc.LIST_SNAPSHOTS] : []),
    ...(canExpand(options) && !options['disable-controller-expansion'] ? [Rpc.EXPAND_VOLUME] : []),
    ...(options['enable-attach'] ? [Rpc.PUBLISH_UNPUBLISH_VOLUME, Rpc.PUBLISH_READONLY, Rpc.LIST_VOLUMES_PUBLISHED_NODES] : []),
    ...(options['enable-controller-modify-volume'] ? [Rpc.MODIFY_VOLUME] : []),
  ];
}

function conditionOf(driver: Driver, row: VolumeRow): VolumeCondition {
  const path = driver.layout.volume(row.id, row.backend);
  return existsSync(path)
    ? { abnormal: false, message: 'the volume is fine' }
    : { abnormal: true, message: `the data of volume ${row.id} is gone: nothing is at its place in the data folder` };
}

function statusOf(driver: Driver, row: VolumeRow): { publishedNodeIds: string[]; volumeCondition: VolumeCondition } {
  return { publishedNodeIds: row.attached === 1n ? [driver.options.nodeid] : [], volumeCondition: conditionOf(driver, row) };
}

function pageSize(maxEntries: number): number {
  return maxEntries === 0 ? PAGE_MAX : Math.min(maxEntries, PAGE_MAX);
}

function listVolumes(driver: Driver, request: ListVolumesRequest): ListVolumesResponse {
  checkMaxEntries(request.maxEntries);
  const size = pageSize(request.maxEntries);
  const rows = driver.state.volumesAfter(decodeToken(request.startingToken), size + 1);
  const page = rows.slice(0, size);
  return {
    entries: page.map((row) => ({ volume: toVolume(driver, row), status: statusOf(driver, row) })),
    nextToken: rows.length > size ? encodeToken(page.at(-1)?.id ?? '') : '',
  };
}

function listSnapshots(driver: Driver, request: ListSnapshotsRequest): ListSnapshotsResponse {
  checkMaxEntries(request.maxEntries);
  if (request.snapshotId !== '') {
    const row = driver.state.snapshot(request.snapshotId);
    const matches = row?.phase === 'ready' && (request.sourceVolumeId === '' || request.sourceVolumeId === row.volumeId);
    return { entries: matches ? [{ snapshot: toSnapshot(row) }] : [], nextToken: '' };
  }
  const size = pageSize(request.maxEntries);
  const rows = driver.state.snapshotsAfter(decodeToken(request.startingToken), size + 1, request.sourceVolumeId);
  const page = rows.slice(0, size);
  return { entries: page.map((row) => ({ snapshot: toSnapshot(row) })), nextToken: rows.length > size ? encodeToken(page.at(-1)?.id ?? '') : '' };
}

function validate(
  driver: Driver,
  request: ValidateVolumeCapabilitiesRequest,
): { message: string; confirmed: undefined } | { confirmed: object; message: string } {
  required(request.volumeId, 'volume_id');
  const access = request.volumeCapabilities.length === 0 ? undefined : accessTypeOf(request.volumeCapabilities);
  if (access === undefined) throw invalidArgument('volume_capabilities are missing');
  const row = volumeOf(driver.state, request.volumeId);
  if (row.access !== access) return { confirmed: undefined, message: `volume ${row.id} is of access type ${row.access}, not ${access}` };
  const { volumeContext, volumeCapabilities, parameters, mutableParameters } = request;
  return { confirmed: { volumeContext, volumeCapabilities, parameters, mutableParameters }, message: '' };
}

async function expand(driver: Driver, id: string, requiredBytes: bigint, limitBytes: bigint): Promise<bigint> {
  const row = volumeOf(driver.state, id);
  if (requiredBytes === 0n && limitBytes === 0n) throw invalidArgument('capacity_range names no size');
  const size = sizeOf(requiredBytes, limitBytes, row.backend);
  if (size > driver.maxVolumeBytes)
    throw new CsiError('OUT_OF_RANGE', `${size} bytes are more than the largest volume, ${driver.maxVolumeBytes} bytes (--max-volume-size)`);
  if (limitBytes > 0n && row.sizeBytes > limitBytes)
    throw new CsiError('OUT_OF_RANGE', `volume ${id} has ${row.sizeBytes} bytes already, more than the limit of ${limitBytes}`);
  if (row.sizeBytes >= size) return row.sizeBytes;
  const total = driver.capacity.get(row.kind);
  if (total !== undefined && size - row.sizeBytes > total - driver.state.usedBytes(row.kind))
    throw new CsiError('RESOURCE_EXHAUSTED', `storage of kind ${row.kind} is used up: ${total} bytes in all`);
  if (row.backend !== 'directory') await growImage(driver.layout.volume(id, row.backend), size);
  driver.state.setVolume(id, { sizeBytes: size });
  return size;
}

function attach(driver: Driver, volumeId: string, nodeId: string, readonly: boolean): void {
  const row = volumeOf(driver.state, volumeId);
  if (nodeId !== driver.options.nodeid) throw new CsiError('NOT_FOUND', `there is no node ${shown(nodeId)}; this driver serves ${driver.options.nodeid}`);
  if (row.attached === 1n) {
    if ((row.attachedReadonly === 1n) !== readonly)
      throw new CsiError('ALREADY_EXISTS', `volume ${volumeId} is attached already, ${row.attachedReadonly === 1n ? 'read-only' : 'for writing'}`);
    return;
  }
  const limit = driver.options['attach-limit'];
  if (limit > 0 && driver.state.attachedCount() >= BigInt(limit))
    throw new CsiError('RESOURCE_EXHAUSTED', `${limit} volumes are attached to node ${nodeId} already (--attach-limit)`);
  driver.state.setVolume(volumeId, { attached: 1n, attachedReadonly: readonly ? 1n : 0n });
}

function modify(driver: Driver, volumeId: string, parameters: Readonly<Record<string, string>>): void {
  volumeOf(driver.state, volumeId);
  checkMutable(driver, parameters);
}

function checkMutable(driver: Driver, parameters: Readonly<Record<string, string>>): void {
  const accepted = driver.options['accepted-mutable-parameter-names'];
  const unknown = Object.keys(parameters).filter((name) => accepted.length > 0 && !accepted.includes(name));
  if (unknown.length > 0) throw invalidArgument(`the mutable parameters ${unknown.join(', ')} are not known; there are ${accepted.join(', ')}`);
}

async function capacityOf(driver: Driver, kind: string): Promise<bigint> {
  const total = driver.capacity.get(kind);
  if (total !== undefined) return total - driver.state.usedBytes(kind);
  const { bavail, bsize } = await statfs(driver.layout.volumes);
  return BigInt(bavail) * BigInt(bsize);
}

export function controllerHandlers(driver: Driver): ServiceHandlers<typeof ControllerService> {
  const { options, state } = driver;
  return {
    controllerGetCapabilities: () =>
      Promise.resolve({ capabilities: capabilities(driver).map((type) => ({ type: { $case: 'rpc' as const, value: { type: type as 1 } } })) }),
    createVolume: async (request, { signal }) => {
      checkMutable(driver, request.mutableParameters);
      return { volume: toVolume(driver, await createVolume(driver, request, signal)) };
    },
    deleteVolume: async (request, { signal }) => {
      await deleteVolume(driver, request.volumeId, signal);
      return {};
    },
    validateVolumeCapabilities: async (request) => validate(driver, request) as object,
    listVolumes: async (request) => listVolumes(driver, request),
    controllerGetVolume: async (request) => {
      const row = volumeOf(state, request.volumeId);
      return { volume: toVolume(driver, row), status: statusOf(driver, row) };
    },
    getCapacity: async (request) => {
      if (request.volumeCapabilities.length > 0) accessTypeOf(request.volumeCapabilities);
      const node = request.accessibleTopology?.segments[TOPOLOGY_KEY];
      const elsewhere = node !== undefined && node !== options.nodeid;
      const available = elsewhere ? 0n : await capacityOf(driver, request.parameters['kind'] ?? '');
      return { availableCapacity: available > 0n ? available : 0n, maximumVolumeSize: driver.maxVolumeBytes, minimumVolumeSize: 0n };
    },
    createSnapshot: async (request, { signal }) => ({ snapshot: await createSnapshot(driver, request, signal) }),
    deleteSnapshot: async (request, { signal }) => {
      await deleteSnapshot(driver, request.snapshotId, signal);
      return {};
    },
    ...(options['enable-list-snapshots'] ? { listSnapshots: async (request: ListSnapshotsRequest) => listSnapshots(driver, request) } : {}),
    getSnapshot: async (request) => {
      required(request.snapshotId, 'snapshot_id');
      return { snapshot: toSnapshot(snapshotOf(state, request.snapshotId)) };
    },
    ...(canExpand(options) && !options['disable-controller-expansion']
      ? {
          controllerExpandVolume: async (request) => {
            required(request.volumeId, 'volume_id');
            if (request.capacityRange === undefined) throw invalidArgument('capacity_range is missing');
            const { requiredBytes, limitBytes } = request.capacityRange;
            if (limitBytes > 0n && requiredBytes > limitBytes) throw invalidArgument(`required_bytes (${requiredBytes}) exceeds limit_bytes (${limitBytes})`);
            if (requiredBytes < 0n || limitBytes < 0n) throw invalidArgument('a capacity may not be negative');
            if (request.volumeCapability !== undefined) accessTypeOfOne(request.volumeCapability);
            const capacityBytes = await driver.operations.run(
              { changes: [`volume ${request.volumeId}`], what: `ControllerExpandVolume ${requiredBytes} ${limitBytes}` },
              () => expand(driver, request.volumeId, requiredBytes, limitBytes),
            );
            return { capacityBytes, nodeExpansionRequired: !options['disable-node-expansion'] };
          },
        }
      : {}),
    ...(options['enable-attach']
      ? {
          controllerPublishVolume: async (request) => {
            required(request.volumeId, 'volume_id');
            required(request.nodeId, 'node_id');
            if (request.volumeCapability === undefined) throw invalidArgument('volume_capability is missing');
            accessTypeOfOne(request.volumeCapability);
            attach(driver, request.volumeId, request.nodeId, request.readonly);
            return { publishContext: {} };
          },
          controllerUnpublishVolume: async (request) => {
            required(request.volumeId, 'volume_id');
            if (request.nodeId !== '' && request.nodeId !== options.nodeid) throw new CsiError('NOT_FOUND', `there is no node ${shown(request.nodeId)}`);
            if (state.volume(request.volumeId) === undefined) return {};
            const staged = state.publications(request.volumeId);
            if (staged.length > 0)
              throw new CsiError('FAILED_PRECONDITION', `volume ${shown(request.volumeId)} is still ${staged[0]?.kind ?? 'used'} at ${staged[0]?.path ?? ''}`);
            state.setVolume(request.volumeId, { attached: 0n, attachedReadonly: 0n });
            return {};
          },
        }
      : {}),
    ...(options['enable-controller-modify-volume']
      ? {
          controllerModifyVolume: async (request) => {
            required(request.volumeId, 'volume_id');
            modify(driver, request.volumeId, request.mutableParameters);
            return {};
          },
        }
      : {}),
  };
}

export function groupControllerHandlers(driver: Driver): ServiceHandlers<typeof GroupControllerService> {
  return {
    groupControllerGetCapabilities: () =>
      Promise.resolve({ capabilities: [{ type: { $case: 'rpc' as const, value: { type: GroupRpc.CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT } } }] }),
    createVolumeGroupSnapshot: async (request, { signal }) => ({ groupSnapshot: await createGroup(driver, request, signal) }),
    getVolumeGroupSnapshot: async (request) => ({ groupSnapshot: getGroup(driver, request.groupSnapshotId, request.snapshotIds) }),
    deleteVolumeGroupSnapshot: async (request, { signal }) => {
      await deleteGroup(driver, request.groupSnapshotId, request.snapshotIds, signal);
      return {};
    },
  };
}
