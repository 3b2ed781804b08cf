// Ending a namespace: everything in it is deleted, and when nothing is left the namespace is let go.
import type { KubeObject, Namespace } from '@snapshot-stack/api-types';
import { isBeingDeleted } from '@snapshot-stack/api-types';
import type { ServedResource } from '../collector/discovery.ts';
import { act, settled, type Plan } from '../plan.ts';

/** The finalizer in spec.finalizers that every namespace has from its start. */
export const KUBERNETES = 'kubernetes';

export interface Remaining {
  readonly resource: ServedResource;
  readonly objects: readonly KubeObject[];
}

export interface NamespaceSeen {
  readonly namespace: Namespace | undefined;
  /** What is in a namespace that is being deleted; not asked for otherwise. */
  readonly remaining: readonly Remaining[];
}

export type NamespaceAction =
  | { readonly kind: 'delete'; readonly resource: ServedResource; readonly object: KubeObject }
  | { readonly kind: 'report'; readonly namespace: Namespace; readonly message: string }
  | { readonly kind: 'finalize'; readonly namespace: Namespace };

export function decideNamespace({ namespace, remaining }: NamespaceSeen): Plan<NamespaceAction> {
  if (namespace === undefined) return settled('the namespace is gone');
  if (!isBeingDeleted(namespace)) return settled('the namespace lives');
  const left = remaining.filter(({ objects }) => objects.length > 0);
  if (left.length === 0) {
    const held = namespace.spec?.finalizers?.includes(KUBERNETES) ?? false;
    return held ? act('nothing is left in it', { kind: 'finalize', namespace }) : settled('others hold it');
  }
  const message = `Some resources are remaining: ${left.map(describe).join(', ')}`;
  const deletions = left.flatMap(({ resource, objects }) =>
    objects.filter((object) => !isBeingDeleted(object)).map((object): NamespaceAction => ({ kind: 'delete', resource, object })),
  );
  return act(message, ...deletions, { kind: 'report', namespace, message });
}

function describe({ resource, objects }: Remaining): string {
  const name = resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
  return `${name} has ${objects.length} resource instances`;
}
