// Whether a volume can be reached from a node that has these labels.
// Source: k8s.io/component-helpers, scheduling/corev1/nodeaffinity.
import type { NodeSelectorTerm, PersistentVolume } from '@snapshot-stack/api-types';

type Labels = Readonly<Record<string, string>>;
type Expression = NonNullable<NodeSelectorTerm['matchExpressions']>[number];

function holds({ key, operator, values = [] }: Expression, labels: Labels): boolean {
  const value = labels[key];
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

/** A volume without affinity is reachable from everywhere; a term without expressions, as with all node selectors, from nowhere. */
export function isReachable({ spec }: PersistentVolume, labels: Labels): boolean {
  const terms = spec.nodeAffinity?.required?.nodeSelectorTerms;
  if (terms === undefined) return true;
  return terms.some(
    ({ matchExpressions = [], matchFields = [] }) =>
      matchExpressions.length > 0 && matchFields.length === 0 && matchExpressions.every((expression) => holds(expression, labels)),
  );
}
