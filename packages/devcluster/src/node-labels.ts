// Whether a node is one that a pod wants. Pure.
import type { Pod } from '@snapshot-stack/api-types';

export function podFits(pod: Pod, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(pod.spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value);
}
