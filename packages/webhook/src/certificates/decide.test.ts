import { describe, expect, it } from 'vitest';
import { decide, type BundleSeen, type Policy, type Seen } from './decide.ts';
import { made, prepared, promoted, type Generation, type SecretState } from './rotation.ts';

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 0, 1);
const policy: Policy = { validMs: 90 * DAY, renewBeforeMs: 30 * DAY, settleMs: 30_000, lookMs: 3_600_000 };

const aGeneration = (name: string, daysLeft = 90): Generation => ({
  ca: `ca-${name}`,
  cert: `cert-${name}`,
  key: `key-${name}`,
  notAfterMs: NOW + daysLeft * DAY,
});
const [a, b] = [aGeneration('a'), aGeneration('b')];
const old = aGeneration('old', 20);
const expired = aGeneration('expired', -1);
const alone = (one: Generation): SecretState => made(one);
const whole = (state: SecretState): Seen['secret'] => ({ kind: 'whole', state });
const aBundle = (...generations: Generation[]): BundleSeen => ({
  target: 'ValidatingWebhookConfiguration x',
  cas: generations.map(({ ca, notAfterMs }) => ({ pem: ca, notAfterMs })),
  hasOther: false,
});
const trusted = (forMs: number, ...generations: Generation[]): Map<string, number> => new Map(generations.map(({ ca }) => [ca, forMs]));
const seen = (part: Partial<Seen>): Seen => ({ nowMs: NOW, secret: whole(alone(a)), held: a, bundles: [aBundle(a)], trustedForMs: trusted(1e9, a), ...part });

describe('the Secret', () => {
  const writes: [string, Partial<Seen>, string | undefined][] = [
    ['is left alone while its certificate is young', {}, undefined],
    ['is made when there is none', { secret: { kind: 'absent' }, held: undefined }, 'make'],
    ['is made anew when it is damaged', { secret: { kind: 'damaged', why: 'no key' }, held: undefined }, 'make'],
    ["is never written when it is somebody else's", { secret: { kind: 'foreign' }, held: undefined }, undefined],
    ['gets the next certificate when its own has a month left', { secret: whole(alone(old)) }, 'prepare'],
    ['gets the next certificate when its own has expired', { secret: whole(alone(expired)), held: expired }, 'prepare'],
    ['keeps waiting while a caBundle lacks the CA of the next', { secret: whole(prepared(alone(old), b)), held: old }, undefined],
    ['keeps waiting while the CA of the next is new in the caBundles', { secret: whole(prepared(alone(old), b)), trustedForMs: trusted(29_999, b) }, undefined],
    ['puts the next into use once its CA has settled', { secret: whole(prepared(alone(old), b)), trustedForMs: trusted(30_000, b) }, 'promote'],
    [
      'puts the next into use without settling when nothing is left to lose',
      { secret: whole(prepared(alone(expired), b)), trustedForMs: trusted(0, b) },
      'promote',
    ],
    [
      'gets another next when the prepared one has aged',
      { secret: whole(prepared(alone(old), aGeneration('late', 29))), trustedForMs: trusted(1e9, old) },
      'prepare',
    ],
    ['waits with the next while caBundles cannot be read', { secret: whole(prepared(alone(old), b)), bundles: undefined, trustedForMs: new Map() }, undefined],
  ];
  it.each(writes)('%s', (_sentence, part, kind) => expect(decide(seen(part), policy).secret?.kind).toBe(kind));

  it('made anew keeps what this process serves with in use, until the new CA is trusted', () => {
    expect(decide(seen({ secret: { kind: 'absent' } }), policy).secret).toMatchObject({ kind: 'make', keep: a });
    expect(decide(seen({ secret: { kind: 'absent' }, held: expired }), policy).secret).toMatchObject({ kind: 'make', keep: undefined });
    expect(made(b, a)).toEqual({ current: a, next: b, cas: [b.ca, a.ca] });
  });
});

