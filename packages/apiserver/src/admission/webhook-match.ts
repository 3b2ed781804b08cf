// Which requests a webhook is called for. Source: k8s.io/apiserver/pkg/admission/plugin/webhook/predicates.
import { matchesLabels, type KubeObject, type LabelSelectorLike } from '@snapshot-stack/api-types';
import type { ResourceDefinition } from '../registry/resource.ts';
import type { Attributes } from '../registry/writer.ts';
import type { Webhook, WebhookRule } from './webhook-configuration.ts';

type LabelPredicate = (labels: Readonly<Record<string, string>>) => boolean;

const predicate =
  (selector: LabelSelectorLike | undefined): LabelPredicate =>
  (labels) =>
    matchesLabels(selector ?? {}, labels);

/** Predicates of one webhook, made once for each configuration. */
export interface CompiledWebhook {
  readonly webhook: Webhook;
  readonly configuration: string;
  readonly matchesNamespace: LabelPredicate;
  readonly matchesObject: LabelPredicate;
}

export function compileWebhook(webhook: Webhook, configuration: string): CompiledWebhook {
  const { namespaceSelector, objectSelector } = webhook;
  return {
    webhook,
    configuration,
    matchesNamespace: predicate(namespaceSelector),
    matchesObject: predicate(objectSelector),
  };
}

const holds = (list: readonly string[] | undefined, value: string): boolean => list?.includes('*') === true || list?.includes(value) === true;

function matchesRule(
  { operations, apiGroups, apiVersions, resources = [], scope = '*' }: WebhookRule,
  { operation, subresource = '' }: Attributes,
  definition: ResourceDefinition,
): boolean {
  if (!holds(operations, operation) || !holds(apiGroups, definition.group) || !holds(apiVersions, definition.version)) return false;
  if (scope !== '*' && (scope === 'Namespaced') !== definition.namespaced) return false;
  return resources.some((text) => {
    const [plural = '', below = ''] = text.split('/');
    return (plural === '*' || plural === definition.plural) && (below === '*' || below === subresource);
  });
}

/**
 * The definition in whose version the webhook wants the object; undefined when its rules do not speak of the request.
 * With matchPolicy Equivalent another version of the resource will do.
 */
export function wantedVersion({ webhook }: CompiledWebhook, attributes: Attributes, versions: readonly ResourceDefinition[]): ResourceDefinition | undefined {
  const rules = webhook.rules ?? [];
  if (rules.some((rule) => matchesRule(rule, attributes, attributes.definition))) return attributes.definition;
  if (webhook.matchPolicy === 'Exact') return undefined;
  return versions.find((version) => rules.some((rule) => matchesRule(rule, attributes, version)));
}

/** @param namespaceLabels of the namespace that the object is in; undefined for objects of the whole cluster */
export function matchesSelectors(
  { matchesNamespace, matchesObject }: CompiledWebhook,
  objects: readonly (KubeObject | undefined)[],
  namespaceLabels: Readonly<Record<string, string>> | undefined,
): boolean {
  if (namespaceLabels !== undefined && !matchesNamespace(namespaceLabels)) return false;
  return objects.some((object) => object !== undefined && matchesObject(object.metadata.labels ?? {}));
}
