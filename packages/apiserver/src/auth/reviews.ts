// Kinds that are questions and not objects: access reviews, token reviews and token requests. They are created,
// answered and never stored. Source: k8s.io/kubernetes/pkg/registry/{authentication,authorization}.
import type { KubeObject } from '@snapshot-stack/api-types';
import type { User } from '../registry/writer.ts';
import { invalid as invalidValue, type FieldError } from '../schema/field-error.ts';
import type { JsonObject } from '../schema/schema.ts';
import { badRequest, invalid, notFound } from '../status.ts';
import type { Store } from '../store/store.ts';
import { OWN_AUDIENCES, type Authenticator } from './authenticator.ts';
import type { Rbac } from './rbac.ts';
import type { AccessRequest, PolicyRule } from './rbac-rules.ts';
import type { ServiceAccountTokens } from './service-account-tokens.ts';

const AUTHORIZATION = 'authorization.k8s.io';
const AUTHENTICATION = 'authentication.k8s.io';
const HOUR_SECONDS = 3_600;
const EXPIRATION_SECONDS_MIN = 600;
const EXPIRATION_SECONDS_MAX = 2 ** 32;

export interface ReviewsOptions {
  rbac: Rbac;
  authenticator: Authenticator;
  serviceAccounts: ServiceAccountTokens;
  store: Store;
  now: () => Date;
}

interface AccessSpec {
  resourceAttributes?: Partial<Record<'verb' | 'group' | 'resource' | 'subresource' | 'namespace' | 'name', string>>;
  nonResourceAttributes?: { verb?: string; path?: string };
  user?: string;
  groups?: string[];
  uid?: string;
  extra?: Record<string, string[]>;
}

interface TokenSpec {
  audiences?: string[];
  expirationSeconds?: number;
  boundObjectRef?: { kind?: string; apiVersion?: string; name?: string; uid?: string };
}

type Review = KubeObject & { spec?: JsonObject };

export class Reviews {
  readonly #options: ReviewsOptions;

  constructor(options: ReviewsOptions) {
    this.#options = options;
  }

  /** True for kinds that are answered here. */
  answers(group: string): boolean {
    return group === AUTHORIZATION || group === AUTHENTICATION;
  }

  /** The review with its status. @throws StatusError 400 or 422 for a question that cannot be answered */
  answer(review: KubeObject, user: User, namespace: string | undefined): KubeObject {
    const { kind, spec = {} } = review as Review;
    switch (kind) {
      case 'SelfSubjectAccessReview':
        return this.#accessReview(review, { ...(spec as AccessSpec), ...subjectOf(user) });
      case 'LocalSubjectAccessReview':
        return this.#localReview(review, spec as AccessSpec, namespace ?? '');
      case 'SubjectAccessReview':
        return this.#accessReview(review, spec as AccessSpec);
      case 'SelfSubjectRulesReview':
        return this.#rulesReview(review, user);
      case 'SelfSubjectReview':
        return withStatus(review, { userInfo: userInfo(user) }, this.#options.now());
      case 'TokenReview':
        return this.#tokenReview(review, spec as { token?: string; audiences?: string[] });
      default:
        throw badRequest(`${String(kind)} is no review`);
    }
  }

  #localReview(review: KubeObject, spec: AccessSpec, namespace: string): KubeObject {
    if (spec.resourceAttributes?.namespace !== namespace) throw badRequest(`spec.resourceAttributes.namespace must match namespace: ${namespace}`);
    return this.#accessReview(review, spec);
  }