describe('serving', () => {
  const cases: [string, Partial<Seen>, Generation | undefined][] = [
    ['begins with what the Secret holds', { held: undefined }, a],
    ['begins with nothing while there is no Secret', { secret: { kind: 'absent' }, held: undefined }, undefined],
    ['goes on when the Secret is gone', { secret: { kind: 'absent' } }, a],
    ['goes on while the Secret is damaged', { secret: { kind: 'damaged', why: 'x' } }, a],
    ['goes on when the Secret has become somebody else’s', { secret: { kind: 'foreign' } }, a],
    ['stays while the CA of the other is not trusted everywhere', { secret: whole(alone(b)), trustedForMs: trusted(1e9, a) }, a],
    ['stays while the CA of the other has not settled', { secret: whole(alone(b)), trustedForMs: trusted(10, b) }, a],
    ['moves once it has', { secret: whole(alone(b)), trustedForMs: trusted(30_000, b) }, b],
    ['moves at once from an expired certificate', { secret: whole(alone(b)), held: expired, trustedForMs: trusted(0, b) }, b],
    ['stays even with an expired certificate while the other is not trusted', { secret: whole(alone(b)), held: expired, trustedForMs: new Map() }, expired],
    [
      'moves from an expired certificate when trust cannot be known',
      { secret: whole(alone(b)), held: expired, bundles: undefined, trustedForMs: new Map() },
      b,
    ],
    ['does not move to an expired certificate', { secret: whole(alone(expired)), trustedForMs: trusted(1e9, expired) }, a],
  ];
  it.each(cases)('%s', (_sentence, part, expected) => expect(decide(seen(part), policy).serve).toEqual(expected));
});

describe('caBundles', () => {
  const cas = (part: Partial<Seen>): (readonly string[])[] => decide(seen(part), policy).bundles.map((write) => write.cas);
  const four = ['w', 'x', 'y', 'z'].map((name, i) => aGeneration(name, i));

  it('are left alone when they hold what they must', () => expect(cas({})).toEqual([]));
  it('get the CA they lack', () => expect(cas({ bundles: [aBundle(), aBundle(a)] })).toEqual([['ca-a']]));
  it('get the CA of the next beside the one in use', () => expect(cas({ secret: whole(prepared(alone(a), b)) })).toEqual([['ca-b', 'ca-a']]));
  it('lose what is not of the webhook', () => expect(cas({ bundles: [{ ...aBundle(a), hasOther: true }] })).toEqual([['ca-a']]));
  it('keep CAs that the Secret does not list, as others may serve by them', () => expect(cas({ bundles: [aBundle(b)] })).toEqual([['ca-a', 'ca-b']]));
  it('keep the CA this process still serves by', () => expect(cas({ held: b, bundles: [aBundle(a)] })).toEqual([['ca-a', 'ca-b']]));
  it('lose the oldest CA when there are too many', () =>
    expect(cas({ bundles: [aBundle(a, b, ...four)] })).toEqual([['ca-a', 'ca-b', 'ca-z', 'ca-y', 'ca-x']]));
  it('are left alone while nothing is known of a CA', () => expect(cas({ secret: { kind: 'foreign' }, held: undefined, bundles: [aBundle()] })).toEqual([]));
  it('hold at most three CAs of the Secret', () => {
    const third = promoted({ ...prepared(promoted({ ...prepared(alone(old), a), next: a }), b), next: b });
    expect(prepared(third, aGeneration('c')).cas).toEqual(['ca-c', 'ca-b', 'ca-a']);
  });
});

describe('trouble', () => {
  const troubles: [string, Partial<Seen>, RegExp | undefined][] = [
    ['none when API servers trust the certificate in use', {}, undefined],
    ['none when nothing is registered', { bundles: [] }, undefined],
    ['names the object whose caBundle lacks the CA', { bundles: [aBundle()] }, /caBundle of ValidatingWebhookConfiguration x lacks/],
    ['tells of an expired certificate', { held: expired, secret: whole(alone(expired)) }, /expired at 2025-12-31/],
    ['tells that caBundles cannot be read', { bundles: undefined }, /cannot be read/],
    ['tells of a Secret of somebody else', { secret: { kind: 'foreign' }, held: undefined }, /somebody else/],
  ];
  it.each(troubles)('%s', (_sentence, part, expected) => {
    const { trouble } = decide(seen(part), policy);
    if (expected === undefined) expect(trouble).toBeUndefined();
    else expect(trouble).toMatch(expected);
  });
});

describe('the next look', () => {
  it('comes within an hour', () => expect(decide(seen({}), policy).lookAgainAfterMs).toBe(3_600_000));
  it('comes when the certificate is due', () => expect(decide(seen({ nowMs: NOW + 60 * DAY - 5_000 }), policy).lookAgainAfterMs).toBe(5_001));
  it('comes when the CA of the next has settled', () =>
    expect(decide(seen({ secret: whole(prepared(alone(old), b)), held: old, trustedForMs: trusted(20_000, old, b) }), policy).lookAgainAfterMs).toBe(10_000));
});
