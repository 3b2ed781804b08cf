// The Node service: stage, publish and back. What is mounted is read from the kernel each time; the state keeps
// what a repeated call must agree with.
import {
  CsiError,
  NodeServiceCapability_RPC_Type as Rpc,
  VolumeUsage_Unit as Unit,
  VolumeCapability_AccessMode_Mode as Mode,
  type NodePublishVolumeRequest,
  type NodeService,
  type NodeStageVolumeRequest,
  type ServiceHandlers,
  type VolumeCapability,
} from '@snapshot-stack/csi';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { lstat, mkdir, open, rm, rmdir, stat, statfs } from 'node:fs/promises';
import { dirname, isAbsolute, normalize } from 'node:path';
import type { Driver } from '../driver.ts';
import { growFileSystem, growUnmounted, imageSize } from '../files/images.ts';
import { attachLoop, bindMount, detachLoops, loopDevicesOf, mountAt, unmount } from '../files/mounts.ts';
import { run } from '../files/run.ts';
import { asCsiError, removeVolume } from '../controller/volumes.ts';
import { TOPOLOGY_KEY, canExpand } from '../options.ts';
import { accessTypeOfOne, invalidArgument, required, shown, volumeOf } from '../requests.ts';
import type { PublicationRow, VolumeRow } from '../state/state.ts';

const EPHEMERAL_CONTEXT = 'csi.storage.k8s.io/ephemeral';
const EPHEMERAL_BYTES = 100n * 2n ** 20n;
const PATH_BYTES_MAX = 4_096;
const MULTI: ReadonlySet<number> = new Set([
  Mode.MULTI_NODE_READER_ONLY,
  Mode.MULTI_NODE_SINGLE_WRITER,
  Mode.MULTI_NODE_MULTI_WRITER,
  Mode.SINGLE_NODE_MULTI_WRITER,
  Mode.SINGLE_NODE_WRITER,
  Mode.SINGLE_NODE_READER_ONLY,
]);

function checkPath(path: string, field: string): void {
  required(path, field);
  if (!isAbsolute(path) || path.includes('\0') || Buffer.byteLength(path) > PATH_BYTES_MAX)
    throw invalidArgument(`${field} is ${shown(path)}; it must be an absolute path of at most ${PATH_BYTES_MAX} bytes`);
  if (normalize(path).replace(/\/$/, '') !== path.replace(/\/+$/, '').replaceAll(/\/+/g, '/'))
    throw invalidArgument(`${field} is ${shown(path)}; it must not hold "." or ".."`);
}

function capabilityOf(capability: VolumeCapability | undefined): VolumeCapability {
  if (capability === undefined) throw invalidArgument('volume_capability is missing');
  accessTypeOfOne(capability);
  return capability;
}

function checkAccess(row: VolumeRow, capability: VolumeCapability): void {
  const access = accessTypeOfOne(capability);
  if (row.access !== access) throw invalidArgument(`volume ${row.id} is of access type ${row.access}; it cannot be used as ${access}`);
}

/** Equal for calls that CSI counts as the same. */
function argsOf(capability: VolumeCapability, readonly: boolean): string {
  return JSON.stringify({ access: capability.accessType, mode: capability.accessMode?.mode, readonly });
}

function mountFlags(capability: VolumeCapability): readonly string[] {
  return capability.accessType?.$case === 'mount' ? capability.accessType.value.mountFlags : [];
}

export class NodeVolumes {
  readonly #driver: Driver;

  constructor(driver: Driver) {
    this.#driver = driver;
  }

