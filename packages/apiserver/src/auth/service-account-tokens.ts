// Tokens of service accounts: JWTs that this server signs and believes while what they are bound to lives.
// Source: k8s.io/kubernetes/pkg/serviceaccount (claims.go, jwt.go).
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomUUID, sign, verify, type KeyObject } from 'node:crypto';
import { isObject, type JsonObject } from '../schema/schema.ts';
import type { User } from '../registry/writer.ts';
import type { Store } from '../store/store.ts';

export const ISSUER = 'https://kubernetes.default.svc.cluster.local';
const LEEWAY_SECONDS = 60;
const BINDABLE: Readonly<Record<string, string>> = { Pod: '/pods', Secret: '/secrets', Node: '/nodes' };

export interface BoundObject {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

export interface TokenWish {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly audiences: readonly string[];
  readonly expirationSeconds: number;
  readonly boundTo?: BoundObject | undefined;
}

export interface Verified {
  readonly user: User;
  readonly audiences: readonly string[];
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

export class ServiceAccountTokens {
  readonly #privateKey: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #keyId: string;
  readonly #store: Store;
  readonly #now: () => Date;

  /** @param key PEM, PKCS #8, P-256; see {@link makeSigningKey} */
  constructor({ key, store, now }: { key: string; store: Store; now: () => Date }) {
    this.#privateKey = createPrivateKey(key);
    this.#publicKey = createPublicKey(this.#privateKey);
    this.#keyId = createHash('sha256')
      .update(this.#publicKey.export({ format: 'der', type: 'spki' }))
      .digest('base64url');
    this.#store = store;
    this.#now = now;
  }

  issue({ namespace, name, uid, audiences, expirationSeconds, boundTo }: TokenWish): { token: string; expiresAt: Date } {
    const issued = Math.floor(this.#now().getTime() / 1_000);
    const bound = boundTo === undefined ? {} : { [boundTo.kind.toLowerCase()]: { name: boundTo.name, uid: boundTo.uid } };
    const claims = {
      aud: audiences,
      exp: issued + expirationSeconds,
      iat: issued,
      iss: ISSUER,
      jti: randomUUID(),
      'kubernetes.io': { namespace, ...bound, serviceaccount: { name, uid } },
      nbf: issued,
      sub: `system:serviceaccount:${namespace}:${name}`,
    };
    const text = `${encode({ alg: 'ES256', kid: this.#keyId })}.${encode(claims)}`;
    const signature = sign('sha256', Buffer.from(text), { key: this.#privateKey, dsaEncoding: 'ieee-p1363' });
    return { token: `${text}.${signature.toString('base64url')}`, expiresAt: new Date((issued + expirationSeconds) * 1_000) };
  }

  /** Whom a token stands for, when it was signed here, is good now and for one of the audiences. */
  verify(token: string, audiences: readonly string[]): Verified | undefined {
    const claims = this.#claimsOf(token);
    if (claims === undefined) return undefined;
    const { exp, nbf, aud, jti } = claims;
    const now = this.#now().getTime() / 1_000;
    if (typeof exp !== 'number' || now > exp || (typeof nbf === 'number' && now < nbf - LEEWAY_SECONDS)) return undefined;
    const shared = (Array.isArray(aud) ? aud : []).filter((audience): audience is string => audiences.includes(audience as string));
    const about = claims['kubernetes.io'];
    if (shared.length === 0 || !isObject(about)) return undefined;
    const user = this.#userOf(about, String(jti));
    return user === undefined ? undefined : { user, audiences: shared };
  }

  #claimsOf(token: string): JsonObject | undefined {
    const [header, body, signature, more] = token.split('.');
    if (header === undefined || body === undefined || signature === undefined || more !== undefined) return undefined;
    try {
      const { alg } = JSON.parse(Buffer.from(header, 'base64url').toString()) as { alg?: unknown };
      if (alg !== 'ES256') return undefined;
      const good = verify('sha256', Buffer.from(`${header}.${body}`), { key: this.#publicKey, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url'));
      const claims = good ? (JSON.parse(Buffer.from(body, 'base64url').toString()) as unknown) : undefined;
      return isObject(claims) && claims['iss'] === ISSUER ? claims : undefined;
    } catch {
      return undefined;
    }
  }

  /** The account, provided that it and what the token is bound to are still the same objects. */
  #userOf(about: JsonObject, tokenId: string): User | undefined {
    const namespace = String(about['namespace']);
    const account = about['serviceaccount'];
    if (!isObject(account) || !this.#lives('/serviceaccounts', `${namespace}/${String(account['name'])}`, account['uid'])) return undefined;
    const extra: Record<string, string[]> = { 'authentication.kubernetes.io/credential-id': [`JTI=${tokenId}`] };
    for (const [kind, resource] of Object.entries(BINDABLE)) {
      const bound = about[kind.toLowerCase()];
      if (!isObject(bound)) continue;
      const name = String(bound['name']);
      if (!this.#lives(resource, kind === 'Node' ? name : `${namespace}/${name}`, bound['uid'])) return undefined;
      if (kind === 'Secret') continue;
      extra[`authentication.kubernetes.io/${kind.toLowerCase()}-name`] = [name];
      extra[`authentication.kubernetes.io/${kind.toLowerCase()}-uid`] = [String(bound['uid'])];
    }
    return {
      name: `system:serviceaccount:${namespace}:${String(account['name'])}`,
      uid: String(account['uid']),
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      extra,
    };
  }

  #lives(resource: string, key: string, uid: unknown): boolean {
    return this.#store.collection(resource).get(key)?.object.metadata.uid === uid;
  }

  /** The uid of an object that tokens can be bound to; undefined when it is not there, or of another kind. */
  boundUid(kind: string, namespace: string, name: string): string | undefined {
    const resource = BINDABLE[kind];
    return resource === undefined ? undefined : this.#store.collection(resource).get(kind === 'Node' ? name : `${namespace}/${name}`)?.object.metadata.uid;
  }
}

/** A new key to sign tokens with: PEM, PKCS #8. */
export function makeSigningKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'pem', type: 'pkcs8' }) as string;
}
