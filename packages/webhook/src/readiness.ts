// What /readyz says. Ready means: reviews get an answer here. With an API server that is away they do, from the caches;
// being unready then would only take the rules away that need no cluster at all.
import type { HttpAnswer } from '@snapshot-stack/runtime';
import type { Cluster } from './observe/cluster.ts';

export interface ReadinessSeen {
  readonly isServing: boolean;
  readonly isLeaving: boolean;
  /** Since the process started. */
  readonly upMs: number;
  /** Of the certificate; undefined when all is well. */
  readonly certificateTrouble: string | undefined;
  readonly cluster: Pick<Cluster, 'all'>;
}

/** So long a fresh process may take to fill its caches before it serves without them. */
const SYNC_GRACE_MS = 10_000;

export function readiness({ isServing, isLeaving, upMs, certificateTrouble, cluster }: ReadinessSeen): HttpAnswer {
  const no = (why: string): HttpAnswer => ({ status: 503, body: `not ready: ${why}\n` });
  if (isLeaving) return no('shutting down');
  if (!isServing) return no(`waiting for a serving certificate${certificateTrouble === undefined ? '' : `: ${certificateTrouble}`}`);
  if (certificateTrouble !== undefined) return no(certificateTrouble);
  const notes = cluster.all.map((cached) => ({ plural: cached.plural, freshness: cached.freshness() }));
  const empty = notes.filter(({ freshness }) => freshness.kind === 'empty').map(({ plural }) => plural);
  if (empty.length > 0 && upMs < SYNC_GRACE_MS) return no(`filling the caches of ${empty.join(', ')}`);
  const lines = notes.flatMap(({ plural, freshness }) => {
    if (freshness.kind === 'empty') return [`${plural}: nothing is known yet, rules about others of them are not checked (${freshness.why})`];
    if (freshness.kind === 'stale') return [`${plural}: as they were ${Math.round(freshness.forMs / 1_000)} s ago (${freshness.why})`];
    return [];
  });
  return { status: 200, body: ['ok', ...lines].join('\n') };
}
