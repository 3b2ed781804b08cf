// Where a volume may be, told to drivers whose volumes are not reachable from everywhere.
// Source: external-provisioner, pkg/controller/topology.go; CSI spec, TopologyRequirement.
import { Annotation, type CsiNode, type Node, type PersistentVolumeClaim, type StorageClass } from '@snapshot-stack/api-types';
import type { Topology, TopologyRequirement } from '@snapshot-stack/csi';

export interface TopologyParts {
  driver: string;
  claim: PersistentVolumeClaim;
  storageClass: StorageClass;
  nodes: readonly Node[];
  csiNodes: readonly CsiNode[];
  strict: boolean;
  immediate: boolean;
}

export type TopologyResult =
  | { kind: 'ok'; requirement: TopologyRequirement | undefined }
  | { kind: 'waiting'; why: string }
  /** The selected node is not there; the scheduler has to choose another. */
  | { kind: 'gone'; node: string };

/** What the driver calls the places of this node; undefined where it is not registered. */
export function keysOf(csiNode: CsiNode | undefined, driver: string): readonly string[] | undefined {
  const keys = csiNode?.spec.drivers.find(({ name }) => name === driver)?.topologyKeys;
  return keys === undefined || keys.length === 0 ? undefined : keys;
}

/** The node's place, or undefined where its labels do not tell it. */
export function placeOf(node: Node, keys: readonly string[]): Topology | undefined {
  const labels = node.metadata.labels ?? {};
  const segments = Object.fromEntries(keys.flatMap((key) => (labels[key] === undefined ? [] : [[key, labels[key]]])));
  return Object.keys(segments).length === keys.length ? { segments } : undefined;
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

const sortedSegments = ({ segments }: Topology): [string, string][] => Object.entries(segments).sort(([a], [b]) => compareTexts(a, b));

/** Shorter ones first, then by keys and values: the order that upstream's rotation begins from. */
function compare(left: Topology, right: Topology): number {
  const [a, b] = [sortedSegments(left), sortedSegments(right)];
  if (a.length !== b.length) return a.length - b.length;
  for (const [index, [key, value]] of a.entries()) {
    const [otherKey = '', otherValue = ''] = b[index] ?? [];
    const order = compareTexts(key, otherKey) || compareTexts(value, otherValue);
    if (order !== 0) return order;
  }
  return 0;
}

/** Sorted, and each once. */
export function distinct(places: readonly Topology[]): Topology[] {
  const sorted = [...places].sort(compare);
  return sorted.filter((place, index) => index === 0 || compare(place, sorted[index - 1] as Topology) !== 0);
}

/** Whether all that `wide` says is true of `narrow`: a zone covers its nodes. */
export function covers(wide: Topology, narrow: Topology): boolean {
  return Object.entries(wide.segments).every(([key, value]) => narrow.segments[key] === value);
}

/** Each combination of the values that the class allows. */
export function allowedPlaces({ allowedTopologies = [] }: StorageClass): Topology[] {
  return allowedTopologies.flatMap(({ matchLabelExpressions = [] }) => {
    let places: Topology[] = matchLabelExpressions.length === 0 ? [] : [{ segments: {} }];
    for (const { key, values } of matchLabelExpressions)
      places = places.flatMap(({ segments }) => values.map((value) => ({ segments: { ...segments, [key]: value } })));
    return places;
  });
}

/** FNV-1, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = (Math.imul(value, 0x01000193) ^ byte) >>> 0;
  return value;
}

/**
 * Where the rotation of a claim that is bound at once begins: the same for all claims of one StatefulSet's pod, and one
 * further for the next pod. `data-web-2` counts as claim data, StatefulSet web, pod 2.
 */
export function spreadOf(claimName: string): number {
  const [, rest = '', index = ''] = /^(.*)-(\d+)$/.exec(claimName) ?? [];
  if (index === '' || Number(index) > 0xffff_ffff) return hash(claimName);
  return (hash(rest.slice(rest.lastIndexOf('-') + 1)) + Number(index)) >>> 0;
}

function rotated(places: readonly Topology[], start: number): Topology[] {
  const at = places.length === 0 ? 0 : start % places.length;
  return [...places.slice(at), ...places.slice(0, at)];
}

const none: TopologyResult = { kind: 'ok', requirement: undefined };
const waiting = (why: string): TopologyResult => ({ kind: 'waiting', why });

function immediately({ claim, storageClass, nodes, csiNodes, driver, immediate }: TopologyParts): TopologyResult {
  const allowed = allowedPlaces(storageClass);
  if (allowed.length === 0 && !immediate) return none;
  const byName = [...csiNodes].sort((a, b) => compareTexts(a.metadata.name ?? '', b.metadata.name ?? ''));
  const keys = byName.map((csiNode) => keysOf(csiNode, driver)).find((found) => found !== undefined) ?? [];
  const everywhere = keys.length === 0 ? [] : nodes.flatMap((node) => placeOf(node, keys) ?? []);
  const requisite = distinct(allowed.length > 0 ? allowed : everywhere);
  if (requisite.length === 0) return none;
  return { kind: 'ok', requirement: { requisite, preferred: rotated(requisite, spreadOf(claim.metadata.name ?? '')) } };
}

function onNode(selected: string, { storageClass, nodes, csiNodes, driver, strict }: TopologyParts): TopologyResult {
  const node = nodes.find(({ metadata }) => metadata.name === selected);
  if (node === undefined) return { kind: 'gone', node: selected };
  const csiNode = csiNodes.find(({ metadata }) => metadata.name === selected);
  const keys = keysOf(csiNode, driver);
  if (keys === undefined) return waiting(`waiting for node ${selected} to run the driver ${driver} (its CSINode does not list it, or without topology)`);
  const own = placeOf(node, keys);
  if (own === undefined) return waiting(`waiting for node ${selected} to have the labels ${keys.join(', ')}, which tell where volumes of ${driver} are`);
  const allowed = allowedPlaces(storageClass);
  if (allowed.length > 0 && !allowed.some((place) => covers(place, own)))
    return waiting(`the class ${storageClass.metadata.name ?? ''} does not allow the topology of node ${selected}`);
  if (strict) return { kind: 'ok', requirement: { requisite: [own], preferred: [own] } };
  const requisite = distinct(allowed.length > 0 ? allowed : nodes.flatMap((one) => placeOf(one, keys) ?? []));
  const start = requisite.findIndex((place) => covers(place, own));
  return { kind: 'ok', requirement: { requisite, preferred: rotated(requisite, start) } };
}

export function topologyFor(parts: TopologyParts): TopologyResult {
  const selected = parts.claim.metadata.annotations?.[Annotation.selectedNode] ?? '';
  return selected === '' ? immediately(parts) : onNode(selected, parts);
}
