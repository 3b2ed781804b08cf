// Reads the protobuf wire format. Source: https://protobuf.dev/programming-guides/encoding/

/** A body that is not what the wire format allows. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

export interface WireField {
  readonly number: number;
  /** bigint for varint and fixed64, number for fixed32, bytes for length-delimited. */
  readonly value: bigint | number | Uint8Array;
}

/** The fields of a message, in the order of the wire. @throws WireError when the message is cut short or malformed */
export function* readFields(bytes: Uint8Array): Generator<WireField> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === undefined) throw new WireError('unexpected EOF');
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new WireError('integer overflow');
  };
  const take = (length: number): number => {
    const start = at;
    at += length;
    if (at > bytes.length) throw new WireError('unexpected EOF');
    return start;
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Number(tag >> 3n);
    if (number === 0) throw new WireError(`illegal tag ${number}`);
    switch (Number(tag & 7n)) {
      case 0:
        yield { number, value: varint() };
        break;
      case 1:
        yield { number, value: view.getBigUint64(take(8), true) };
        break;
      case 2: {
        const length = Number(varint());
        const start = take(length);
        yield { number, value: bytes.subarray(start, start + length) };
        break;
      }
      case 5:
        yield { number, value: view.getUint32(take(4), true) };
        break;
      default:
        throw new WireError(`illegal wireType ${tag & 7n}`);
    }
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @throws WireError when the bytes are no UTF-8 */
export function textOf(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new WireError('string field contains invalid UTF-8');
  }
}
