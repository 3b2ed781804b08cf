// The Node service: its calls checked, put in order by volume, and handed on.
import { CsiError, NodeServiceCapability_RPC_Type as Rpc, VolumeUsage_Unit as Unit, type NodeService, type ServiceHandlers } from '@snapshot-stack/csi';
import { existsSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { isAbsolute, normalize } from 'node:path';
import { asCsiError } from '../controller/volumes.ts';
import type { Driver } from '../driver.ts';
import { TOPOLOGY_KEY, canExpand } from '../options.ts';
import { invalidArgument, required, shown, volumeOf } from '../requests.ts';
import type { VolumeRow } from '../state/state.ts';
import { NodeVolumes, capabilityOf } from './volumes.ts';

const PATH_BYTES_MAX = 4_096;

function checkPath(path: string, field: string): void {
  required(path, field);
  if (!isAbsolute(path) || path.includes('\0') || Buffer.byteLength(path) > PATH_BYTES_MAX)
    throw invalidArgument(`${field} is ${shown(path)}; it must be an absolute path of at most ${PATH_BYTES_MAX} bytes`);
  if (normalize(path).replace(/\/$/, '') !== path.replace(/\/+$/, '').replaceAll(/\/+/g, '/'))
    throw invalidArgument(`${field} is ${shown(path)}; it must not hold "." or ".."`);
}

export function nodeHandlers(driver: Driver): ServiceHandlers<typeof NodeService> {
  const volumes = new NodeVolumes(driver);
  const { options, operations, state } = driver;
  const exclusively = async (volumeId: string, what: string, task: () => Promise<void>): Promise<object> => {
    await operations.run({ changes: [`mounts of ${volumeId}`], relies: [`volume ${volumeId}`], what: `${what} ${volumeId}` }, () =>
      task().catch((error: unknown) => Promise.reject(asCsiError(error, `${what.split(' ')[0]} of volume ${shown(volumeId)}`))),
    );
    return {};
  };
  return {
    nodeGetInfo: () => {
      const limit = options['attach-limit'] > 0 ? options['attach-limit'] : options.maxvolumespernode;
      const accessibleTopology = options['enable-topology'] ? { segments: { [TOPOLOGY_KEY]: options.nodeid } } : undefined;
      return Promise.resolve({ nodeId: options.nodeid, maxVolumesPerNode: BigInt(limit), accessibleTopology });
    },
    nodeGetCapabilities: () => {
      const types = [
        Rpc.STAGE_UNSTAGE_VOLUME,
        Rpc.GET_VOLUME_STATS,
        Rpc.VOLUME_CONDITION,
        Rpc.SINGLE_NODE_MULTI_WRITER,
        ...(canExpand(options) && !options['disable-node-expansion'] ? [Rpc.EXPAND_VOLUME] : []),
      ];
      return Promise.resolve({ capabilities: types.map((type) => ({ type: { $case: 'rpc' as const, value: { type } } })) });
    },
    nodeStageVolume: async (request) => {
      required(request.volumeId, 'volume_id');
      checkPath(request.stagingTargetPath, 'staging_target_path');
      capabilityOf(request.volumeCapability);
      return exclusively(request.volumeId, `NodeStageVolume ${request.stagingTargetPath} ${JSON.stringify(request.volumeCapability)}`, () =>
        volumes.stage(request),
      );
    },
    nodeUnstageVolume: async (request) => {
      required(request.volumeId, 'volume_id');
      checkPath(request.stagingTargetPath, 'staging_target_path');
      return exclusively(request.volumeId, `NodeUnstageVolume ${request.stagingTargetPath}`, () =>
        volumes.unstage(request.volumeId, request.stagingTargetPath),
      );
    },
    nodePublishVolume: async (request) => {
      required(request.volumeId, 'volume_id');
      checkPath(request.targetPath, 'target_path');
      capabilityOf(request.volumeCapability);
      return exclusively(request.volumeId, `NodePublishVolume ${request.targetPath} ${request.readonly} ${JSON.stringify(request.volumeCapability)}`, () =>
        volumes.publish(request),
      );
    },
    nodeUnpublishVolume: async (request) => {
      required(request.volumeId, 'volume_id');
      checkPath(request.targetPath, 'target_path');
      return exclusively(request.volumeId, `NodeUnpublishVolume ${request.targetPath}`, () => volumes.unpublish(request.volumeId, request.targetPath));
    },
    nodeGetVolumeStats: async (request) => {
      required(request.volumeId, 'volume_id');
      required(request.volumePath, 'volume_path');
      const row = volumeOf(state, request.volumeId);
      const known = state.publications(row.id).some((other) => other.path === request.volumePath);
      if (!known || !existsSync(request.volumePath)) throw new CsiError('NOT_FOUND', `volume ${row.id} is not at ${shown(request.volumePath)}`);
      return statsOf(driver, row, request.volumePath);
    },
    ...(canExpand(options) && !options['disable-node-expansion']
      ? {
          nodeExpandVolume: async (request) => {
            required(request.volumeId, 'volume_id');
            required(request.volumePath, 'volume_path');
            const { requiredBytes = 0n, limitBytes = 0n } = request.capacityRange ?? {};
            if (requiredBytes < 0n || limitBytes < 0n) throw invalidArgument('a capacity may not be negative');
            if (requiredBytes > driver.maxNodeVolumeBytes)
              throw new CsiError(
                'OUT_OF_RANGE',
                `${requiredBytes} bytes are more than the largest volume, ${driver.maxNodeVolumeBytes} bytes (--max-volume-size-node)`,
              );
            const capacityBytes = await operations
              .run({ changes: [`mounts of ${request.volumeId}`], what: `NodeExpandVolume ${request.volumePath}` }, () =>
                volumes.expand(request.volumeId, request.volumePath),
              )
              .catch((error: unknown) => Promise.reject(asCsiError(error, `volume ${shown(request.volumeId)} could not be grown`)));
            return { capacityBytes };
          },
        }
      : {}),
  };
}

async function statsOf(driver: Driver, row: VolumeRow, path: string): Promise<object> {
  const data = driver.layout.volume(row.id, row.backend);
  const volumeCondition = existsSync(data)
    ? { abnormal: false, message: 'the volume is fine' }
    : { abnormal: true, message: `the data of volume ${row.id} is gone` };
  if (row.backend === 'block') {
    const { size } = await stat(data);
    return { usage: [{ total: BigInt(size), available: 0n, used: 0n, unit: Unit.BYTES }], volumeCondition };
  }
  const { bsize, blocks, bavail, bfree, files, ffree } = await statfs(path);
  const block = BigInt(bsize);
  return {
    usage: [
      { total: block * BigInt(blocks), available: block * BigInt(bavail), used: block * BigInt(blocks - bfree), unit: Unit.BYTES },
      { total: BigInt(files), available: BigInt(ffree), used: BigInt(files - ffree), unit: Unit.INODES },
    ],
    volumeCondition,
  };
}
