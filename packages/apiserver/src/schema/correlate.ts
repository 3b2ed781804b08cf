// Which old value a new one is compared with on update: members by name, items of list maps by their keys, items of
// other lists not at all. Source: k8s.io/apiserver/pkg/cel/common/equality.go (CorrelatedObject).
import { canonical, listMapKey } from './list-types.ts';
import type { Schema } from './schema.ts';

export type OldItem = (item: unknown, index: number) => unknown;

/** The old counterpart of each item of a list; undefined when items of this kind of list have none. */
export function correlate(old: unknown, schema: Schema): OldItem | undefined {
  if (!Array.isArray(old)) return undefined;
  if (schema['x-kubernetes-list-type'] !== 'map') return undefined;
  let byKey: Map<string, unknown> | undefined;
  return (item) => {
    byKey ??= new Map(old.map((one) => [canonical(listMapKey(one, schema)), one]));
    return byKey.get(canonical(listMapKey(item, schema)));
  };
}
