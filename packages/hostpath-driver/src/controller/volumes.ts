// CreateVolume and DeleteVolume. A volume is an intent in the state first, then files, then ready; a call that is
// repeated finds the same volume by its name, whatever died in between.
import { randomUUID } from 'node:crypto';
import { CsiError, type CreateVolumeRequest, type Volume, type VolumeContentSource } from '@snapshot-stack/csi';
import type { Driver } from '../driver.ts';
import { fileSystemIn, growImage, isFileSystem, makeFileSystem, makeImage, renewIdentity } from '../files/images.ts';
import { detachLoops } from '../files/mounts.ts';
import { CommandError } from '../files/run.ts';
import { TOPOLOGY_KEY } from '../options.ts';
import { accessTypeOf, checkName, invalidArgument, required, shown } from '../requests.ts';
import type { AccessType, Backend, VolumeRow } from '../state/state.ts';

const DEFAULT_BYTES = 2n ** 30n;
const BLOCK_BYTES = 4_096n;
const SECTOR_BYTES = 512n;
// Of xfs and btrfs: below, their own tools refuse to make or to grow them.
const FS_MIN_BYTES: Record<string, bigint> = { ext4: 2n ** 20n, xfs: 300n * 2n ** 20n, btrfs: 256n * 2n ** 20n };
const KIND_PARAMETER = 'kind';
const BACKEND_PARAMETER = 'volumeBackend';

/** What a new volume is to be, decided from the request alone. */
interface Wanted {
  access: AccessType;
  backend: Backend;
  fsType: string;
  sizeBytes: bigint;
  limitBytes: bigint;
  source: string;
  kind: string;
  parameters: string;
}

/** Where the data of a new volume comes from. */
interface Origin {
  path: string;
  backend: Backend;
  access: AccessType;
  fsType: string;
  sizeBytes: bigint;
}

/** A Go client writes a map in another order each time: sorted, equal maps are equal texts. */
function canonical(map: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1))));
}

function sourceText(source: VolumeContentSource | undefined): string {
  switch (source?.type?.$case) {
    case 'snapshot':
      return `snapshot:${source.type.value.snapshotId}`;
    case 'volume':
      return `volume:${source.type.value.volumeId}`;
    default:
      return '';
  }
}

function backendOf(access: AccessType, parameters: Readonly<Record<string, string>>): Backend {
  if (access === 'block') return 'block';
  const backend = parameters[BACKEND_PARAMETER] ?? 'directory';
  if (backend !== 'directory' && backend !== 'image')
    throw invalidArgument(`the class parameter ${BACKEND_PARAMETER} is ${shown(backend)}; use directory or image`);
  return backend;
}

/** The size in bytes: as asked for, and whole blocks for a device. @throws CsiError OUT_OF_RANGE */
export function sizeOf(requiredBytes: bigint, limitBytes: bigint, backend: Backend): bigint {
  const asked = requiredBytes > 0n ? requiredBytes : limitBytes > 0n ? limitBytes : DEFAULT_BYTES;
  if (backend === 'directory') return asked;
  for (const block of [BLOCK_BYTES, SECTOR_BYTES]) {
    const up = ((asked + block - 1n) / block) * block;
    if (limitBytes === 0n || up <= limitBytes) return up;
    const down = up - block;
    if (requiredBytes === 0n && down > 0n) return down;
  }
  throw new CsiError(
    'OUT_OF_RANGE',
    `a device has whole sectors of ${SECTOR_BYTES} bytes; none of these sizes is between ${requiredBytes} and ${limitBytes} bytes`,
  );
}

