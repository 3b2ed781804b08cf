// A class is for a CSI driver; where no such driver is registered, the name may be a slip of the pen. It may also be a
// driver that is installed next, or one without a CSIDriver object: hence a warning.
// Source: https://kubernetes-csi.github.io/docs/csi-driver-object.html
import type { VolumeSnapshotClass } from '@snapshot-stack/api-types';
import type { Finding } from '../review/verdict.ts';
import { crossRule, type CrossRule } from './rule.ts';

const NAME = 'known-driver';

export interface DriverSeen {
  readonly driver: string;
  /** undefined when it is not known. */
  readonly exists: boolean | undefined;
}

export function decideDriver({ driver, exists }: DriverSeen): Finding[] {
  if (exists !== false) return [];
  return [{ kind: 'warn', rule: NAME, text: `driver: there is no CSIDriver ${driver}; snapshots of this class wait until that driver is installed` }];
}

export const knownDriver: CrossRule = crossRule<VolumeSnapshotClass, DriverSeen>({
  name: NAME,
  kinds: ['snapshot.storage.k8s.io/VolumeSnapshotClass', 'groupsnapshot.storage.k8s.io/VolumeGroupSnapshotClass'],
  concerns: ({ object, old }) => object.driver !== old?.driver,
  observe: ({ object: { driver } }, look) => ({ driver, exists: look.hasDriver(driver) }),
  decide: decideDriver,
});
