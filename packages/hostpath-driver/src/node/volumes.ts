// Volumes on this node: staged, published, grown, and back. What is mounted is read from the kernel each time; the
// state keeps what a repeated call must agree with.
import {
  CsiError,
  VolumeCapability_AccessMode_Mode as Mode,
  type NodePublishVolumeRequest,
  type NodeStageVolumeRequest,
  type VolumeCapability,
} from '@snapshot-stack/csi';
import { randomUUID } from 'node:crypto';
import { lstat, mkdir, open, rm, rmdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { removeVolume } from '../controller/volumes.ts';
import type { Driver } from '../driver.ts';
import { growFileSystem, growUnmounted, imageSize } from '../files/images.ts';
import { attachLoop, bindMount, detachLoops, loopDevicesOf, mountAt, unmount } from '../files/mounts.ts';
import { run } from '../files/run.ts';
import { accessTypeOfOne, invalidArgument, required, shown, volumeOf } from '../requests.ts';
import type { PublicationRow, VolumeRow } from '../state/state.ts';

const EPHEMERAL_CONTEXT = 'csi.storage.k8s.io/ephemeral';
const EPHEMERAL_BYTES = 100n * 2n ** 20n;
const MULTI: ReadonlySet<number> = new Set([
  Mode.MULTI_NODE_READER_ONLY,
  Mode.MULTI_NODE_SINGLE_WRITER,
  Mode.MULTI_NODE_MULTI_WRITER,
  Mode.SINGLE_NODE_MULTI_WRITER,
  Mode.SINGLE_NODE_WRITER,
  Mode.SINGLE_NODE_READER_ONLY,
]);

/** @throws CsiError INVALID_ARGUMENT when it is missing, or not one of CSI's */
export function capabilityOf(capability: VolumeCapability | undefined): VolumeCapability {
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
    if (row.backend !== 'image') return;
    const mounted = mountAt(path);
    if (mounted === undefined) await this.#mountImage(row, image, path, capability);
    else if (!loopDevicesOf(image).includes(mounted.source))
      throw new CsiError('FAILED_PRECONDITION', `${mounted.source}, which is not volume ${row.id}, is mounted at ${path}; it is left alone, unmount it`);
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
    const source = await this.#sourceOf(row, request);
    if (mountAt(target) !== undefined) {
      if (await isSame(source, target)) return;
      throw new CsiError('FAILED_PRECONDITION', `something that is not volume ${row.id} is mounted at ${target}; it is left alone, unmount it`);
    }
    await mkdir(dirname(target), { recursive: true });
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

/** Whether two paths show the same folder, or the same device. */
async function isSame(a: string, b: string): Promise<boolean> {
  const [left, right] = [await stat(a), await stat(b)];
  return left.isBlockDevice() ? left.rdev === right.rdev && right.isBlockDevice() : left.dev === right.dev && left.ino === right.ino;
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
