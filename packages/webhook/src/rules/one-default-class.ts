// A driver may have one default class: with two, snapshots that name no class are refused by the controller.
// Source: external-snapshotter up to v8.1 (the same message); since then only provisioning notices.
import {
  Annotation,
  isBeingDeleted,
  isDefaultGroupSnapshotClass,
  isDefaultSnapshotClass,
  type VolumeGroupSnapshotClass,
  type VolumeSnapshotClass,
} from '@snapshot-stack/api-types';
import type { Finding } from '../review/verdict.ts';
import { crossRule, type CrossRule } from './rule.ts';

const NAME = 'one-default-class';

export interface DefaultsSeen {
  readonly kind: 'VolumeSnapshotClass' | 'VolumeGroupSnapshotClass';
  readonly name: string;
  readonly driver: string;
  /** False when it was the default of this driver before, too. */
  readonly isNew: boolean;
  /** Names of the driver's other default classes. */
  readonly others: readonly string[];
}

export function decideDefaults({ kind, name, driver, isNew, others }: DefaultsSeen): Finding[] {
  const [other] = others;
  if (other === undefined) return [];
  const isGroup = kind === 'VolumeGroupSnapshotClass';
  const annotation = isGroup ? Annotation.isDefaultGroupClass : Annotation.isDefaultClass;
  if (!isNew) {
    const text = `driver ${driver} has several default classes (${[name, ...others].join(', ')}): snapshots that name no class fail until one is left`;
    return [{ kind: 'warn', rule: NAME, text }];
  }
  return [
    {
      kind: 'deny',
      rule: NAME,
      field: `metadata.annotations[${annotation}]`,
      message: `default ${isGroup ? 'group ' : ''}snapshot class: ${other} already exists for driver: ${driver}`,
      remedy: `leave the annotation off, or first take it off the other: kubectl annotate ${kind.toLowerCase()} ${other} ${annotation}-`,
      reason: 'Invalid',
    },
  ];
}

type AnyClass = VolumeSnapshotClass & VolumeGroupSnapshotClass;

function isDefault(snapshotClass: AnyClass, isGroup: boolean): boolean {
  return isGroup ? isDefaultGroupSnapshotClass(snapshotClass) : isDefaultSnapshotClass(snapshotClass);
}

export const oneDefaultClass: CrossRule = crossRule<AnyClass, DefaultsSeen>({
  name: NAME,
  kinds: ['snapshot.storage.k8s.io/VolumeSnapshotClass', 'groupsnapshot.storage.k8s.io/VolumeGroupSnapshotClass'],
  concerns: ({ request, object }) => isDefault(object, request.kind === 'VolumeGroupSnapshotClass'),
  observe: async ({ request, object, old }, look) => {
    const isGroup = request.kind === 'VolumeGroupSnapshotClass';
    const { driver } = object;
    const name = object.metadata.name ?? '';
    const classes = (await (isGroup ? look.groupClasses() : look.classes())) as readonly AnyClass[];
    const rivals = classes.filter((one) => one.driver === driver && one.metadata.name !== name && isDefault(one, isGroup) && !isBeingDeleted(one));
    return {
      kind: isGroup ? 'VolumeGroupSnapshotClass' : 'VolumeSnapshotClass',
      name,
      driver,
      isNew: old === undefined || old.driver !== driver || !isDefault(old, isGroup),
      others: rivals.map(({ metadata }) => metadata.name ?? '').sort(),
    };
  },
  decide: decideDefaults,
});
