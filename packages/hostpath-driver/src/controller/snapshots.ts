// CreateSnapshot, DeleteSnapshot and groups of snapshots. The cut is the moment the copy is begun for methods that
// share data, and its end for plain copies; a snapshot shows up in lists only when it is whole.
import { randomUUID } from 'node:crypto';
import { CsiError, type CreateSnapshotRequest, type CreateVolumeGroupSnapshotRequest, type Snapshot, type VolumeGroupSnapshot } from '@snapshot-stack/csi';
import type { Driver } from '../driver.ts';
import { syncFile } from '../files/engine.ts';
import { loopDevicesOf, mountPointOf, whileFrozen } from '../files/mounts.ts';
import { checkName, invalidArgument, required, shown, volumeOf } from '../requests.ts';
import type { GroupRow, SnapshotRow, VolumeRow } from '../state/state.ts';
import { asCsiError } from './volumes.ts';

const NS_PER_MS = 1_000_000n;
const NS_PER_S = 1_000_000_000n;

function timestampOf(ns: bigint): { seconds: bigint; nanos: number } {
  return { seconds: ns / NS_PER_S, nanos: Number(ns % NS_PER_S) };
}

export function toSnapshot(row: SnapshotRow): Snapshot {
  return {
    snapshotId: row.id,
    sourceVolumeId: row.volumeId,
    sizeBytes: row.sizeBytes,
    creationTime: timestampOf(row.createdNs),
    readyToUse: true,
    groupSnapshotId: row.groupId,
  };
}

/**
 * Copies the data of volumes, all at one instant where that can be: file systems in images are frozen together, so
 * that no write to one is in and an earlier one to another is not. What a device's users have not synced is not in.
 */
async function takeFiles(driver: Driver, pairs: readonly { volume: VolumeRow; id: string }[]): Promise<void> {
  const { engine, layout } = driver;
  const jobs = pairs.map(({ volume, id }) => ({ volume, from: layout.volume(volume.id, volume.backend), to: layout.snapshot(id, volume.backend) }));
  const points = jobs.filter(({ volume }) => volume.backend === 'image').map(({ from }) => mountPointOf(from));
  await whileFrozen(
    points.filter((point) => point !== undefined),
    () =>
      allDone(
        jobs.map(async ({ volume, from, to }) => {
          if (volume.backend === 'directory') return engine.copyFolder(from, to, { readOnly: true });
          if (volume.backend === 'block') for (const device of loopDevicesOf(from)) await syncFile(device);
          return engine.copyImage(from, to);
        }),
      ),
  );
}

