// Whether a node is one that a volume can be used on, or a pod wants. Pure.
import type { NodeSelectorTerm, PersistentVolume, Pod } from '@snapshot-stack/api-types';

type Labels = Readonly<Record<string, string>>;

/** True when the volume has no node affinity, or one of its terms holds for the node. */
export function nodeFits(volume: PersistentVolume, labels: Labels): boolean {
  const terms = volume.spec.nodeAffinity?.required?.nodeSelectorTerms;
  return terms === undefined || terms.some((term) => holds(term, labels));
}

export function podFits(pod: Pod, labels: Labels): boolean {
  return Object.entries(pod.spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value);
}

function holds(term: NodeSelectorTerm, labels: Labels): boolean {
  const expressions = term.matchExpressions ?? [];
  return expressions.length > 0 && expressions.every(({ key, operator, values = [] }) => expressionHolds(labels[key], operator, values));
}

function expressionHolds(value: string | undefined, operator: string, values: readonly string[]): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return value !== undefined && Number(value) > Number(values[0]);
    case 'Lt':
      return value !== undefined && Number(value) < Number(values[0]);
    default:
      return false;
  }
}