function wantedOf(driver: Driver, request: CreateVolumeRequest): Wanted {
  checkName(request.name, 'the volume');
  const access = accessTypeOf(request.volumeCapabilities);
  const { requiredBytes = 0n, limitBytes = 0n } = request.capacityRange ?? {};
  if (requiredBytes < 0n || limitBytes < 0n) throw invalidArgument('a capacity may not be negative');
  if (limitBytes > 0n && requiredBytes > limitBytes) throw invalidArgument(`required_bytes (${requiredBytes}) exceeds limit_bytes (${limitBytes})`);
  const backend = backendOf(access, request.parameters);
  const sizeBytes = sizeOf(requiredBytes, limitBytes, backend);
  if (sizeBytes > driver.maxVolumeBytes)
    throw new CsiError('OUT_OF_RANGE', `${sizeBytes} bytes are more than the largest volume, ${driver.maxVolumeBytes} bytes (--max-volume-size)`);
  const asked = request.volumeCapabilities[0]?.accessType;
  const fsType = asked?.$case === 'mount' && asked.value.fsType !== '' ? asked.value.fsType : 'ext4';
  if (backend === 'image' && !isFileSystem(fsType)) throw invalidArgument(`the file system ${shown(fsType)} is not supported; use ext4, xfs or btrfs`);
  const kind = request.parameters[KIND_PARAMETER] ?? '';
  if (kind !== '' && !driver.capacity.has(kind))
    throw invalidArgument(`the class asks for storage of kind ${shown(kind)}; --capacity knows ${[...driver.capacity.keys()].join(', ') || 'none'}`);
  return {
    access,
    backend,
    fsType: backend === 'image' ? fsType : '',
    sizeBytes,
    limitBytes,
    source: sourceText(request.volumeContentSource),
    kind,
    parameters: canonical(request.parameters),
  };
}

/** @throws CsiError ALREADY_EXISTS naming what differs */
function checkSame(row: VolumeRow, wanted: Wanted, request: CreateVolumeRequest): void {
  const taken = (what: string): CsiError => new CsiError('ALREADY_EXISTS', `a volume named ${shown(row.name)} exists already, with another ${what}`);
  const { requiredBytes = 0n, limitBytes = 0n } = request.capacityRange ?? {};
  if (row.sizeBytes < requiredBytes || (limitBytes > 0n && row.sizeBytes > limitBytes)) throw taken(`size (${row.sizeBytes} bytes)`);
  if (row.access !== wanted.access) throw taken('access type');
  if (row.source !== wanted.source) throw taken('source');
  if (row.parameters !== wanted.parameters) throw taken('set of parameters');
}

function originOf(driver: Driver, source: string): Origin | undefined {
  const [what, id = ''] = source.split(/:(.*)/s);
  if (what === 'snapshot') {
    const row = driver.state.snapshot(id);
    if (row === undefined || row.phase !== 'ready') throw new CsiError('NOT_FOUND', `there is no snapshot ${shown(id)} to restore from`);
    return { ...row, path: driver.layout.snapshot(row.id, row.backend) };
  }
  if (what === 'volume') {
    const row = driver.state.volume(id);
    if (row === undefined || row.phase !== 'ready') throw new CsiError('NOT_FOUND', `there is no volume ${shown(id)} to clone`);
    return { ...row, path: driver.layout.volume(row.id, row.backend) };
  }
  return undefined;
}

/**
 * The backend of a volume that is filled from an origin. Images carry their file system as bytes, so they can
 * become block volumes and the other way round; a folder's files cannot become a device's bytes.
 */
function reconcile(asked: Wanted, origin: Origin, sizeIsOpen: boolean): Wanted {
  const wanted = sizeIsOpen ? { ...asked, sizeBytes: origin.sizeBytes } : asked;
  const isImage = origin.backend !== 'directory';
  if (!isImage && wanted.backend !== 'directory') {
    throw invalidArgument(
      `the source holds the files of a folder; they cannot become ${wanted.backend === 'block' ? 'a block device' : 'a file system image'}. Restore it as a file system of the directory backend, or use ${BACKEND_PARAMETER}: image for volumes that need both`,
    );
  }
  if (origin.sizeBytes > wanted.sizeBytes) {
    throw new CsiError(
      'OUT_OF_RANGE',
      `the source has ${origin.sizeBytes} bytes, the new volume only ${wanted.sizeBytes}; ask for at least ${origin.sizeBytes} bytes`,
    );
  }
  if (isImage && wanted.access === 'mount') return { ...wanted, backend: 'image', fsType: origin.fsType === '' ? wanted.fsType || 'ext4' : origin.fsType };
  return wanted;
}

