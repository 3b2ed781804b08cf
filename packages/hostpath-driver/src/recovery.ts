// Before anything is served: what a process that died left undone is undone, what it left frozen is thawed, and
// loop devices are made to match the state. All of it can be interrupted and repeated.
import { recoverSnapshots } from './controller/snapshots.ts';
import { removeVolume } from './controller/volumes.ts';
import type { Driver } from './driver.ts';
import { attachLoop, detachLoops, loopBackings, mountPointOf, thaw } from './files/mounts.ts';

/** Thaws, then attaches what is staged as a device and detaches what belongs to no staged volume. */
async function recoverDevices(driver: Driver): Promise<number> {
  const { state, layout, log } = driver;
  const inUse = new Map(state.imagesInUse().map((row) => [layout.volume(row.id, row.backend), row]));
  let changed = 0;
  for (const image of new Set(loopBackings().values())) {
    if (!image.startsWith(`${layout.volumes}/`) && !image.startsWith(`${layout.snapshots}/`)) continue;
    const point = mountPointOf(image);
    if (point !== undefined) await thaw(point);
    else if (!inUse.has(image)) {
      await detachLoops(image);
      changed++;
    }
  }
  const attached = new Set(loopBackings().values());
  for (const [image, row] of inUse) {
    if (row.backend !== 'block' || attached.has(image)) continue;
    changed++;
    // One device that cannot be had must not keep all other volumes from being served; staging tries again.
    await attachLoop(image, { readOnly: false }).catch((error: unknown) => log.error('a staged device could not be attached', { volume: row.id, error }));
  }
  return changed;
}

/** Brings files and devices in line with the state. */
export async function recover(driver: Driver): Promise<void> {
  const { state, layout, engine, log } = driver;
  const devices = await recoverDevices(driver);
  const volumes = [...state.volumesIn('creating'), ...state.volumesIn('deleting')];
  for (const row of volumes) await removeVolume(driver, row);
  const snapshots = await recoverSnapshots(driver);
  const orphans = layout.orphans(state.allIds());
  for (const path of orphans) await engine.remove(path);
  if (volumes.length + snapshots + orphans.length + devices > 0) {
    log.info('cleaned up after an unfinished run', { volumes: volumes.length, snapshots, orphans: orphans.length, devices });
  }
}
