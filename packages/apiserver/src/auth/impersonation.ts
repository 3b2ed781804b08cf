// Acting as somebody else: the Impersonate-* headers, each allowed by the verb `impersonate`.
// Source: k8s.io/apiserver/pkg/endpoints/filters/impersonation.
import type { IncomingMessage } from 'node:http';
import type { User } from '../registry/writer.ts';
import { forbidden, internal } from '../status.ts';
import { AUTHENTICATED, UNAUTHENTICATED } from './authenticator.ts';
import { denialText, serviceAccountOf, type Rbac } from './rbac.ts';
import type { AccessRequest } from './rbac-rules.ts';

const EXTRA = 'impersonate-extra-';

interface Wish {
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}

/** The user that the request is to count for. @throws StatusError 403 when that is not allowed */
export function impersonate(request: IncomingMessage, user: User, rbac: Rbac): User {
  const headers = request.headers;
  // Every request passes here; few impersonate.
  const isAsked = Object.keys(headers).some((name) => name.startsWith('impersonate-'));
  if (!isAsked) return user;
  const distinct = request.headersDistinct;
  const name = distinct['impersonate-user']?.[0] ?? '';
  const groups = distinct['impersonate-group'] ?? [];
  const uid = distinct['impersonate-uid']?.[0] ?? '';
  const extra = extraOf(distinct);
  if (name === '') {
    const wishes = [...groups, ...(uid === '' ? [] : [uid]), ...Object.keys(extra)];
    if (wishes.length === 0) return user;
    throw internal(`requested [${wishes.join(' ')}] without impersonating a user`);
  }
  for (const wish of [userWish(name), ...groups.map(groupWish), ...(uid === '' ? [] : [uidWish(uid)]), ...extraWishes(extra)]) check(user, wish, rbac);
  return { name, groups: withStandardGroups(name, groups), ...(uid === '' ? {} : { uid }), ...(Object.keys(extra).length === 0 ? {} : { extra }) };
}

function extraOf(headers: NodeJS.Dict<string[]>): Record<string, string[]> {
  const extra: Record<string, string[]> = {};
  for (const [header, values] of Object.entries(headers)) {
    if (!header.startsWith(EXTRA) || values === undefined) continue;
    extra[decodeKey(header.slice(EXTRA.length))] = values;
  }
  return extra;
}

function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function userWish(name: string): Wish {
  const account = serviceAccountOf(name);
  if (account !== undefined) return { group: '', resource: 'serviceaccounts', subresource: '', ...account };
  return { group: '', resource: 'users', subresource: '', namespace: '', name };
}

function groupWish(name: string): Wish {
  return { group: '', resource: 'groups', subresource: '', namespace: '', name };
}

function uidWish(name: string): Wish {
  return { group: 'authentication.k8s.io', resource: 'uids', subresource: '', namespace: '', name };
}

function extraWishes(extra: Record<string, string[]>): Wish[] {
  return Object.entries(extra).flatMap(([key, values]) =>
    values.map((name) => ({ group: 'authentication.k8s.io', resource: 'userextras', subresource: key, namespace: '', name })),
  );
}

function check(user: User, wish: Wish, rbac: Rbac): void {
  const request: AccessRequest = { kind: 'resource', verb: 'impersonate', ...wish };
  const { allowed, reason } = rbac.decide(user, request);
  if (!allowed) throw forbidden({ group: wish.group, kind: wish.resource }, wish.name, denialText(user, request, reason));
}

function withStandardGroups(name: string, given: readonly string[]): string[] {
  if (name === 'system:anonymous') return given.includes(UNAUTHENTICATED) ? [...given] : [...given, UNAUTHENTICATED];
  const account = serviceAccountOf(name);
  const groups = given.length > 0 || account === undefined ? [...given] : ['system:serviceaccounts', `system:serviceaccounts:${account.namespace}`];
  return groups.includes(AUTHENTICATED) || groups.includes(UNAUTHENTICATED) ? groups : [...groups, AUTHENTICATED];
}
