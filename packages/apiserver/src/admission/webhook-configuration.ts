// The two kinds that register admission webhooks: their fields, defaults and errors.
// Source: k8s.io/kubernetes/pkg/apis/admissionregistration/{v1/defaults.go,validation/validation.go}.
import type { KubeObject, LabelSelectorLike } from '@snapshot-stack/api-types';
import { CompileError } from '../cel/issues.ts';
import type { WebhookClientConfig } from '../http/call-webhook.ts';
import type { Strategy } from '../registry/resource.ts';
import { duplicate, forbidden, invalid, notSupported, required, type FieldError } from '../schema/field-error.ts';
import { compileCondition } from './match-conditions.ts';

export interface WebhookRule {
  operations?: string[];
  apiGroups?: string[];
  apiVersions?: string[];
  resources?: string[];
  scope?: string;
}

export interface MatchCondition {
  name?: string;
  expression?: string;
}

export interface Webhook {
  name: string;
  clientConfig: WebhookClientConfig;
  rules?: WebhookRule[];
  failurePolicy?: string;
  matchPolicy?: string;
  namespaceSelector?: LabelSelectorLike;
  objectSelector?: LabelSelectorLike;
  sideEffects?: string;
  timeoutSeconds?: number;
  admissionReviewVersions?: string[];
  matchConditions?: MatchCondition[];
  /** Mutating webhooks only. */
  reinvocationPolicy?: string;
}

export interface WebhookConfiguration extends KubeObject {
  webhooks?: Webhook[];
}

const OPERATIONS = ['CREATE', 'UPDATE', 'DELETE', 'CONNECT', '*'];
const CONDITIONS_MAX = 64;
const DOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/** Fills in what a client may leave out, in place. */
function applyDefaults(configuration: WebhookConfiguration): void {
  for (const webhook of configuration.webhooks ?? []) {
    webhook.failurePolicy ??= 'Fail';
    webhook.matchPolicy ??= 'Equivalent';
    webhook.namespaceSelector ??= {};
    webhook.objectSelector ??= {};
    webhook.timeoutSeconds ??= 10;
    if (configuration.kind === 'MutatingWebhookConfiguration') webhook.reinvocationPolicy ??= 'Never';
    for (const rule of webhook.rules ?? []) rule.scope ??= '*';
    const { service } = webhook.clientConfig ?? {};
    if (service !== undefined) webhook.clientConfig = { ...webhook.clientConfig, service: { ...service, port: service.port ?? 443 } };
  }
}

function errorsOf(configuration: WebhookConfiguration): FieldError[] {
  const seen = new Set<string>();
  return (configuration.webhooks ?? []).flatMap((webhook, index) => {
    const at = `webhooks[${index}]`;
    const errors = webhookErrors(webhook, at);
    if (seen.has(webhook.name)) errors.push(duplicate(`${at}.name`, webhook.name));
    seen.add(webhook.name);
    return errors;
  });
}

function webhookErrors(webhook: Webhook, at: string): FieldError[] {
  const { timeoutSeconds, failurePolicy = '', matchPolicy = '', reinvocationPolicy, sideEffects, rules = [] } = webhook;
  const errors = [...nameErrors(webhook.name ?? '', `${at}.name`)];
  if ((webhook.admissionReviewVersions ?? []).length === 0) errors.push(required(`${at}.admissionReviewVersions`, 'must specify one of v1, v1beta1'));
  else if (webhook.admissionReviewVersions?.includes('v1') !== true)
    errors.push(invalid(`${at}.admissionReviewVersions`, webhook.admissionReviewVersions, 'must include at least one of v1, v1beta1'));
  rules.forEach((rule, index) => errors.push(...ruleErrors(rule, `${at}.rules[${index}]`)));
  oneOf(errors, `${at}.failurePolicy`, failurePolicy, ['Fail', 'Ignore']);
  oneOf(errors, `${at}.matchPolicy`, matchPolicy, ['Equivalent', 'Exact']);
  if (sideEffects === undefined) errors.push(required(`${at}.sideEffects`, 'must specify one of None, NoneOnDryRun'));
  else oneOf(errors, `${at}.sideEffects`, sideEffects, ['None', 'NoneOnDryRun']);
  if (timeoutSeconds !== undefined && (timeoutSeconds > 30 || timeoutSeconds < 1))
    errors.push(invalid(`${at}.timeoutSeconds`, timeoutSeconds, 'the timeout value must be between 1 and 30 seconds'));
  if (reinvocationPolicy !== undefined) oneOf(errors, `${at}.reinvocationPolicy`, reinvocationPolicy, ['IfNeeded', 'Never']);
  return [
    ...errors,
    ...clientErrors(webhook.clientConfig ?? {}, `${at}.clientConfig`),
    ...conditionErrors(webhook.matchConditions ?? [], `${at}.matchConditions`),
  ];
}

function oneOf(errors: FieldError[], field: string, value: string, allowed: readonly string[]): void {
  if (value !== '' && !allowed.includes(value)) errors.push(notSupported(field, value, allowed));
}