/** What a device's bytes hold, when they are to be used as a file system. @throws CsiError INVALID_ARGUMENT */
async function fileSystemOf(origin: Origin): Promise<string> {
  const type = await fileSystemIn(origin.path);
  if (isFileSystem(type)) return type;
  throw invalidArgument(
    `the source is a block device that holds ${type === '' ? 'no file system' : `a ${type}`}; only one with ext4, xfs or btrfs can become a Filesystem volume`,
  );
}

function checkRoom(driver: Driver, wanted: Wanted): void {
  const total = driver.capacity.get(wanted.kind);
  if (total === undefined) return;
  const free = total - driver.state.usedBytes(wanted.kind);
  if (wanted.sizeBytes > free)
    throw new CsiError('RESOURCE_EXHAUSTED', `${wanted.sizeBytes} bytes of kind ${wanted.kind} were asked for, ${free} of ${total} are left`);
}

async function makeFiles(driver: Driver, row: { id: string; backend: Backend; fsType: string; sizeBytes: bigint }, origin: Origin | undefined): Promise<void> {
  const path = driver.layout.volume(row.id, row.backend);
  if (row.backend === 'directory') {
    await (origin === undefined ? driver.engine.makeFolder(path) : driver.engine.copyFolder(origin.path, path, { readOnly: false }));
    return;
  }
  if (origin !== undefined) {
    await driver.engine.copyImage(origin.path, path);
    await growImage(path, row.sizeBytes);
    if (row.backend === 'image') await renewIdentity(path, row.fsType);
    return;
  }
  await makeImage(path, row.sizeBytes);
  if (row.backend === 'image' && isFileSystem(row.fsType)) await makeFileSystem(path, row.fsType);
}

export function asCsiError(error: unknown, what: string): CsiError {
  if (error instanceof CsiError) return error;
  const full =
    (error instanceof CommandError && error.isDiskFull) ||
    (error as NodeJS.ErrnoException).code === 'ENOSPC' ||
    (error as NodeJS.ErrnoException).code === 'EDQUOT';
  const message = error instanceof Error ? error.message : String(error);
  if (full) return new CsiError('RESOURCE_EXHAUSTED', `${what}: the disk is full; nothing was left behind, free space and try again`, { cause: error });
  if (error instanceof CommandError && error.isForbidden)
    return new CsiError(
      'PERMISSION_DENIED',
      `${what}: ${message}; mounts, devices and other users' files need root: run the driver as root, in a pod as privileged`,
      { cause: error },
    );
  if (error instanceof CommandError && error.isMissing)
    return new CsiError('FAILED_PRECONDITION', `${what}: this node lacks a tool that it needs: ${message}`, { cause: error });
  return new CsiError('INTERNAL', `${what}: ${message}`, { cause: error });
}

