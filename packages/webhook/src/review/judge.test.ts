// Whatever is written, there is a verdict; and what must never be denied is not. The API server cannot be reached here,
// so that this holds at its worst.
import { Annotation, Finalizer, snapshotKinds, type KubeObject } from '@snapshot-stack/api-types';
import { createClient, silentLog, systemClock } from '@snapshot-stack/runtime';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Cluster } from '../observe/cluster.ts';
import { Look } from '../observe/look.ts';
import { crossRules } from '../rules/cross-rules.ts';
import { readAdmissionReview, type Operation } from './admission-review.ts';
import { judge } from './judge.ts';
import type { Verdict } from './verdict.ts';

// The port of the discard service: nobody listens there.
const client = createClient({ server: 'https://127.0.0.1:9', namespace: 'default', tls: {} }, { userAgent: 'test/1' });
const cluster = new Cluster({ client, clock: systemClock, random: Math.random, log: silentLog });
const rules = crossRules({ preventVolumeModeConversion: true });

function verdictOn(operation: Operation, object: object | null, oldObject: object | null, subResource?: string): Promise<Verdict> {
  const { apiVersion = '', kind } = (object ?? oldObject) as KubeObject;
  const [group, version] = apiVersion.split('/');
  const request = { uid: 'u', kind: { group, version, kind }, operation, object, oldObject, subResource, userInfo: { username: 'jane' } };
  return judge(readAdmissionReview({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', request }), rules, new Look(cluster, systemClock, 1_000));
}

const texts = fc.constantFrom('', 'a', 'b', 'Delete', 'Retain', 'true');
const annotations = fc.option(
  fc.dictionary(fc.constantFrom(Annotation.isDefaultClass, Annotation.isDefaultGroupClass, Annotation.beingDeleted, 'x'), texts, { noNullPrototype: true }),
  { nil: undefined },
);
const finalizers = fc.option(fc.subarray<string>(Object.values(Finalizer)), { nil: undefined });
const metadata = fc.record({ annotations, finalizers, labels: fc.dictionary(texts, texts, { noNullPrototype: true }) }, { noNullPrototype: true });
const value = fc.oneof(fc.jsonValue(), texts);
// Members that the kinds have, with values that they should not.
const body = fc.record(
  {
    spec: fc.oneof(
      value,
      fc.record(
        {
          source: fc.oneof(
            value,
            fc.record({ snapshotHandle: value, volumeHandle: value, persistentVolumeClaimName: value }, { requiredKeys: [], noNullPrototype: true }),
          ),
          volumeSnapshotRef: fc.oneof(value, fc.record({ name: value, namespace: value, uid: value }, { requiredKeys: [], noNullPrototype: true })),
          deletionPolicy: value,
          driver: value,
          volumeSnapshotClassName: value,
        },
        { requiredKeys: [], noNullPrototype: true },
      ),
    ),
    driver: value,
    deletionPolicy: value,
    parameters: value,
    status: value,
  },
  { requiredKeys: [], noNullPrototype: true },
);
const kind = fc.constantFrom(...snapshotKinds.flatMap(({ group, kind, versions }) => versions.map(({ name }) => ({ apiVersion: `${group}/${name}`, kind }))));
const withName = (given: object): object => ({ name: 'x', namespace: 'ns', uid: 'u', ...given });

describe('a review', () => {
  it('has a verdict, whatever is in the object', async () => {
    await fc.assert(
      fc.asyncProperty(kind, body, body, metadata, async (type, now, before, meta) => {
        const object = { ...type, ...now, metadata: withName(meta) };
        const old = { ...type, ...before, metadata: withName({}) };
        expect(await verdictOn('CREATE', object, null)).toHaveProperty('denials');
        expect(await verdictOn('UPDATE', object, old)).toHaveProperty('denials');
      }),
      { numRuns: 300 },
    );
  });

  it('never denies a deletion, a status, or letting go of an object, however broken', async () => {
    await fc.assert(
      fc.asyncProperty(kind, body, body, metadata, finalizers, async (type, now, before, meta, rest) => {
        const old = { ...type, ...before, metadata: withName(meta) };
        const writes: [Operation, object | null, object, string?][] = [
          ['DELETE', null, old],
          ['UPDATE', { ...old, ...now }, old, 'status'],
          ['UPDATE', { ...old, metadata: { ...old.metadata, finalizers: rest } }, old],
          ['UPDATE', { ...old, status: now.status }, old],
          // On its way out anything else may change too.
          [
            'UPDATE',
            { ...old, ...now, metadata: { ...old.metadata, finalizers: rest } },
            { ...old, metadata: { ...old.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
          ],
        ];
        for (const write of writes) expect((await verdictOn(...write)).denials).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('denies nobody for a fault that was there before', async () => {
    await fc.assert(
      fc.asyncProperty(kind, body, metadata, async (type, before, meta) => {
        const old = { ...type, ...before, metadata: withName({}) };
        const { denials } = await verdictOn('UPDATE', { ...old, metadata: withName(meta) }, old);
        expect(denials.filter(({ rule }) => rule !== 'one-default-class')).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});