  #find(volumeId: string, path: string, kind: PublicationRow['kind']): PublicationRow | undefined {
    return this.#driver.state.publications(volumeId).find((row) => row.path === path && row.kind === kind);
  }

  async stage(request: NodeStageVolumeRequest): Promise<void> {
    const capability = capabilityOf(request.volumeCapability);
    const row = volumeOf(this.#driver.state, request.volumeId);
    checkAccess(row, capability);
    if (this.#driver.options['enable-attach'] && row.attached !== 1n)
      throw new CsiError('FAILED_PRECONDITION', `volume ${row.id} is not attached to this node; ControllerPublishVolume comes first`);
    const path = request.stagingTargetPath;
    const args = argsOf(capability, false);
    const staged = this.#driver.state.publications(row.id).find((other) => other.kind === 'staged');
    if (staged !== undefined && staged.path !== path) throw new CsiError('FAILED_PRECONDITION', `volume ${row.id} is staged at ${staged.path} already`);
    if (staged !== undefined && staged.args !== args) throw new CsiError('ALREADY_EXISTS', `volume ${row.id} is staged at ${path} with another capability`);
    // The intent first: what dies before the mount is done is found and unstaged again.
    this.#driver.state.addPublication({ volumeId: row.id, path, kind: 'staged', args });
    const image = this.#driver.layout.volume(row.id, row.backend);
    if (row.backend === 'block') await attachLoop(image, { readOnly: false });
    if (row.backend === 'image' && mountAt(path) === undefined) await this.#mountImage(row, image, path, capability);
  }

  /** Mounts the file system in an image. A copy of an xfs carries its source's identity, which must not matter. */
  async #mountImage(row: VolumeRow, image: string, path: string, capability: VolumeCapability): Promise<void> {
    await mkdir(path, { recursive: true });
    if (loopDevicesOf(image).length === 0) await growUnmounted(row.fsType, image);
    const device = await attachLoop(image, { readOnly: false });
    const flags = [...mountFlags(capability), ...(row.fsType === 'xfs' ? ['nouuid'] : [])];
    await run('mount', ['-t', row.fsType, ...(flags.length === 0 ? [] : ['-o', flags.join(',')]), device, path]);
    if (row.fsType !== 'ext4') await growFileSystem(row.fsType, path, device);
    if (row.source === '') await run('chmod', ['0777', path]);
  }

  async unstage(volumeId: string, path: string): Promise<void> {
    const { state, layout } = this.#driver;
    const row = state.volume(volumeId);
    if (row === undefined) throw new CsiError('NOT_FOUND', `there is no volume ${shown(volumeId)}`);
    const published = state.publications(volumeId).find((other) => other.kind === 'published');
    if (published !== undefined) throw new CsiError('FAILED_PRECONDITION', `volume ${volumeId} is still published at ${published.path}; unpublish it first`);
    if (this.#find(volumeId, path, 'staged') === undefined) return;
    await unmount(path);
    if (row.backend !== 'directory') await detachLoops(layout.volume(volumeId, row.backend));
    state.removePublication(volumeId, path);
  }

  async publish(request: NodePublishVolumeRequest): Promise<void> {
    const capability = capabilityOf(request.volumeCapability);
    const { state, options } = this.#driver;
    const ephemeral = request.volumeContext[EPHEMERAL_CONTEXT] === 'true';
    if (ephemeral) await this.#makeEphemeral(request);
    const row = volumeOf(state, request.volumeId);
    checkAccess(row, capability);
    if (!ephemeral && !options.ephemeral) this.#checkStaged(row, request.stagingTargetPath);
    const target = request.targetPath;
    const args = argsOf(capability, request.readonly);
    const before = this.#find(row.id, target, 'published');
    if (before !== undefined && before.args !== args) throw new CsiError('ALREADY_EXISTS', `volume ${row.id} is published at ${target} with other options`);
    if (before === undefined) this.#checkOthers(row, target, capability);
    state.addPublication({ volumeId: row.id, path: target, kind: 'published', args });
    await this.#bind(row, request, capability);
  }

  #checkStaged(row: VolumeRow, stagingPath: string): void {
    required(stagingPath, 'staging_target_path');
    const staged = this.#driver.state.publications(row.id).find((other) => other.kind === 'staged');
    if (staged === undefined) throw new CsiError('FAILED_PRECONDITION', `volume ${row.id} is not staged; NodeStageVolume comes first`);
    if (staged.path !== stagingPath) throw invalidArgument(`volume ${row.id} is staged at ${staged.path}, not at ${shown(stagingPath)}`);
  }

  #checkOthers(row: VolumeRow, target: string, capability: VolumeCapability): void {
    const others = this.#driver.state.publications(row.id).filter((other) => other.kind === 'published' && other.path !== target);
    if (others.length === 0 || MULTI.has(capability.accessMode?.mode ?? 0)) return;
    throw new CsiError('FAILED_PRECONDITION', `volume ${row.id} is published at ${others[0]?.path ?? ''} already, and its access mode allows one pod only`);
  }

  async #bind(row: VolumeRow, request: NodePublishVolumeRequest, capability: VolumeCapability): Promise<void> {
    const target = request.targetPath;
    if (mountAt(target) !== undefined) return;
    await mkdir(dirname(target), { recursive: true });
    const source = await this.#sourceOf(row, request);
    if (row.backend === 'block') await (await open(target, 'a', 0o660)).close();
    else await mkdir(target, { recursive: true });
    // Flags of a folder's bind mount are the kernel's general ones; those of a file system were given at staging.
    const flags = row.backend === 'directory' ? mountFlags(capability).filter((flag) => /^(no)?(atime|diratime|relatime|suid|dev|exec|sync)$/.test(flag)) : [];
    await bindMount(source, target, { readOnly: request.readonly, flags });
  }

  async #sourceOf(row: VolumeRow, { stagingTargetPath, readonly }: NodePublishVolumeRequest): Promise<string> {
    const path = this.#driver.layout.volume(row.id, row.backend);
    if (row.backend === 'directory') return path;
    // A bind mount for reading does not keep anybody from writing to a device; one attached for reading does.
    if (row.backend === 'block') return attachLoop(path, { readOnly: readonly });
    if (mountAt(stagingTargetPath) === undefined)
      throw new CsiError('FAILED_PRECONDITION', `volume ${row.id} is not mounted at ${stagingTargetPath} any more; NodeStageVolume comes first`);
    return stagingTargetPath;
  }

  async #makeEphemeral(request: NodePublishVolumeRequest): Promise<void> {
    const { state, engine, layout } = this.#driver;
    if (!/^csi-[0-9a-f]{64}$/.test(request.volumeId)) throw invalidArgument(`${shown(request.volumeId)} is no id of an inline volume`);
    if (state.volume(request.volumeId) !== undefined) return;
    const row = {
      id: request.volumeId,
      name: `ephemeral-${request.volumeId}-${randomUUID()}`,
      phase: 'creating' as const,
      access: 'mount' as const,
      backend: 'directory' as const,
      sizeBytes: EPHEMERAL_BYTES,
      source: '',
      parameters: '{}',
      kind: '',
      fsType: '',
      ephemeral: 1n as const,
    };
    state.addVolume(row);
    try {
      await engine.makeFolder(layout.volume(row.id, row.backend));
    } catch (error) {
      state.removeVolume(row.id);
      throw error;
    }
    state.setVolume(row.id, { phase: 'ready' });
  }

  async unpublish(volumeId: string, target: string): Promise<void> {
    const { state } = this.#driver;
    const row = state.volume(volumeId);
    if (row === undefined) throw new CsiError('NOT_FOUND', `there is no volume ${shown(volumeId)}`);
    // Only what this driver put there is taken away.
    if (this.#find(volumeId, target, 'published') !== undefined) {
      await unmount(target);
      await removeTarget(target);
      state.removePublication(volumeId, target);
    }
    // Also one that died between being made and being published.
    if (row.ephemeral === 1n && state.publications(volumeId).length === 0) await removeVolume(this.#driver, row);
  }

  async expand(volumeId: string, path: string): Promise<bigint> {
    const row = volumeOf(this.#driver.state, volumeId);
    if (!this.#driver.state.publications(volumeId).some((other) => other.path === path))
      throw new CsiError('NOT_FOUND', `volume ${volumeId} is neither staged nor published at ${shown(path)}`);
    if (row.backend === 'directory') return row.sizeBytes;
    const image = this.#driver.layout.volume(volumeId, row.backend);
    const [device] = loopDevicesOf(image);
    if (device === undefined) throw new CsiError('FAILED_PRECONDITION', `the image of volume ${volumeId} is attached to no device; stage it first`);
    await run('losetup', ['--set-capacity', device]);
    if (row.backend === 'image') await growFileSystem(row.fsType, path, device);
    return imageSize(image);
  }
}

/** The mount point that publishing made: an empty folder or an empty file, and nothing else. */
async function removeTarget(target: string): Promise<void> {
  const stats = await lstat(target).catch(() => undefined);
  if (stats === undefined) return;
  if (stats.isDirectory()) {
    await rmdir(target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY') throw error;
      throw new CsiError('FAILED_PRECONDITION', `${target} holds files that are not the volume's; they are left alone, move them away`, { cause: error });
    });
  } else if (stats.isFile() && stats.size === 0) await rm(target);
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
