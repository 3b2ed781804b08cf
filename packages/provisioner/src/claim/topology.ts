// Where a volume may be, told to drivers whose volumes are not reachable from everywhere.
// Source: external-provisioner, "Topology support"; CSI spec, TopologyRequirement.
import type { CsiNode, Node, PersistentVolumeClaim, StorageClass } from '@snapshot-stack/api-types';
import { Annotation } from '@snapshot-stack/api-types';
import type { Topology, TopologyRequirement } from '@snapshot-stack/csi';

export interface TopologyParts {
  driver: string;
  claim: PersistentVolumeClaim;
  storageClass: StorageClass;
  nodes: readonly Node[];
  csiNodeOf: (name: string) => CsiNode | undefined;
  strict: boolean;
  immediate: boolean;
}

export type TopologyResult =
  | { kind: 'ok'; requirement: TopologyRequirement | undefined }
  | { kind: 'waiting'; why: string }
  /** The selected node is not there; the scheduler has to choose another. */
  | { kind: 'gone'; node: string };

function termOf(node: Node | undefined, csiNode: CsiNode | undefined, driver: string): Topology | undefined {
  const keys = csiNode?.spec.drivers.find((entry) => entry.name === driver)?.topologyKeys;
  if (keys === undefined) return undefined;
  const labels = node?.metadata.labels ?? {};
  const segments = Object.fromEntries(keys.flatMap((key) => (labels[key] === undefined ? [] : [[key, labels[key]]])));
  return Object.keys(segments).length === keys.length ? { segments } : undefined;
}

function textOf(topology: Topology): string {
  return JSON.stringify(Object.entries(topology.segments).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function distinct(terms: readonly Topology[]): Topology[] {
  const byText = new Map(terms.map((term) => [textOf(term), term]));
  return [...byText.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, term]) => term);
}

function allowedBy(storageClass: StorageClass, terms: readonly Topology[]): Topology[] {
  const allowed = storageClass.allowedTopologies;
  if (allowed === undefined || allowed.length === 0) return [...terms];
  return terms.filter(({ segments }) =>
    allowed.some(({ matchLabelExpressions = [] }) => matchLabelExpressions.every(({ key, values }) => values.includes(segments[key] ?? ''))),
  );
}

/** FNV-1, 32 bits: spreads claims over the topology by their names, the same way each time. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = (Math.imul(value, 0x01000193) ^ byte) >>> 0;
  return value;
}

function rotated(terms: readonly Topology[], start: number): Topology[] {
  const at = terms.length === 0 ? 0 : start % terms.length;
  return [...terms.slice(at), ...terms.slice(0, at)];
}

export function topologyFor(parts: TopologyParts): TopologyResult {
  const { driver, claim, storageClass, nodes, csiNodeOf } = parts;
  const selected = claim.metadata.annotations?.[Annotation.selectedNode];
  const known = nodes.flatMap((node) => termOf(node, csiNodeOf(node.metadata.name ?? ''), driver) ?? []);
  const all = allowedBy(storageClass, distinct(known));
  if (selected === undefined || selected === '') {
    if (!parts.immediate || all.length === 0) return { kind: 'ok', requirement: undefined };
    return { kind: 'ok', requirement: { requisite: all, preferred: rotated(all, hash(claim.metadata.name ?? '')) } };
  }
  const node = nodes.find(({ metadata }) => metadata.name === selected);
  if (node === undefined) return { kind: 'gone', node: selected };
  const own = termOf(node, csiNodeOf(selected), driver);
  if (own === undefined) return { kind: 'waiting', why: `waiting for node ${selected} to run the driver ${driver} (its CSINode does not list it)` };
  if (parts.strict) return { kind: 'ok', requirement: { requisite: [own], preferred: [own] } };
  const start = all.findIndex((term) => textOf(term) === textOf(own));
  if (start < 0) return { kind: 'waiting', why: `the class ${storageClass.metadata.name ?? ''} does not allow the topology of node ${selected}` };
  return { kind: 'ok', requirement: { requisite: all, preferred: rotated(all, start) } };
}
