// How long and how much a client may keep us busy. The API server is far inside of all of this.

export interface Limits {
  /** Largest review of /validate. Reviews of lists (/convert) may be {@link LIST_FACTOR} times as large. */
  readonly maxBodyBytes: number;
  readonly maxConnections: number;
  /** For the TLS handshake. */
  readonly handshakeTimeoutMs: number;
  /** For the first line and the headers. */
  readonly headersTimeoutMs: number;
  /** For the whole request, body included. */
  readonly requestTimeoutMs: number;
  /** Silence of a client that we wait for, also while it takes an answer. */
  readonly silenceTimeoutMs: number;
  /** Between two requests; longer than the 90 s after which the API server lets go of an idle connection. */
  readonly keepAliveTimeoutMs: number;
  /** Bodies that are being read or judged at the same time. */
  readonly bodiesBytes: number;
}

const MIB = 2 ** 20;

/** The API server converts a list, or a page of it, in one review. */
export const LIST_FACTOR = 8;

export const defaultLimits: Limits = {
  maxBodyBytes: 8 * MIB,
  maxConnections: 2_000,
  handshakeTimeoutMs: 5_000,
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 15_000,
  silenceTimeoutMs: 30_000,
  keepAliveTimeoutMs: 120_000,
  bodiesBytes: 8 * MIB,
};
