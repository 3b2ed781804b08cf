// What a replica does about certificates: which it serves with, what it writes into the Secret and into caBundles. Pure:
// time comes in with the rest. No replica leads; each decides the same from the same, and a write made on something old
// meets a conflict.
import type { Generation, SecretState } from './rotation.ts';

export type SecretSeen =
  | { readonly kind: 'absent' }
  /** Somebody else's: it lacks our label. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'damaged'; readonly why: string }
  | { readonly kind: 'whole'; readonly state: SecretState };

export interface TrustedCa {
  readonly pem: string;
  readonly notAfterMs: number;
}

/** The caBundles of one object that point at our service. */
export interface BundleSeen {
  /** `ValidatingWebhookConfiguration x`. */
  readonly target: string;
  /** CAs of our making that all of its caBundles hold. */
  readonly cas: readonly TrustedCa[];
  /** Whether there is anything besides that, in one of them. */
  readonly hasOther: boolean;
}

export interface Seen {
  /** As API servers have it, since they are the ones who verify. */
  readonly nowMs: number;
  readonly secret: SecretSeen;
  /** What this process serves with. */
  readonly held: Generation | undefined;
  /** undefined while they cannot be read. */
  readonly bundles: readonly BundleSeen[] | undefined;
  /** For how long each CA has been seen in every caBundle without a break. */
  readonly trustedForMs: ReadonlyMap<string, number>;
}

export interface Policy {
  /** How long a certificate is valid. */
  readonly validMs: number;
  /** A successor is prepared so long before it expires. */
  readonly renewBeforeMs: number;
  /** So long a CA must have been in every caBundle before its certificate is used: API servers have their caches, too. */
  readonly settleMs: number;
  /** Longest pause between two looks. */
  readonly lookMs: number;
}

export type SecretWrite =
  | { readonly kind: 'make'; readonly keep: Generation | undefined; readonly why: string }
  | { readonly kind: 'prepare'; readonly state: SecretState; readonly why: string }
  | { readonly kind: 'promote'; readonly state: SecretState & { readonly next: Generation }; readonly why: string };

export interface BundleWrite {
  readonly target: string;
  readonly cas: readonly string[];
  readonly why: string;
}

export interface Plan {
  /** What to serve with from now on; undefined while there is nothing. */
  readonly serve: Generation | undefined;
  readonly secret: SecretWrite | undefined;
  readonly bundles: readonly BundleWrite[];
  /** Why reviews cannot be expected to work yet. */
  readonly trouble: string | undefined;
  readonly lookAgainAfterMs: number;
}

/** CAs that the Secret no longer lists stay in caBundles, the newest of them: a replica that has heard of nothing may serve by one. */
const UNLISTED_MAX = 4;

export function decide(seen: Seen, policy: Policy): Plan {
  const { secret, held, nowMs } = seen;
  const state = secret.kind === 'whole' ? secret.state : undefined;
  const serve = servedBy(seen, policy);
  const write = secretWrite(seen, policy);
  const wanted = [...new Set([...(state?.cas ?? []), ...(held !== undefined && isValid(held, nowMs) ? [held.ca] : [])])];
  return {
    serve,
    secret: write,
    bundles: (seen.bundles ?? []).flatMap((bundle) => bundleWrite(bundle, wanted)),
    trouble: troubleOf(seen, serve),
    lookAgainAfterMs: Math.max(0, Math.min(policy.lookMs, ...dueTimes(seen, policy))),
  };
}

function isValid({ notAfterMs }: Generation, nowMs: number): boolean {
  return nowMs < notAfterMs;
}

function isDue({ notAfterMs }: Generation, nowMs: number, { renewBeforeMs }: Policy): boolean {
  return notAfterMs - nowMs < renewBeforeMs;
}

/**
 * A certificate is left for another only when that one is trusted. One that has expired is kept, too, until then: the
 * other would fare no better, and a clock that jumped may jump back.
 */
