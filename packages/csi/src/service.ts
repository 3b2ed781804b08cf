// What can be said about a gRPC service's types, whichever service it is.
export type RequestOf<M> = M extends { requestSerialize: (value: infer R) => Buffer } ? R : never;
export type ResponseOf<M> = M extends { responseDeserialize: (bytes: Buffer) => infer R } ? R : never;
export type IsStreaming<M> = M extends { responseStream: true } ? true : false;

const EMPTY = Buffer.alloc(0);

/** A message with every field it leaves out at its proto3 default: what decoding zero bytes gives. */
export function withDefaults(deserialize: (bytes: Buffer) => unknown, partial: object): object {
  return { ...(deserialize(EMPTY) as object), ...partial };
}
