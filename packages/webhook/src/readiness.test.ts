import type { KubeObject } from '@snapshot-stack/api-types';
import { describe, expect, it } from 'vitest';
import type { Cached, Freshness } from './observe/cached.ts';
import { readiness, type ReadinessSeen } from './readiness.ts';

function seen(part: Partial<Omit<ReadinessSeen, 'cluster'>>, freshness: Freshness = { kind: 'fresh' }): ReadinessSeen {
  const cached = { plural: 'volumesnapshots', freshness: () => freshness } as Cached<KubeObject>;
  return { isServing: true, isLeaving: false, upMs: 60_000, certificateTrouble: undefined, cluster: { all: [cached] }, ...part };
}

const empty: Freshness = { kind: 'empty', why: 'refused' };

describe('readiness', () => {
  it.each<[string, ReadinessSeen, number, string]>([
    ['is there when all is well', seen({}), 200, 'ok'],
    ['waits for a certificate, and says what keeps it', seen({ isServing: false, certificateTrouble: 'no Secret' }), 503, 'certificate: no Secret'],
    ['ends with the certificate', seen({ certificateTrouble: 'it expired' }), 503, 'it expired'],
    ['ends with the process, before anything else', seen({ isLeaving: true, certificateTrouble: 'it expired' }), 503, 'shutting down'],
    ['waits for caches at first', seen({ upMs: 9_999 }, empty), 503, 'filling the caches of volumesnapshots'],
    ['does without them later', seen({ upMs: 10_000 }, empty), 200, 'nothing is known yet, rules about others of them are not checked (refused)'],
    ['stays when the API server is away', seen({}, { kind: 'stale', forMs: 12_300, why: 'gone' }), 200, 'as they were 12 s ago (gone)'],
  ])('%s', (_name, given, status, text) => {
    const answer = readiness(given);
    expect([answer.status, answer.body]).toEqual([status, expect.stringContaining(text)]);
  });
});
