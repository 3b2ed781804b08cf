import type { Cluster } from '../cluster.ts';
import { contentNameOf } from '../snapshot/questions.ts';
import type { ClaimSeen } from './decide.ts';

/**
 * Caches only: every hold of a snapshot is in the cache before the hold of its claim is asked for, so that no
 * user of the claim can be missing here.
 */
export function observeClaim(key: string, { claims, snapshots, contents }: Cluster): ClaimSeen {
  const unready = snapshots.cache.byIndex('unreadyByClaim', key).map((snapshot) => {
    const content = contentNameOf(snapshot);
    return { snapshot, contentExists: content !== undefined && contents.cache.get(content) !== undefined };
  });
  return { claim: claims.cache.get(key), unready };
}
