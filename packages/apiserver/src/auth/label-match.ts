// metav1.LabelSelector as a predicate. Source: k8s.io/apimachinery/pkg/apis/meta/v1/helpers.go.

export interface LabelSelectorLike {
  matchLabels?: Readonly<Record<string, string>>;
  matchExpressions?: readonly { key: string; operator: string; values?: readonly string[] }[];
}

export type LabelPredicate = (labels: Readonly<Record<string, string>>) => boolean;

/** An empty selector matches everything. An unknown operator matches nothing. */
export function parseLabelSelector({ matchLabels = {}, matchExpressions = [] }: LabelSelectorLike): LabelPredicate {
  const equal = Object.entries(matchLabels);
  return (labels) => equal.every(([key, value]) => labels[key] === value) && matchExpressions.every((expression) => holds(expression, labels));
}

function holds(
  { key, operator, values = [] }: { key: string; operator: string; values?: readonly string[] },
  labels: Readonly<Record<string, string>>,
): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}
