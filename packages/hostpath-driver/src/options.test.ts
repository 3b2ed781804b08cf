import { describe, expect, test } from 'vitest';
import { flags, parseSize } from './options.ts';

describe('sizes', () => {
  test.each([
    ['0', 0n],
    ['1Ti', 2n ** 40n],
    ['100G', 100_000_000_000n],
    ['9007199254740993', 9_007_199_254_740_993n],
  ])('%s', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  test.each(['', '-1', '1.5Gi', '1 Gi', 'ten'])('%j is none', (text) => expect(() => parseSize(text)).toThrow(/write for example 10Gi/));
});

/** As csi-driver-host-path v1.18.0 has them. */
const UPSTREAM = {
  endpoint: 'unix:///tmp/csi.sock',
  drivername: 'hostpath.csi.k8s.io',
  statedir: '/csi-data-dir',
  nodeid: '',
  ephemeral: false,
  maxvolumespernode: 0,
  'attach-limit': 0,
  'enable-attach': false,
  'max-volume-size': '1Ti',
  'max-volume-size-node': '0',
  'enable-topology': true,
  'enable-volume-expansion': true,
  'node-expand-required': true,
  'disable-controller-expansion': false,
  'disable-node-expansion': false,
  'enable-controller-modify-volume': false,
  'accepted-mutable-parameter-names': [],
  'enable-list-snapshots': true,
  'enable-snapshot-metadata': false,
  'snapshot-metadata-block-type': 'FIXED_LENGTH',
  'check-volume-lifecycle': false,
  'proxy-endpoint': '',
  automaxprocs: false,
};

test("upstream's flags are all there, with its defaults", () => {
  expect(flags.parse([], {})).toMatchObject(UPSTREAM);
});

test('capacity is given by kind, several times', () => {
  expect(flags.parse(['--capacity=slow=10Gi', '--capacity', 'fast=100Gi']).capacity).toEqual({ slow: '10Gi', fast: '100Gi' });
});
