// Small worlds: replicas with stale views that die at any write, clocks that jump, Secrets that are deleted, caBundles
// that are reset. Never is a ready replica's certificate refused for a CA that a caBundle lacks; at last all agree.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, type BundleSeen, type Policy, type SecretSeen, type SecretWrite, type TrustedCa } from './decide.ts';
import { made, prepared, promoted, type Generation } from './rotation.ts';
import { Trust } from './trust.ts';

const DAY = 86_400_000;
const policy: Policy = { validMs: 90 * DAY, renewBeforeMs: 30 * DAY, settleMs: 30_000, lookMs: 3_600_000 };
const BUNDLES = 2;
/** More disasters than this, missed by one replica altogether, may push its CA out of a caBundle. */
const DISASTERS_MAX = 3;

interface Versioned<T> {
  readonly version: number;
  readonly value: T;
}

interface Replica {
  held: Generation | undefined;
  isReady: boolean;
  trust: Trust;
  secret: Versioned<SecretSeen> | undefined;
  readonly bundles: (Versioned<readonly TrustedCa[]> | undefined)[];
  pending: (() => boolean)[];
}

class World {
  version = 1;
  made = 0;
  writes = 0;
  disasters = 0;
  elapsedMs = 0;
  nowMs = Date.UTC(2026, 0, 1);
  secret: Versioned<SecretSeen> = { version: 0, value: { kind: 'absent' } };
  readonly bundles: Versioned<readonly TrustedCa[]>[] = Array.from({ length: BUNDLES }, () => ({ version: 0, value: [] }));
  readonly notAfter = new Map<string, number>();
  readonly replicas: Replica[];

  constructor(replicas: number) {
    this.replicas = Array.from({ length: replicas }, fresh);
  }

  issue(): Generation {
    const n = ++this.made;
    const notAfterMs = this.nowMs + policy.validMs;
    this.notAfter.set(`ca-${n}`, notAfterMs);
    return { ca: `ca-${n}`, cert: `cert-${n}`, key: `key-${n}`, notAfterMs };
  }

  /** The watch brings one object. */
  observe(replica: Replica, what: number): void {
    if (what === 0) replica.secret = this.secret;
    else replica.bundles[what - 1] = this.bundles[what - 1];
    this.#noteTrust(replica);
  }

  #bundlesSeen(replica: Replica): BundleSeen[] | undefined {
    if (replica.bundles.some((bundle) => bundle === undefined)) return undefined;
    return replica.bundles.map((bundle, i) => ({ target: String(i), cas: bundle?.value ?? [], hasOther: false }));
  }

  #noteTrust(replica: Replica): void {
    const state = replica.secret?.value.kind === 'whole' ? replica.secret.value.state : undefined;
    replica.trust.update(this.#bundlesSeen(replica), [...(state?.cas ?? []), ...(replica.held === undefined ? [] : [replica.held.ca])], this.elapsedMs);
  }

  /** One look of a replica; what it decides to write it writes one by one, with anything in between. */
  look(replica: Replica): void {
    if (replica.secret === undefined || replica.pending.length > 0) return;
    this.#noteTrust(replica);
    const { secret } = replica;
    const versions = replica.bundles.map((bundle) => bundle?.version);
    const seen = {
      nowMs: this.nowMs,
      secret: secret.value,
      held: replica.held,
      bundles: this.#bundlesSeen(replica),
      trustedForMs: replica.trust.forMs(this.elapsedMs),
    };
    const plan = decide(seen, policy);
    replica.held = plan.serve;
    if (plan.serve !== undefined && plan.trouble === undefined) replica.isReady = true;
    replica.pending = plan.bundles.map(
      ({ target, cas }) =>
        () =>
          this.#writeBundle(Number(target), versions[Number(target)], cas),
    );
    const { secret: write } = plan;
    if (write !== undefined) replica.pending.push(() => this.#writeSecret(write, secret.version));
  }

  /** The next write that was decided on; one that meets a conflict ends the rest. */
  write(replica: Replica): void {
    const next = replica.pending.shift();
    if (next === undefined) return;
    if (next()) this.writes++;
    else replica.pending = [];
  }

  #writeBundle(i: number, version: number | undefined, cas: readonly string[]): boolean {
    if (this.bundles[i]?.version !== version) return false;
    this.bundles[i] = { version: this.version++, value: cas.map((pem) => ({ pem, notAfterMs: this.notAfter.get(pem) ?? 0 })) };
    return true;
  }

  #writeSecret(write: SecretWrite, version: number): boolean {
    if (this.secret.version !== version) return false;
    const state =
      write.kind === 'make' ? made(this.issue(), write.keep) : write.kind === 'prepare' ? prepared(write.state, this.issue()) : promoted(write.state);
    this.secret = { version: this.version++, value: { kind: 'whole', state } };
    return true;
  }

  /** A replica without accidents: it sees everything, decides and writes. */
  keepUp(replica: Replica): void {
    while (replica.pending.length > 0) this.write(replica);
    for (let what = 0; what <= BUNDLES; what++) this.observe(replica, what);
    this.look(replica);
    while (replica.pending.length > 0) this.write(replica);
  }

  die(replica: Replica): void {
    Object.assign(replica, fresh());
  }

  loseSecret(kind: 'absent' | 'damaged'): void {
    if (++this.disasters > DISASTERS_MAX) return;
    this.secret = { version: this.version++, value: kind === 'absent' ? { kind } : { kind, why: 'it was damaged' } };
  }

  /** The world without accidents: everybody sees everything, and time goes on. */
  calmDown(): void {
    for (let round = 0; round < 12; round++) {
      for (const replica of this.replicas) {
        this.keepUp(replica);
      }
      this.elapsedMs += policy.settleMs;
      this.nowMs += policy.settleMs;
    }
  }

  /** Ready replicas whose certificate is refused although it has not expired. */
  refused(): string[] {
    return this.replicas.flatMap(({ isReady, held }) => {
      if (!isReady || held === undefined || held.notAfterMs <= this.nowMs) return [];
      return this.bundles.every(({ value }) => value.some(({ pem }) => pem === held.ca)) ? [] : [held.cert];
    });
  }

  /** As reading it back demands: the Secret lists the CA of each certificate that it holds. */
  secretIsWhole(): boolean {
    if (this.secret.value.kind !== 'whole') return true;
    const { current, next, cas } = this.secret.value.state;
    return [current, ...(next === undefined ? [] : [next])].every(({ ca }) => cas.includes(ca));
  }
}

