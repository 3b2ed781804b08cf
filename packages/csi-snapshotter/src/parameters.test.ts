import { aClass, aContent } from '@snapshot-stack/snapshot-controller/testing';
import { describe, expect, test } from 'vitest';
import { driverParameters, snapshotNameFor } from './parameters.ts';

describe('driverParameters', () => {
  test('leaves out what the sidecar consumes', () => {
    const parameters = { tier: 'gold', 'csi.storage.k8s.io/snapshotter-secret-name': 'a', 'csi.storage.k8s.io/group-snapshotter-get-secret-namespace': 'b' };
    expect(driverParameters(aClass({ parameters }), aContent(), false)).toEqual({ tier: 'gold' });
  });

  test('refuses a reserved parameter that nobody knows', () => {
    expect(() => driverParameters(aClass({ parameters: { 'csi.storage.k8s.io/typo': 'x' } }), aContent(), false)).toThrow('csi.storage.k8s.io/typo');
  });

  test('adds the names of the objects where asked to', () => {
    expect(driverParameters(undefined, aContent({ name: 'c' }), true)).toEqual({
      'csi.storage.k8s.io/volumesnapshot/name': 'snap',
      'csi.storage.k8s.io/volumesnapshot/namespace': 'ns',
      'csi.storage.k8s.io/volumesnapshotcontent/name': 'c',
    });
  });
});

describe('snapshotNameFor', () => {
  test('is prefix and uid', () => {
    expect(snapshotNameFor(aContent(), { prefix: 'snapshot', uuidLength: -1 })).toBe('snapshot-11111111-1111-4111-8111-111111111111');
  });

  test('is cut to the length asked for, without dashes', () => {
    expect(snapshotNameFor(aContent(), { prefix: 's', uuidLength: 10 })).toBe('s-1111111111');
  });
});