function servedBy({ nowMs, secret, held, bundles, trustedForMs }: Seen, { settleMs }: Policy): Generation | undefined {
  if (secret.kind !== 'whole') return held;
  const { current } = secret.state;
  if (held === undefined) return current;
  if (!isValid(current, nowMs)) return held;
  const trustedMs = trustedForMs.get(current.ca) ?? -1;
  if (isValid(held, nowMs)) return trustedMs >= settleMs ? current : held;
  return trustedMs >= 0 || bundles === undefined ? current : held;
}

function secretWrite({ nowMs, secret, held, trustedForMs }: Seen, policy: Policy): SecretWrite | undefined {
  const keep = held !== undefined && isValid(held, nowMs) ? held : undefined;
  if (secret.kind === 'foreign') return undefined;
  if (secret.kind === 'absent') return { kind: 'make', keep, why: 'there is none' };
  if (secret.kind === 'damaged') return { kind: 'make', keep, why: secret.why };
  const { state } = secret;
  const { current, next } = state;
  if (next === undefined) return isDue(current, nowMs, policy) ? { kind: 'prepare', state, why: expiry(current, nowMs) } : undefined;
  if (isDue(next, nowMs, policy)) return { kind: 'prepare', state, why: `the one prepared was not used in time: ${expiry(next, nowMs)}` };
  const trusted = trustedForMs.get(next.ca);
  if (trusted === undefined) return undefined;
  const why = `its CA is in every caBundle`;
  return trusted >= policy.settleMs || !isValid(current, nowMs) ? { kind: 'promote', state: { ...state, next }, why } : undefined;
}

function expiry({ notAfterMs }: Generation, nowMs: number): string {
  return `the certificate ${nowMs < notAfterMs ? 'expires' : 'expired'} at ${new Date(notAfterMs).toISOString()}`;
}

/** What is of our making is only added to, within bounds: others may serve by what this replica has not heard of. */
function bundleWrite({ target, cas, hasOther }: BundleSeen, wanted: readonly string[]): BundleWrite[] {
  if (wanted.length === 0) return [];
  const missing = wanted.filter((ca) => cas.every(({ pem }) => pem !== ca));
  const unlisted = cas.filter(({ pem }) => !wanted.includes(pem)).toSorted((a, b) => b.notAfterMs - a.notAfterMs);
  if (missing.length === 0 && !hasOther && unlisted.length <= UNLISTED_MAX) return [];
  const why = missing.length > 0 ? 'a CA of the webhook is missing' : hasOther ? 'it holds what is not of the webhook' : 'it holds old CAs';
  return [{ target, cas: [...wanted, ...unlisted.slice(0, UNLISTED_MAX).map(({ pem }) => pem)], why }];
}

function troubleOf({ secret, bundles, nowMs }: Seen, serve: Generation | undefined): string | undefined {
  if (serve === undefined) return secret.kind === 'foreign' ? 'the Secret for the certificate belongs to somebody else' : 'the certificate is being made';
  if (!isValid(serve, nowMs)) return expiry(serve, nowMs);
  if (bundles === undefined) return 'the configurations that hold the caBundle cannot be read';
  const lacking = bundles.find(({ cas }) => cas.every(({ pem }) => pem !== serve.ca));
  return lacking === undefined ? undefined : `the caBundle of ${lacking.target} lacks the CA of the certificate in use`;
}

/** Milliseconds until something may be due by time alone. */
function dueTimes({ nowMs, secret, held, trustedForMs }: Seen, { renewBeforeMs, settleMs }: Policy): number[] {
  if (secret.kind !== 'whole') return [];
  const { current, next } = secret.state;
  const settling = [next, held?.ca === current.ca ? undefined : current].flatMap((one) => (one === undefined ? [] : (trustedForMs.get(one.ca) ?? [])));
  return [(next ?? current).notAfterMs - renewBeforeMs - nowMs + 1, ...settling.filter((ms) => ms < settleMs).map((ms) => settleMs - ms)];
}
