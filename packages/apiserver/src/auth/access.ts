// The front door: authentication, impersonation, authorization, in that order, for each request.
import type { IncomingMessage } from 'node:http';
import type { User } from '../registry/writer.ts';
import { StatusError, forbidden } from '../status.ts';
import { accessRequestOf } from './access-request.ts';
import type { Authenticator } from './authenticator.ts';
import { impersonate } from './impersonation.ts';
import { denialText, type Rbac } from './rbac.ts';

export interface AccessOptions {
  authenticator: Authenticator;
  rbac: Rbac;
}

export class Access {
  readonly #options: AccessOptions;

  constructor(options: AccessOptions) {
    this.#options = options;
  }

  /** @throws StatusError 401 */
  authenticate(request: IncomingMessage): User {
    return this.#options.authenticator.authenticate(request);
  }

  /**
   * The user that the request counts for, after impersonation, who may do what it asks.
   * @throws StatusError 403 in kube-apiserver's words
   */
  admit(request: IncomingMessage, url: URL, user: User): User {
    const acting = impersonate(request, user, this.#options.rbac);
    const asked = accessRequestOf(request.method ?? 'GET', url.pathname, url.searchParams);
    const { allowed, reason } = this.#options.rbac.decide(acting, asked);
    if (allowed) return acting;
    const why = denialText(acting, asked, reason);
    if (asked.kind === 'path') throw new StatusError(403, 'Forbidden', `forbidden: ${why}`, {});
    throw forbidden({ group: asked.group, kind: asked.resource }, asked.name, why);
  }
}