/** Waits for all, also when one fails, so that nothing is still being written when the failure is cleaned up. */
async function allDone(tasks: readonly Promise<void>[]): Promise<void> {
  const outcomes = await Promise.allSettled(tasks);
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

function newRow(driver: Driver, volume: VolumeRow, name: string, groupId: string): SnapshotRow {
  const { access, backend, fsType, sizeBytes } = volume;
  return {
    id: randomUUID(),
    name,
    phase: 'creating',
    volumeId: volume.id,
    access,
    backend,
    fsType,
    sizeBytes,
    createdNs: BigInt(driver.clock.now()) * NS_PER_MS,
    groupId,
  };
}

async function take(driver: Driver, volume: VolumeRow, name: string): Promise<SnapshotRow> {
  const { state } = driver;
  const existing = state.snapshotByName(name);
  if (existing !== undefined) {
    if (existing.volumeId !== volume.id) throw new CsiError('ALREADY_EXISTS', `a snapshot named ${shown(name)} exists already, of volume ${existing.volumeId}`);
    if (existing.phase === 'ready') return existing;
    throw new CsiError('ABORTED', `a snapshot named ${shown(name)} is still being removed; try again`);
  }
  const row = newRow(driver, volume, name, '');
  state.addSnapshot(row);
  try {
    await takeFiles(driver, [{ volume, id: row.id }]);
    // What is copied file by file is as it was at the end; what is shared, as at the beginning.
    if (driver.engine.method === 'copy') row.createdNs = BigInt(driver.clock.now()) * NS_PER_MS;
    state.setSnapshot(row.id, { phase: 'ready', createdNs: row.createdNs });
  } catch (error) {
    await driver.engine.remove(driver.layout.snapshot(row.id, row.backend));
    state.removeSnapshot(row.id);
    throw asCsiError(error, `the snapshot ${shown(name)} of volume ${volume.id} could not be taken`);
  }
  return { ...row, phase: 'ready' };
}

const PARAMETERS = new Set(['ignoreFailedRead']);

export async function createSnapshot(driver: Driver, request: CreateSnapshotRequest, signal: AbortSignal): Promise<Snapshot> {
  checkName(request.name, 'the snapshot');
  required(request.sourceVolumeId, 'source_volume_id');
  for (const [name, value] of Object.entries(request.parameters)) {
    if (name.startsWith('csi.storage.k8s.io/')) continue;
    if (!PARAMETERS.has(name)) throw invalidArgument(`the snapshot class parameter ${shown(name)} is not known; there is ${[...PARAMETERS].join(', ')}`);
    if (!/^(1|t|T|TRUE|true|True|0|f|F|FALSE|false|False)$/.test(value))
      throw invalidArgument(`the snapshot class parameter ${name} is ${shown(value)}; it must be true or false`);
  }
  const existing = driver.state.snapshotByName(request.name);
  // A snapshot outlives its volume, and so does the answer to a repeated call.
  if (existing?.phase === 'ready' && existing.volumeId === request.sourceVolumeId) return toSnapshot(existing);
  const volume = volumeOf(driver.state, request.sourceVolumeId);
  const row = await driver.operations.run(
    { changes: [`the snapshot name ${request.name}`], relies: [`volume ${volume.id}`], what: `CreateSnapshot ${request.name} ${volume.id}`, signal },
    () => take(driver, volume, request.name),
  );
  return toSnapshot(row);
}

async function removeSnapshot(driver: Driver, row: SnapshotRow): Promise<void> {
  driver.state.setSnapshot(row.id, { phase: 'deleting' });
  await driver.state.durable(); // or a power cut could leave a snapshot that looks whole and has no data
  await driver.engine.remove(driver.layout.snapshot(row.id, row.backend));
  driver.state.removeSnapshot(row.id);
}

export async function deleteSnapshot(driver: Driver, id: string, signal: AbortSignal): Promise<void> {
  required(id, 'snapshot_id');
  const row = driver.state.snapshot(id);
  if (row === undefined) return;
  if (row.groupId !== '') throw invalidArgument(`snapshot ${shown(id)} belongs to the group ${row.groupId}; delete the group`);
  await driver.operations.run({ changes: [`snapshot ${id}`], what: 'DeleteSnapshot', signal }, () =>
    removeSnapshot(driver, row).catch((error: unknown) => Promise.reject(asCsiError(error, `snapshot ${shown(id)} could not be removed`))),
  );
}

/** Finishes what a dead process had begun to remove, and undoes what it had begun to take. */
export async function recoverSnapshots(driver: Driver): Promise<number> {
  const { state } = driver;
  const unfinished = [...state.snapshotsIn('creating'), ...state.snapshotsIn('deleting')];
  for (const row of unfinished) await removeSnapshot(driver, row);
  for (const group of state.groupsNot('ready')) await removeGroup(driver, group);
  return unfinished.length;
}

// ---- Groups: all members or none

export function toGroup(driver: Driver, row: GroupRow): VolumeGroupSnapshot {
  return {
    groupSnapshotId: row.id,
    snapshots: driver.state.snapshotsOfGroup(row.id).map(toSnapshot),
    creationTime: timestampOf(row.createdNs),
    readyToUse: true,
  };
}

async function takeGroup(driver: Driver, name: string, volumes: readonly VolumeRow[]): Promise<GroupRow> {
  const { state } = driver;
  const volumeIds = JSON.stringify(volumes.map((volume) => volume.id));
  const existing = state.groupByName(name);
  if (existing !== undefined) {
    const same = JSON.stringify([...(JSON.parse(existing.volumeIds) as string[])].sort()) === JSON.stringify([...(JSON.parse(volumeIds) as string[])].sort());
    if (!same) throw new CsiError('ALREADY_EXISTS', `a group snapshot named ${shown(name)} exists already, of other volumes`);
    if (existing.phase === 'ready') return existing;
    throw new CsiError('ABORTED', `a group snapshot named ${shown(name)} is still being removed; try again`);
  }
  const group: GroupRow = { id: randomUUID(), name, phase: 'creating', volumeIds, createdNs: BigInt(driver.clock.now()) * NS_PER_MS };
  const rows = volumes.map((volume) => ({ ...newRow(driver, volume, `${group.id}-${volume.id}`, group.id), createdNs: group.createdNs }));
  state.atomically(() => {
    state.addGroup(group);
    for (const row of rows) state.addSnapshot(row);
  });
  try {
    await takeFiles(
      driver,
      volumes.map((volume, index) => ({ volume, id: (rows[index] as SnapshotRow).id })),
    );
    state.atomically(() => {
      for (const row of rows) state.setSnapshot(row.id, { phase: 'ready' });
      state.setGroup(group.id, { phase: 'ready' });
    });
  } catch (error) {
    await removeGroup(driver, group);
    throw asCsiError(error, `the group snapshot ${shown(name)} could not be taken; none of its members is left`);
  }
  return { ...group, phase: 'ready' };
}

async function removeGroup(driver: Driver, group: GroupRow): Promise<void> {
  driver.state.setGroup(group.id, { phase: 'deleting' });
  for (const row of driver.state.snapshotsOfGroup(group.id)) await removeSnapshot(driver, row);
  driver.state.removeGroup(group.id);
}

export async function createGroup(driver: Driver, request: CreateVolumeGroupSnapshotRequest, signal: AbortSignal): Promise<VolumeGroupSnapshot> {
  checkName(request.name, 'the group snapshot');
  if (request.sourceVolumeIds.length === 0) throw invalidArgument('source_volume_ids are missing');
  if (new Set(request.sourceVolumeIds).size !== request.sourceVolumeIds.length) throw invalidArgument('source_volume_ids names a volume twice');
  const volumes = request.sourceVolumeIds.map((id) => volumeOf(driver.state, id));
  const row = await driver.operations.run(
    {
      changes: [`the group name ${request.name}`],
      relies: volumes.map(({ id }) => `volume ${id}`),
      what: `CreateVolumeGroupSnapshot ${request.name} ${request.sourceVolumeIds.join()}`,
      signal,
    },
    () => takeGroup(driver, request.name, volumes),
  );
  return toGroup(driver, row);
}

/** @throws CsiError INVALID_ARGUMENT when the ids are not exactly the group's */
function checkMembers(driver: Driver, group: GroupRow, ids: readonly string[]): void {
  const members = new Set(driver.state.snapshotsOfGroup(group.id).map((row) => row.id));
  if (ids.length !== members.size || !ids.every((id) => members.has(id)))
    throw invalidArgument(`the snapshot_ids are not those of the group ${group.id}, which are ${[...members].join(', ')}`);
}

export function getGroup(driver: Driver, id: string, ids: readonly string[]): VolumeGroupSnapshot {
  required(id, 'group_snapshot_id');
  const group = driver.state.group(id);
  if (group === undefined || group.phase !== 'ready') throw new CsiError('NOT_FOUND', `there is no group snapshot ${shown(id)}`);
  if (ids.length > 0) checkMembers(driver, group, ids);
  return toGroup(driver, group);
}

export async function deleteGroup(driver: Driver, id: string, ids: readonly string[], signal: AbortSignal): Promise<void> {
  required(id, 'group_snapshot_id');
  const group = driver.state.group(id);
  if (group === undefined) return;
  if (group.phase === 'ready' && ids.length > 0) checkMembers(driver, group, ids);
  const members = driver.state.snapshotsOfGroup(id).map((row) => `snapshot ${row.id}`);
  await driver.operations.run({ changes: [`group ${id}`, ...members], what: 'DeleteVolumeGroupSnapshot', signal }, () =>
    removeGroup(driver, group).catch((error: unknown) => Promise.reject(asCsiError(error, `the group snapshot ${shown(id)} could not be removed`))),
  );
}