function fresh(): Replica {
  return { held: undefined, isReady: false, trust: new Trust(), secret: undefined, bundles: Array.from({ length: BUNDLES }, () => undefined), pending: [] };
}

/** What happens; plain data, so that a counterexample reads as a story. */
type Step =
  | { readonly do: 'keepUp' | 'catchUpAndLook' | 'look' | 'write' | 'die'; readonly replica: number }
  | { readonly do: 'observe'; readonly replica: number; readonly what: number }
  | { readonly do: 'pass' | 'jump'; readonly days: number }
  | { readonly do: 'lose'; readonly secret: 'absent' | 'damaged' }
  | { readonly do: 'reset'; readonly bundle: number };

function take(world: World, step: Step): void {
  switch (step.do) {
    case 'pass':
      world.elapsedMs += step.days * DAY;
      world.nowMs += step.days * DAY;
      return;
    case 'jump':
      if (++world.disasters <= DISASTERS_MAX) world.nowMs += step.days * DAY;
      return;
    case 'lose':
      return world.loseSecret(step.secret);
    case 'reset':
      world.bundles[step.bundle] = { version: world.version++, value: [] };
      return;
    default:
      return takeBy(world, step);
  }
}

function takeBy(world: World, step: Extract<Step, { replica: number }>): void {
  const replica = world.replicas[step.replica % world.replicas.length];
  if (replica === undefined) return;
  if (step.do === 'observe') return world.observe(replica, step.what);
  if (step.do !== 'catchUpAndLook') return world[step.do](replica);
  for (let what = 0; what <= BUNDLES; what++) world.observe(replica, what);
  world.look(replica);
}

const replica = fc.nat(2);
const steps = <S extends Step['do']>(weight: number, ...names: S[]): fc.WeightedArbitrary<{ do: S; replica: number }> => ({
  weight,
  arbitrary: fc.record({ do: fc.constantFrom(...names), replica }),
});

const accidents: fc.WeightedArbitrary<Step>[] = [
  steps(8, 'keepUp'),
  steps(8, 'write'),
  steps(8, 'catchUpAndLook', 'look'),
  steps(1, 'die'),
  { weight: 8, arbitrary: fc.record({ do: fc.constant('observe' as const), replica, what: fc.nat(BUNDLES) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('pass' as const), days: fc.constantFrom(policy.settleMs / DAY, 1, 40) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('jump' as const), days: fc.constantFrom(-3650, -70, 70, 3650) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('lose' as const), secret: fc.constantFrom('absent' as const, 'damaged' as const) }) },
];

const resets: fc.WeightedArbitrary<Step> = { weight: 2, arbitrary: fc.record({ do: fc.constant('reset' as const), bundle: fc.nat(BUNDLES - 1) }) };

describe('replicas that share a Secret', () => {
  it('never serve, once ready, with a certificate that a caBundle does not verify', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3 }),
        fc.boolean(),
        fc.array(fc.oneof(...accidents), { minLength: 10, maxLength: 150, size: 'max' }),
        (count, isSettled, story) => {
          const world = new World(count);
          if (isSettled) world.calmDown();
          for (const step of story) {
            take(world, step);
            expect(world.refused()).toEqual([]);
            expect(world.secretIsWhole()).toBe(true);
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('agree at last on one certificate that everybody trusts, and then write nothing more', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 3 }), fc.array(fc.oneof(...accidents, resets), { maxLength: 60, size: 'max' }), (count, story) => {
        const world = new World(count);
        for (const step of story) take(world, step);
        world.calmDown();
        const { writes } = world;
        world.calmDown();
        expect(world.writes).toBe(writes);
        expect(world.secret.value.kind).toBe('whole');
        const served = world.replicas.map(({ held }) => held?.cert);
        expect(new Set(served).size).toBe(1);
        expect(world.replicas.every(({ isReady, held }) => isReady && (held?.notAfterMs ?? 0) > world.nowMs)).toBe(true);
        expect(world.refused()).toEqual([]);
      }),
      { numRuns: 1_000 },
    );
  });
});
