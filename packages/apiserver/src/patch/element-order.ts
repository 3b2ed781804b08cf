// The order of merged lists: what a patch names stands in the patch's order, the rest keeps its own, and the two
// are interleaved as the server had them. Source: k8s.io/apimachinery/pkg/util/strategicpatch (normalizeElementOrder).
import { isObject } from '../schema/schema.ts';

/** Equality of JSON scalars. */
export function sameScalar(a: unknown, b: unknown): boolean {
  return a === b;
}

/** @param mergeKey '' for lists of scalars */
function isSame(a: unknown, b: unknown, mergeKey: string): boolean {
  if (mergeKey === '') return sameScalar(a, b);
  return isObject(a) && isObject(b) && Object.hasOwn(a, mergeKey) && sameScalar(a[mergeKey], b[mergeKey]);
}

function indexOf(list: readonly unknown[], item: unknown, mergeKey: string): number {
  return list.findIndex((other) => isSame(item, other, mergeKey));
}

/** Splits a list into the items that `named` has, and the others. */
export function partition(list: readonly unknown[], named: readonly unknown[], mergeKey: string): { named: unknown[]; others: unknown[] } {
  const isNamed = list.map((item) => indexOf(named, item, mergeKey) >= 0);
  return { named: list.filter((_item, index) => isNamed[index]), others: list.filter((_item, index) => isNamed[index] !== true) };
}

function sortBy(list: unknown[], order: readonly unknown[], mergeKey: string): unknown[] {
  return list
    .map((item) => ({ item, place: indexOf(order, item, mergeKey) }))
    .sort((a, b) => (a.place < 0 || b.place < 0 ? 0 : a.place - b.place))
    .map(({ item }) => item);
}

/** Lays the server's own items between those of the patch, before the first one that stood behind them. */
function interleave(own: readonly unknown[], named: readonly unknown[], serverOrder: readonly unknown[], mergeKey: string): unknown[] {
  const result: unknown[] = [];
  let next = 0;
  for (const item of named) {
    const place = indexOf(serverOrder, item, mergeKey);
    for (; next < own.length; next++) {
      const before = indexOf(serverOrder, own[next], mergeKey);
      if (place < 0 || before < 0 || before > place) break;
      result.push(own[next]);
    }
    result.push(item);
  }
  return [...result, ...own.slice(next)];
}

/** Orders a merged list by a patch, or by its `$setElementOrder` directive; `original` is the order the server had. */
export function arrangeByPatch(merged: readonly unknown[], patch: readonly unknown[], original: readonly unknown[], mergeKey: string): unknown[] {
  const { named, others } = partition(merged, patch, mergeKey);
  return interleave(sortBy(others, original, mergeKey), sortBy(named, patch, mergeKey), original, mergeKey);
}
