import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeProtobuf } from './decode.ts';
import { WireError } from './reader.ts';

const varint = (value: number): number[] => (value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(Math.floor(value / 128))]);
const number = (field: number, value: number): Buffer => Buffer.from([...varint(field * 8), ...varint(value)]);
const bytes = (field: number, ...parts: (string | Buffer)[]): Buffer => {
  const body = Buffer.concat(parts.map((part) => Buffer.from(part)));
  return Buffer.concat([Buffer.from([...varint(field * 8 + 2), ...varint(body.length)]), body]);
};
const envelope = (apiVersion: string, kind: string, ...raw: Buffer[]): Buffer =>
  Buffer.concat([Buffer.from('k8s\0'), bytes(1, bytes(1, apiVersion), bytes(2, kind)), bytes(2, ...raw)]);

describe('decodeProtobuf', () => {
  it('reads a ConfigMap as kubectl posts it, without the zero values of Go', () => {
    const metadata = bytes(1, bytes(1, 'cm'), bytes(2, ''), bytes(3, 'ns'), bytes(8, ''), bytes(11, bytes(1, 'k'), bytes(2, 'v')));
    const body = envelope('v1', 'ConfigMap', metadata, bytes(2, bytes(1, 'a'), bytes(2, 'b')), bytes(3, bytes(1, 'bin'), bytes(2, Buffer.from([1, 2]))));
    expect(decodeProtobuf(body).object).toEqual({
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { name: 'cm', namespace: 'ns', labels: { k: 'v' } },
      data: { a: 'b' },
      binaryData: { bin: 'AQI=' },
    });
  });

  it('reads times, quantities, inlined sources and pointers that hold zero', () => {
    const spec = bytes(
      2,
      bytes(1, bytes(1, 'storage'), bytes(2, bytes(1, '1Gi'))),
      bytes(2, bytes(22, bytes(1, 'd.example'), bytes(2, 'handle'))),
      bytes(3, 'ReadWriteOnce'),
    );
    const { object } = decodeProtobuf(envelope('v1', 'PersistentVolume', spec));
    expect(object).toMatchObject({
      spec: { capacity: { storage: '1Gi' }, csi: { driver: 'd.example', volumeHandle: 'handle' }, accessModes: ['ReadWriteOnce'] },
    });
    const lease = decodeProtobuf(
      envelope('coordination.k8s.io/v1', 'Lease', bytes(2, bytes(1, ''), number(2, 15), bytes(4, number(1, 1_700_000_000), number(2, 5000)), number(5, 0))),
    );
    expect(lease.object).toMatchObject({
      spec: { holderIdentity: '', leaseDurationSeconds: 15, renewTime: '2023-11-14T22:13:20.000005Z', leaseTransitions: 0 },
    });
    const driver = decodeProtobuf(envelope('storage.k8s.io/v1', 'CSIDriver', bytes(2, number(1, 0))));
    expect(driver.object).toMatchObject({ spec: { attachRequired: false } });
  });

  it('reads a SelfSubjectAccessReview', () => {
    const body = envelope('authorization.k8s.io/v1', 'SelfSubjectAccessReview', bytes(2, bytes(1, bytes(1, 'ns'), bytes(2, 'create'), bytes(5, 'pods'))));
    expect(decodeProtobuf(body).object).toMatchObject({ spec: { resourceAttributes: { namespace: 'ns', verb: 'create', resource: 'pods' } } });
  });

  it('names kinds that it does not know without an object', () => {
    expect(decodeProtobuf(envelope('x/v1', 'Y'))).toEqual({ apiVersion: 'x/v1', kind: 'Y', object: undefined });
  });

  it('answers anything else with a WireError, never another failure', () => {
    const body = envelope('v1', 'Pod', bytes(2, bytes(1, bytes(1, 'v')), bytes(2, bytes(1, 'c'))));
    fc.assert(
      fc.property(fc.nat(body.length - 1), fc.integer({ min: 0, max: 255 }), fc.nat(body.length), (at, value, length) => {
        const broken = Buffer.from(body.subarray(0, length));
        if (at < broken.length) broken[at] = value;
        try {
          decodeProtobuf(broken);
        } catch (error) {
          expect(error).toBeInstanceOf(WireError);
        }
      }),
    );
  });
});
