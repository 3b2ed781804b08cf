// Calls the admission webhooks that are registered: the mutating ones one after the other, in the order of their
// configurations' names, then the validating ones at once.
// Source: k8s.io/apiserver/pkg/admission/plugin/webhook/{mutating,validating}/dispatcher.go.
import type { KubeObject } from '@snapshot-stack/api-types';
import { inVersion } from '../crd/versions.ts';
import { callWebhook, WebhookError, type WebhookCall, type WebhookClientConfig } from '../http/call-webhook.ts';
import type { Catalogue } from '../registry/catalogue.ts';
import { deepEqual } from '../registry/deep-equal.ts';
import type { ResourceDefinition } from '../registry/resource.ts';
import type { Admission, Attributes } from '../registry/writer.ts';
import { badRequest, internal, StatusError } from '../status.ts';
import type { Store } from '../store/store.ts';
import { matchConditions } from './match-conditions.ts';
import type { WebhookConfiguration } from './webhook-configuration.ts';
import { compileWebhook, matchesSelectors, wantedVersion, type CompiledWebhook } from './webhook-match.ts';
import { makeReview, patched, readAnswer, refusal, UselessAnswer, type Verdict } from './webhook-review.ts';

const GROUP = 'admissionregistration.k8s.io';
const TIMEOUT_SECONDS = 10;
const QUESTIONS = new Set(['authentication.k8s.io', 'authorization.k8s.io']);

export interface WebhooksOptions {
  store: Store;
  catalogue: Catalogue;
  /** Where a Service is to be reached; there is no service network here. */
  resolveService?: NonNullable<WebhookCall['resolveService']> | undefined;
}

type Phase = 'mutatingwebhookconfigurations' | 'validatingwebhookconfigurations';

export class Webhooks implements Admission {
  readonly #options: WebhooksOptions;
  readonly #compiled = new Map<Phase, readonly CompiledWebhook[]>();

  constructor(options: WebhooksOptions) {
    this.#options = options;
    for (const phase of ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations'] as const) {
      options.store.collection(`${GROUP}/${phase}`).listen(() => this.#compiled.delete(phase));
    }
  }

  /** Reads the configurations anew only after one of them changed. */
  #webhooks(phase: Phase): readonly CompiledWebhook[] {
    let compiled = this.#compiled.get(phase);
    if (compiled === undefined) {
      const entries = this.#options.store.collection(`${GROUP}/${phase}`).list('');
      compiled = entries.flatMap(({ object }) =>
        ((object as WebhookConfiguration).webhooks ?? []).map((webhook) => compileWebhook(webhook, object.metadata.name ?? '')),
      );
      this.#compiled.set(phase, compiled);
    }
    return compiled;
  }

  async mutate(attributes: Attributes, object: KubeObject | undefined, old: KubeObject | undefined): Promise<KubeObject | undefined> {
    const webhooks = isExempt(attributes) ? [] : this.#webhooks('mutatingwebhookconfigurations');
    if (webhooks.length === 0) return object;
    let current = object;
    // What each webhook left, to ask those again that want to see later changes.
    const leftBy = new Map<CompiledWebhook, KubeObject | undefined>();
    for (const webhook of webhooks) {
      const called = await this.#mutateBy(webhook, attributes, current, old);
      if (called === undefined) continue;
      current = called.object;
      leftBy.set(webhook, current);
    }
    for (const [webhook, left] of leftBy) {
      if (webhook.webhook.reinvocationPolicy !== 'IfNeeded' || deepEqual(left, current)) continue;
      const called = await this.#mutateBy(webhook, attributes, current, old);
      if (called !== undefined) current = called.object;
    }
    return current;
  }