function nameErrors(name: string, field: string): FieldError[] {
  if (name === '') return [required(field)];
  if (!DOMAIN.test(name)) {
    return [
      invalid(
        field,
        name,
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
      ),
    ];
  }
  return name.split('.').length < 3 ? [invalid(field, name, 'should be a domain with at least three segments separated by dots')] : [];
}

function ruleErrors({ operations = [], apiGroups = [], apiVersions = [], resources = [], scope }: WebhookRule, at: string): FieldError[] {
  const errors: FieldError[] = [];
  if (apiGroups.length === 0) errors.push(required(`${at}.apiGroups`));
  if (apiGroups.length > 1 && apiGroups.includes('*'))
    errors.push(invalid(`${at}.apiGroups`, apiGroups, "if '*' is present, must not specify other API groups"));
  if (apiVersions.length === 0) errors.push(required(`${at}.apiVersions`));
  if (apiVersions.length > 1 && apiVersions.includes('*'))
    errors.push(invalid(`${at}.apiVersions`, apiVersions, "if '*' is present, must not specify other API versions"));
  apiVersions.forEach((version, index) => (version === '' ? errors.push(required(`${at}.apiVersions[${index}]`)) : 0));
  errors.push(...resourceErrors(resources, `${at}.resources`));
  if (scope !== undefined) oneOf(errors, `${at}.scope`, scope, ['*', 'Cluster', 'Namespaced']);
  if (operations.length === 0) errors.push(required(`${at}.operations`));
  if (operations.length > 1 && operations.includes('*'))
    errors.push(invalid(`${at}.operations`, operations, "if '*' is present, must not specify other operations"));
  operations.forEach((operation, index) => oneOf(errors, `${at}.operations[${index}]`, operation, OPERATIONS));
  return errors;
}

function resourceErrors(resources: readonly string[], at: string): FieldError[] {
  if (resources.length === 0) return [required(at)];
  const errors = resources.flatMap((resource, index) => (resource === '' ? [required(`${at}[${index}]`)] : []));
  if (resources.includes('*/*') && resources.length > 1) errors.push(invalid(at, resources, "if '*/*' is present, must not specify other resources"));
  if (resources.includes('*') && resources.some((resource) => resource !== '*' && !resource.includes('/')))
    errors.push(invalid(at, resources, "if '*' is present, must not specify other resources without subresources"));
  return errors;
}

function clientErrors({ url, service }: WebhookClientConfig, at: string): FieldError[] {
  if ((url === undefined) === (service === undefined)) return [required(at, 'exactly one of url or service is required')];
  if (url !== undefined) return urlErrors(url, `${at}.url`);
  const errors: FieldError[] = [];
  if ((service?.name ?? '') === '') errors.push(required(`${at}.service.name`, 'service name is required'));
  if ((service?.namespace ?? '') === '') errors.push(required(`${at}.service.namespace`, 'service namespace is required'));
  const port = service?.port ?? 443;
  if (port < 1 || port > 65_535) errors.push(invalid(`${at}.service.port`, port, 'port is not valid: must be between 1 and 65535, inclusive'));
  if (service?.path !== undefined && !service.path.startsWith('/')) errors.push(invalid(`${at}.service.path`, service.path, "must start with a '/'"));
  return errors;
}

function urlErrors(text: string, field: string): FieldError[] {
  const form = '; desired format: https://host[/path]';
  if (!URL.canParse(text)) return [required(field, `url must be a valid URL${form}`)];
  const url = new URL(text);
  const errors: FieldError[] = [];
  if (url.protocol !== 'https:') errors.push(invalid(field, url.protocol.slice(0, -1), `'https' is the only allowed URL scheme${form}`));
  if (url.username !== '') errors.push(invalid(field, url.username, 'user information is not permitted in the URL'));
  if (url.hash !== '') errors.push(invalid(field, url.hash.slice(1), 'fragments are not permitted in the URL'));
  if (url.search !== '') errors.push(invalid(field, url.search.slice(1), 'query parameters are not permitted in the URL'));
  return errors;
}

function conditionErrors(conditions: readonly MatchCondition[], at: string): FieldError[] {
  if (conditions.length > CONDITIONS_MAX) return [forbidden(at, `must have at most ${CONDITIONS_MAX} items`)];
  const seen = new Set<string>();
  return conditions.flatMap(({ name = '', expression = '' }, index) => {
    const errors: FieldError[] = [];
    if (name === '') errors.push(required(`${at}[${index}].name`));
    if (seen.has(name)) errors.push(duplicate(`${at}[${index}].name`, name));
    seen.add(name);
    if (expression.trim() === '') return [...errors, required(`${at}[${index}].expression`)];
    try {
      compileCondition(expression);
      return errors;
    } catch (error) {
      if (!(error instanceof CompileError)) throw error;
      return [...errors, invalid(`${at}[${index}].expression`, expression, `compilation failed: ${error.message}`)];
    }
  });
}

export const webhookConfiguration: Partial<Strategy> = {
  hasGeneration: true,
  prepareCreate: (object) => applyDefaults(object as WebhookConfiguration),
  prepareUpdate: (object) => applyDefaults(object as WebhookConfiguration),
  validate: (object) => errorsOf(object as WebhookConfiguration),
};