async function create(driver: Driver, request: CreateVolumeRequest, asked: Wanted): Promise<VolumeRow> {
  const { state } = driver;
  const existing = state.volumeByName(request.name);
  if (existing !== undefined && existing.phase === 'ready') {
    checkSame(existing, asked, request);
    return existing;
  }
  if (existing !== undefined) throw new CsiError('ABORTED', `a volume named ${shown(request.name)} is still being removed; try again`);
  const origin = originOf(driver, asked.source);
  const sizeIsOpen = (request.capacityRange?.requiredBytes ?? 0n) === 0n && (request.capacityRange?.limitBytes ?? 0n) === 0n;
  const wanted = origin === undefined ? asked : { ...reconcile(asked, origin, sizeIsOpen) };
  if (origin === undefined && wanted.backend === 'image' && wanted.sizeBytes < (FS_MIN_BYTES[wanted.fsType] ?? 0n)) {
    throw new CsiError('OUT_OF_RANGE', `${wanted.fsType} needs at least ${FS_MIN_BYTES[wanted.fsType]} bytes, ${wanted.sizeBytes} were asked for`);
  }
  checkRoom(driver, wanted);
  if (origin?.access === 'block' && wanted.access === 'mount') wanted.fsType = await fileSystemOf(origin);
  const { limitBytes: _limit, ...kept } = wanted;
  const row = { ...kept, id: randomUUID(), name: request.name, phase: 'creating' as const, ephemeral: 0n as const };
  state.addVolume(row);
  try {
    await makeFiles(driver, row, origin);
    state.setVolume(row.id, { phase: 'ready' });
  } catch (error) {
    await driver.engine.remove(driver.layout.volume(row.id, row.backend));
    state.removeVolume(row.id);
    throw asCsiError(error, `volume ${shown(request.name)} could not be made`);
  }
  return state.volume(row.id) as VolumeRow;
}

export function createVolume(driver: Driver, request: CreateVolumeRequest, signal: AbortSignal): Promise<VolumeRow> {
  const wanted = wantedOf(driver, request);
  const what = `CreateVolume ${wanted.sizeBytes} ${wanted.access} ${wanted.source} ${wanted.parameters}`;
  const relies = wanted.source === '' ? [] : [wanted.source.replace(':', ' ')]; // `volume <id>` or `snapshot <id>`
  return driver.operations.run({ changes: [`the volume name ${request.name}`], relies, what, signal }, () => create(driver, request, wanted));
}

/** Removes a volume's files and then its row; a repeated call finds nothing and is content. */
export async function removeVolume(driver: Driver, row: VolumeRow): Promise<void> {
  driver.state.setVolume(row.id, { phase: 'deleting' });
  await driver.state.durable(); // or a power cut could leave a volume that looks whole and has no data
  const path = driver.layout.volume(row.id, row.backend);
  if (row.backend !== 'directory') await detachLoops(path);
  await driver.engine.remove(path);
  driver.state.removeVolume(row.id);
}

export async function deleteVolume(driver: Driver, id: string, signal: AbortSignal): Promise<void> {
  required(id, 'volume_id');
  if (driver.state.volume(id) === undefined) return;
  await driver.operations.run({ changes: [`volume ${id}`, `mounts of ${id}`], what: 'DeleteVolume', signal }, async () => {
    const row = driver.state.volume(id);
    if (row === undefined) return;
    const [used] = driver.state.publications(id);
    if (used !== undefined)
      throw new CsiError('FAILED_PRECONDITION', `volume ${shown(id)} is still ${used.kind} at ${used.path}; take it away from there first`);
    await removeVolume(driver, row).catch((error: unknown) => Promise.reject(asCsiError(error, `volume ${shown(id)} could not be removed`)));
  });
}

export function toVolume(driver: Driver, row: VolumeRow): Volume {
  const [what, id = ''] = row.source.split(/:(.*)/s);
  const contentSource: VolumeContentSource | undefined =
    what === 'snapshot'
      ? { type: { $case: 'snapshot', value: { snapshotId: id } } }
      : what === 'volume'
        ? { type: { $case: 'volume', value: { volumeId: id } } }
        : undefined;
  return {
    volumeId: row.id,
    capacityBytes: row.sizeBytes,
    volumeContext: JSON.parse(row.parameters) as Record<string, string>,
    contentSource,
    accessibleTopology: driver.options['enable-topology'] ? [{ segments: { [TOPOLOGY_KEY]: driver.options.nodeid } }] : [],
  };
}
