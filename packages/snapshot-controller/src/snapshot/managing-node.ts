// Which node's sidecar handles a volume's snapshots, in distributed mode (--enable-distributed-snapshotting).
import { termAllows, type Node, type PersistentVolume } from '@snapshot-stack/api-types';

export type NodeChoice = { kind: 'anywhere' } | { kind: 'node'; name: string } | { kind: 'none'; problem: string };

// A label's value may have 63 characters; a node's name may have 253.
const LABEL_VALUE_MAX = 63;

/**
 * The first node, by name, that the volume's affinity allows. Volumes without affinity can be handled anywhere.
 * @param candidates nodes to choose from; may be more than match
 */
export function chooseNode(volume: PersistentVolume, candidates: readonly Node[]): NodeChoice {
  const terms = volume.spec.nodeAffinity?.required?.nodeSelectorTerms;
  if (terms === undefined || terms.length === 0) return { kind: 'anywhere' };
  const names = candidates
    .filter(({ metadata: { name, labels = {} } }) => terms.some((term) => termAllows(term, { name, labels })))
    .map((node) => node.metadata.name ?? '')
    .sort();
  const [name] = names;
  if (name === undefined) return { kind: 'none', problem: `no node matches the node affinity of volume "${volume.metadata.name}"` };
  if (name.length > LABEL_VALUE_MAX) return { kind: 'none', problem: `node "${name}" has a name of more than 63 characters, which no label can hold` };
  return { kind: 'node', name };
}

/** `key=value` pairs, one of which every node that the volume's affinity allows has as label; undefined when there are none. */
export function indexedPairs(volume: PersistentVolume): readonly string[] | undefined {
  const terms = volume.spec.nodeAffinity?.required?.nodeSelectorTerms ?? [];
  const pairs = terms.map((term) => term.matchExpressions?.find(({ operator }) => operator === 'In'));
  if (pairs.some((found) => found === undefined)) return undefined;
  return pairs.flatMap((found) => (found?.values ?? []).map((value) => `${found?.key}=${value}`));
}
