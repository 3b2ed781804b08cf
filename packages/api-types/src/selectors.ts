// Selectors as predicates: of labels, and of the nodes that a volume can be reached from.
// Source: k8s.io/apimachinery metav1.LabelSelector; k8s.io/component-helpers scheduling/corev1/nodeaffinity.
import type { NodeSelectorTerm, PersistentVolume } from './core.ts';

export type Labels = Readonly<Record<string, unknown>>;

/** One expression of a selector; `operator` comes from outside, so that it may be anything. */
export interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly unknown[];
}

export interface LabelSelectorLike {
  readonly matchLabels?: Labels;
  readonly matchExpressions?: readonly Requirement[];
}

export interface NodeLike {
  readonly name?: string | undefined;
  readonly labels: Labels;
}

/** Whether a label's value, undefined where there is none, is as required. An unknown operator holds for nothing. */
function meets(value: unknown, { operator, values = [] }: Requirement): boolean {
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

function labelOf(labels: Labels, key: string): unknown {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

/** An empty selector matches everything. */
export function matchesLabels({ matchLabels = {}, matchExpressions = [] }: LabelSelectorLike, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labelOf(labels, key) === value) &&
    matchExpressions.every((requirement) => meets(labelOf(labels, requirement.key), requirement))
  );
}

/** An empty term matches nothing. Source: Kubernetes API reference, NodeSelectorTerm. */
export function termAllows({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, { name, labels }: NodeLike): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  return (
    matchExpressions.every((requirement) => meets(labelOf(labels, requirement.key), requirement)) &&
    matchFields.every((requirement) => meets(requirement.key === 'metadata.name' ? name : undefined, requirement))
  );
}

/** Whether the volume can be used on the node. One without affinity can be used everywhere. */
export function isReachableFrom({ spec }: PersistentVolume, node: NodeLike): boolean {
  const terms = spec.nodeAffinity?.required?.nodeSelectorTerms;
  return terms === undefined || terms.some((term) => termAllows(term, node));
}
