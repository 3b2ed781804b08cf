// Who is asking: a client certificate signed by our CA, a bearer token that we know or signed ourselves, or nobody
// in particular. Wrong credentials are refused; none at all make an anonymous user, who may read little.
import type { IncomingMessage } from 'node:http';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { User } from '../registry/writer.ts';
import { unauthorized } from '../status.ts';
import { ISSUER, type ServiceAccountTokens, type Verified } from './service-account-tokens.ts';

export const AUTHENTICATED = 'system:authenticated';
export const UNAUTHENTICATED = 'system:unauthenticated';
export const ANONYMOUS: User = { name: 'system:anonymous', groups: [UNAUTHENTICATED] };

/** The audiences that stand for this server. */
export const OWN_AUDIENCES: readonly string[] = [ISSUER];

export interface AuthenticatorOptions {
  /** Static bearer tokens and whom they stand for. */
  tokens: ReadonlyMap<string, User>;
  serviceAccounts: ServiceAccountTokens;
}

export class Authenticator {
  readonly #options: AuthenticatorOptions;
  /** A connection keeps its certificate; undefined for one without. */
  readonly #bySocket = new WeakMap<object, User | 'refused' | 'none'>();

  constructor(options: AuthenticatorOptions) {
    this.#options = options;
  }

  /** @throws StatusError 401 for credentials that are wrong */
  authenticate(request: IncomingMessage): User {
    const byCertificate = this.#certificateUser(request.socket as TLSSocket);
    if (typeof byCertificate === 'object') return byCertificate;
    const token = /^Bearer\s+(\S+)\s*$/i.exec(request.headers.authorization ?? '')?.[1];
    const byToken = token === undefined ? undefined : this.review(token, OWN_AUDIENCES)?.user;
    if (byToken !== undefined) return byToken;
    if (token !== undefined || byCertificate === 'refused') throw unauthorized();
    return ANONYMOUS;
  }

  /** Whom a bearer token stands for, and for which of the audiences it is good. */
  review(token: string, audiences: readonly string[]): Verified | undefined {
    const known = this.#options.tokens.get(token);
    if (known === undefined) return this.#options.serviceAccounts.verify(token, audiences);
    const groups = known.groups.includes(AUTHENTICATED) ? known.groups : [...known.groups, AUTHENTICATED];
    return { user: { ...known, groups }, audiences: audiences.filter((audience) => OWN_AUDIENCES.includes(audience)) };
  }

  #certificateUser(socket: TLSSocket): User | 'refused' | 'none' {
    let user = this.#bySocket.get(socket);
    if (user === undefined) {
      const certificate = socket.getPeerCertificate?.() as PeerCertificate | undefined;
      const isGiven = certificate?.subject !== undefined;
      user = !isGiven ? 'none' : socket.authorized ? fromCertificate(certificate) : 'refused';
      this.#bySocket.set(socket, user);
    }
    return user;
  }
}

/** Common name → user, organizations → groups. Source: Kubernetes docs, "X509 client certificates". */
function fromCertificate({ subject, fingerprint256 }: PeerCertificate): User {
  const organizations = subject.O;
  const groups = organizations === undefined ? [] : Array.isArray(organizations) ? organizations : [organizations];
  const name = subject.CN as string | string[];
  return {
    name: Array.isArray(name) ? (name[0] ?? '') : name,
    groups: [...groups, AUTHENTICATED],
    extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${fingerprint256.replaceAll(':', '').toLowerCase()}`] },
  };
}
