// Which CSIStorageCapacity objects there should be, and what to do about one of them. Pure.
// Source: https://kubernetes.io/docs/concepts/storage/storage-capacity/; external-provisioner, pkg/capacity.
import { createHash } from 'node:crypto';
import { bytesOf, type CsiNode, type Node, type OwnerReference, type StorageClass } from '@snapshot-stack/api-types';
import { distinct, keysOf, placeOf } from '../claim/topology.ts';
import type { CsiStorageCapacity } from '../kinds.ts';

/** A class at a place: what one object tells the room of. */
export interface Spot {
  className: string;
  segments: Readonly<Record<string, string>>;
}

export interface SeenPlaces {
  driver: string;
  classes: readonly StorageClass[];
  /** The places where volumes can be; one without segments for a driver that is reached from everywhere. */
  places: readonly Spot['segments'][];
  /** Also for classes whose claims are bound without the scheduler. */
  forImmediate: boolean;
}

export function placesOf(driver: string, nodes: readonly Node[], csiNodes: readonly CsiNode[]): Spot['segments'][] {
  const byName = new Map(csiNodes.map((csiNode) => [csiNode.metadata.name, csiNode]));
  const places = nodes.flatMap((node) => placeOf(node, keysOf(byName.get(node.metadata.name), driver) ?? []) ?? []);
  return distinct(places.filter(({ segments }) => Object.keys(segments).length > 0)).map(({ segments }) => segments);
}

export function spotsOf({ driver, classes, places, forImmediate }: SeenPlaces): Spot[] {
  const ours = classes.filter(({ provisioner, volumeBindingMode }) => provisioner === driver && (forImmediate || volumeBindingMode === 'WaitForFirstConsumer'));
  return ours.flatMap(({ metadata }) => places.map((segments) => ({ className: metadata.name ?? '', segments })));
}

/** The same text for the same spot, whatever order its segments are in. */
export function keyOfSpot({ className, segments }: Spot): string {
  return JSON.stringify([className, ...Object.entries(segments).sort(([a], [b]) => (a < b ? -1 : 1))]);
}

export function spotOfKey(key: string): Spot {
  const [className, ...segments] = JSON.parse(key) as [string, ...[string, string][]];
  return { className, segments: Object.fromEntries(segments) };
}

export function spotOf({ storageClassName, nodeTopology }: CsiStorageCapacity): Spot {
  return { className: storageClassName, segments: nodeTopology?.matchLabels ?? {} };
}

/** Derived, so that making an object twice collides instead of doubling. */
export function nameOf(spot: Spot, managedBy: string): string {
  return `csisc-${createHash('sha256')
    .update(`${managedBy}\n${keyOfSpot(spot)}`)
    .digest('hex')
    .slice(0, 16)}`;
}

export interface Room {
  availableBytes: bigint;
  /** The largest single volume, where the driver says. */
  largestBytes: bigint | undefined;
}

/** Whether the object tells this already: the spelling of sizes does not count. */
export function tells(object: CsiStorageCapacity, { availableBytes, largestBytes }: Room, owners: readonly OwnerReference[]): boolean {
  const same = (text: string | undefined, bytes: bigint | undefined): boolean => (text === undefined ? bytes === undefined : bytesOf(text) === bytes);
  const owned = object.metadata.ownerReferences ?? [];
  return (
    same(object.capacity, availableBytes) &&
    same(object.maximumVolumeSize, largestBytes) &&
    owned.length === owners.length &&
    owners.every(({ uid }) => owned.some((one) => one.uid === uid))
  );
}