  #accessReview(review: KubeObject, spec: AccessSpec): KubeObject {
    const errors = accessErrors(spec);
    if (errors.length > 0) throw invalid({ group: AUTHORIZATION, kind: review.kind ?? '' }, '', errors);
    const subject: User = { name: spec.user ?? '', groups: spec.groups ?? [], ...(spec.extra === undefined ? {} : { extra: spec.extra }) };
    const { allowed, reason } = this.#options.rbac.decide(subject, requestOf(spec));
    return withStatus(review, { allowed, ...(reason === '' ? {} : { reason }) });
  }

  #rulesReview(review: KubeObject, user: User): KubeObject {
    const namespace = (review as Review).spec?.['namespace'];
    if (typeof namespace !== 'string' || namespace === '') throw badRequest('no namespace on request');
    const rules = this.#options.rbac.rulesFor(user, namespace);
    const resourceRules = rules.filter((rule) => (rule.resources ?? []).length > 0).map(resourceRule);
    const nonResourceRules = rules.filter((rule) => (rule.nonResourceURLs ?? []).length > 0).map(({ verbs, nonResourceURLs }) => ({ verbs, nonResourceURLs }));
    return withStatus(review, { resourceRules, nonResourceRules, incomplete: false });
  }

  #tokenReview(review: KubeObject, { token = '', audiences = [] }: { token?: string; audiences?: string[] }): KubeObject {
    if (token === '') throw badRequest('token is required for TokenReview in authentication');
    const found = this.#options.authenticator.review(token, audiences.length === 0 ? OWN_AUDIENCES : audiences);
    // A text that is no JWT is no token that anything here could judge, which is no error.
    if (found === undefined) return withStatus(review, { user: {}, ...(token.split('.').length === 3 ? { error: '[invalid bearer token]' } : {}) });
    return withStatus(review, { authenticated: true, user: userInfo(found.user), audiences: found.audiences });
  }

  /** POST serviceaccounts/NAME/token. @throws StatusError 404 without the account, 422 for a wish that cannot be */
  requestToken(request: KubeObject, namespace: string, name: string): KubeObject {
    const account = this.#options.store.collection('/serviceaccounts').get(`${namespace}/${name}`)?.object;
    if (account === undefined) throw notFound({ group: '', kind: 'serviceaccounts' }, name);
    const spec = (request as Review).spec as TokenSpec | undefined;
    const { expirationSeconds = HOUR_SECONDS, boundObjectRef } = spec ?? {};
    const audiences = (spec?.audiences ?? []).length === 0 ? [...OWN_AUDIENCES] : (spec?.audiences ?? []);
    const errors = tokenErrors(expirationSeconds);
    if (errors.length > 0) throw invalid({ group: AUTHENTICATION, kind: 'TokenRequest' }, name, errors);
    const boundTo = boundObjectRef === undefined ? undefined : this.#bound(boundObjectRef, namespace);
    const wish = { namespace, name, uid: account.metadata.uid ?? '', audiences, expirationSeconds, boundTo };
    const { token, expiresAt } = this.#options.serviceAccounts.issue(wish);
    const full = {
      ...request,
      metadata: { ...request.metadata, name, namespace },
      spec: { audiences, expirationSeconds, ...(boundObjectRef === undefined ? {} : { boundObjectRef }) },
    };
    return withStatus(full as KubeObject, { token, expirationTimestamp: timestamp(expiresAt) }, this.#options.now());
  }

  #bound({ kind = '', name = '', uid }: NonNullable<TokenSpec['boundObjectRef']>, namespace: string): { kind: string; name: string; uid: string } {
    if (!['Pod', 'Secret', 'Node'].includes(kind))
      throw badRequest(`cannot bind token for serviceaccount to object of type ${kind === '' ? '/, Kind=' : `/v1, Kind=${kind}`}`);
    const found = this.#options.serviceAccounts.boundUid(kind, namespace, name);
    if (found === undefined) throw notFound({ group: '', kind: `${kind.toLowerCase()}s` }, name);
    if (uid !== undefined && uid !== '' && uid !== found) {
      throw badRequest(
        `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    }
    return { kind, name, uid: found };
  }
}

function timestamp(date: Date): string {
  return date.toISOString().replace(/\.\d+Z$/, 'Z');
}

function withStatus(review: KubeObject, status: object, created?: Date): KubeObject {
  const metadata = created === undefined ? review.metadata : { ...review.metadata, creationTimestamp: timestamp(created) };
  return { ...review, metadata, status } as KubeObject;
}

function subjectOf(user: User): Pick<AccessSpec, 'user' | 'groups'> {
  return { user: user.name, groups: [...user.groups] };
}

function userInfo({ name, uid, groups, extra }: User): object {
  return { username: name, ...(uid === undefined ? {} : { uid }), groups, ...(extra === undefined ? {} : { extra }) };
}

function accessErrors({ resourceAttributes, nonResourceAttributes, user = '', groups = [] }: AccessSpec): FieldError[] {
  const errors: FieldError[] = [];
  if (resourceAttributes !== undefined && nonResourceAttributes !== undefined)
    errors.push(invalidValue('spec.nonResourceAttributes', nonResourceAttributes, 'cannot be specified in combination with resourceAttributes'));
  if (resourceAttributes === undefined && nonResourceAttributes === undefined)
    errors.push(invalidValue('spec.resourceAttributes', null, 'exactly one of nonResourceAttributes or resourceAttributes must be specified'));
  if (user === '' && groups.length === 0) errors.push(invalidValue('spec.user', '', 'at least one of user or group must be specified'));
  return errors;
}

function tokenErrors(seconds: number): FieldError[] {
  if (seconds < EXPIRATION_SECONDS_MIN) return [invalidValue('spec.expirationSeconds', seconds, 'may not specify a duration less than 10 minutes')];
  return seconds > EXPIRATION_SECONDS_MAX ? [invalidValue('spec.expirationSeconds', seconds, 'may not specify a duration larger than 2^32 seconds')] : [];
}

function requestOf({ resourceAttributes, nonResourceAttributes }: AccessSpec): AccessRequest {
  if (resourceAttributes === undefined) return { kind: 'path', verb: nonResourceAttributes?.verb ?? '', path: nonResourceAttributes?.path ?? '' };
  const { verb = '', group = '', resource = '', subresource = '', namespace = '', name = '' } = resourceAttributes;
  return { kind: 'resource', verb, group, resource, subresource, namespace, name };
}

function resourceRule({ verbs, apiGroups = [], resources = [], resourceNames }: PolicyRule): object {
  return { verbs, apiGroups, resources, ...(resourceNames === undefined ? {} : { resourceNames }) };
}
