// Who is asking: a client certificate signed by our CA, or a bearer token that we know.
import type { IncomingMessage } from 'node:http';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import type { ResourcePath } from '../http/request-info.ts';
import type { ResourceDefinition, Verb } from '../registry/resource.ts';
import type { User } from '../registry/writer.ts';

const AUTHENTICATED = 'system:authenticated';
const MASTERS = 'system:masters';

export interface Question {
  verb: Verb;
  definition: ResourceDefinition;
  target: ResourcePath;
}

export class Authenticator {
  readonly #tokens: ReadonlyMap<string, User>;

  /** @param tokens static bearer tokens and whom they stand for */
  constructor(tokens: ReadonlyMap<string, User>) {
    this.#tokens = tokens;
  }

  /** undefined when the credentials are missing or wrong. */
  authenticate(request: IncomingMessage, certificate: PeerCertificate | undefined): User | undefined {
    const authorized = (request.socket as TLSSocket).authorized;
    if (authorized && certificate?.subject !== undefined) return fromCertificate(certificate);
    const token = /^Bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    return token === undefined ? undefined : this.#tokens.get(token);
  }

  /** undefined when it is allowed, else the end of the sentence that refuses it. */
  authorize(user: User, { verb, definition, target }: Question): string | undefined {
    if (user.groups.includes(MASTERS)) return undefined;
    const where = target.namespace === undefined ? 'at the cluster scope' : `in the namespace "${target.namespace}"`;
    return `User "${user.name}" cannot ${verb} resource "${definition.plural}" in API group "${definition.group}" ${where}`;
  }
}

/** Common name → user, organizations → groups. Source: Kubernetes docs, "X509 client certificates". */
function fromCertificate({ subject }: PeerCertificate): User {
  const organizations = subject.O;
  const groups = organizations === undefined ? [] : Array.isArray(organizations) ? organizations : [organizations];
  const name = subject.CN as string | string[];
  return { name: Array.isArray(name) ? (name[0] ?? '') : name, groups: [...groups, AUTHENTICATED] };
}