  async #mutateBy(
    webhook: CompiledWebhook,
    attributes: Attributes,
    object: KubeObject | undefined,
    old: KubeObject | undefined,
  ): Promise<{ object: KubeObject | undefined } | undefined> {
    const version = this.#wants(webhook, attributes, object, old);
    if (version === undefined) return undefined;
    const verdict = await this.#ask(webhook, version, attributes, object, old, true);
    if (verdict?.patch === undefined || object === undefined) return { object };
    return { object: inVersion(attributes.definition, patched(inVersion(version, object), verdict.patch)) };
  }

  async validate(attributes: Attributes, object: KubeObject | undefined, old: KubeObject | undefined): Promise<void> {
    const webhooks = isExempt(attributes) ? [] : this.#webhooks('validatingwebhookconfigurations');
    if (webhooks.length === 0) return;
    const calls = webhooks.map(async (webhook) => {
      const version = this.#wants(webhook, attributes, object, old);
      if (version !== undefined) await this.#ask(webhook, version, attributes, object, old, false);
    });
    const outcomes = await Promise.allSettled(calls);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  /** The version in which the webhook wants to see the request; undefined when it does not want it at all. */
  #wants(webhook: CompiledWebhook, attributes: Attributes, object: KubeObject | undefined, old: KubeObject | undefined): ResourceDefinition | undefined {
    const { definition } = attributes;
    const versions = this.#options.catalogue
      .all()
      .filter(({ group, plural, version }) => group === definition.group && plural === definition.plural && version !== definition.version);
    const version = wantedVersion(webhook, attributes, versions);
    if (version === undefined || !matchesSelectors(webhook, [object, old], this.#namespaceLabels(attributes, object, old))) return undefined;
    return this.#meetsConditions(webhook, version, attributes, object, old) ? version : undefined;
  }

  #namespaceLabels(
    { definition, namespace }: Attributes,
    object: KubeObject | undefined,
    old: KubeObject | undefined,
  ): Readonly<Record<string, string>> | undefined {
    if (definition.group === '' && definition.plural === 'namespaces') return (object ?? old)?.metadata.labels ?? {};
    if (namespace === undefined) return undefined;
    return this.#options.store.collection('/namespaces').get(namespace)?.object.metadata.labels ?? {};
  }

  #meetsConditions(
    { webhook }: CompiledWebhook,
    version: ResourceDefinition,
    attributes: Attributes,
    object: KubeObject | undefined,
    old: KubeObject | undefined,
  ): boolean {
    const conditions = webhook.matchConditions ?? [];
    if (conditions.length === 0) return true;
    const { request } = makeReview(attributes, version, undefined, undefined).body;
    const verdict = matchConditions(conditions, { object, oldObject: old, request });
    if (verdict.kind === 'failed' && webhook.failurePolicy !== 'Ignore') {
      throw new StatusError(403, 'Forbidden', `${attributes.definition.plural} ${JSON.stringify(attributes.name)} is forbidden: ${verdict.why}`, {
        name: attributes.name,
        kind: attributes.definition.plural,
      });
    }
    return verdict.kind === 'matches';
  }

  /** The answer; undefined when there is none and the webhook may be ignored. @throws StatusError for a refusal */
  async #ask(
    { webhook }: CompiledWebhook,
    version: ResourceDefinition,
    attributes: Attributes,
    object: KubeObject | undefined,
    old: KubeObject | undefined,
    mutating: boolean,
  ): Promise<Verdict | undefined> {
    if (attributes.dryRun && webhook.sideEffects !== 'None' && webhook.sideEffects !== 'NoneOnDryRun') {
      throw badRequest(`admission webhook ${JSON.stringify(webhook.name)} does not support dry run`);
    }
    const seen = (one: KubeObject | undefined): KubeObject | undefined => (one === undefined ? undefined : inVersion(version, one));
    const review = makeReview(attributes, version, seen(object), seen(old));
    try {
      const verdict = readAnswer(await this.#call(webhook.clientConfig, webhook.timeoutSeconds ?? TIMEOUT_SECONDS, review.body), review.uid, mutating);
      for (const warning of verdict.warnings) attributes.warn(warning);
      if (!verdict.allowed) throw refusal(webhook.name, verdict.status);
      return verdict;
    } catch (error) {
      if (!(error instanceof WebhookError) && !(error instanceof UselessAnswer)) throw error;
      if (webhook.failurePolicy === 'Ignore') return undefined;
      const head = error instanceof WebhookError ? 'failed to call webhook: ' : '';
      throw internal(`failed calling webhook ${JSON.stringify(webhook.name)}: ${head}${error.message}`);
    }
  }

  #call(config: WebhookClientConfig, timeoutSeconds: number, body: unknown): Promise<unknown> {
    const timeout = `timeout=${timeoutSeconds}s`;
    const { url, service } = config;
    const target =
      service === undefined ? { ...config, url: `${url ?? ''}?${timeout}` } : { ...config, service: { ...service, path: `${service.path ?? '/'}?${timeout}` } };
    const { resolveService } = this.#options;
    return callWebhook({ config: target, body, timeoutMs: timeoutSeconds * 1_000, ...(resolveService === undefined ? {} : { resolveService }) });
  }
}

/** Webhooks could lock out their own repair, and have no say in questions. */
function isExempt({ definition }: Attributes): boolean {
  return QUESTIONS.has(definition.group) || (definition.group === GROUP && definition.kind.endsWith('WebhookConfiguration'));
}
