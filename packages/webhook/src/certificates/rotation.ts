// The steps of a rotation as pure transitions of what the Secret holds. A generation is a serving certificate and its
// own CA: renewing one renews the other.
//
//   made ──▶ current ──(soon to expire)──▶ current + next ──(next's CA is in every caBundle)──▶ next is current
//
// At each step the CAs of all certificates that anybody may serve with are among `cas`, and the step that brings a new
// CA comes before the one that brings its certificate into use. So a replica may die, or hang behind, at any of them.
import type { Issued } from './make.ts';

export interface Generation extends Issued {
  readonly notAfterMs: number;
}

export interface SecretState {
  readonly current: Generation;
  /** Made, and not in use before API servers trust its CA. */
  readonly next: Generation | undefined;
  /** CAs that every caBundle must hold, newest first. */
  readonly cas: readonly string[];
}

/** The next, the current, and the one before: replicas that have not heard of the last step may still serve by it. */
const CAS_MAX = 3;

/** @param held what the process that makes it serves with; it stays in use until the new CA is trusted */
export function made(issued: Generation, held?: Generation): SecretState {
  if (held === undefined) return { current: issued, next: undefined, cas: [issued.ca] };
  return { current: held, next: issued, cas: [issued.ca, held.ca] };
}

export function prepared({ current, next, cas }: SecretState, issued: Generation): SecretState {
  // A next that is replaced has never been in use.
  const older = cas.filter((ca) => ca !== current.ca && ca !== next?.ca);
  return { current, next: issued, cas: [issued.ca, current.ca, ...older].slice(0, CAS_MAX) };
}

export function promoted({ next, cas }: SecretState & { next: Generation }): SecretState {
  return { current: next, next: undefined, cas };
}
