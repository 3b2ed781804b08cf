// Carries out what was decided: one guarded write each, so that a decision made on something old meets a conflict.
import { secrets, type KubeObject, type Secret } from '@snapshot-stack/api-types';
import { isAlreadyExists, type Client, type Log } from '@snapshot-stack/runtime';
import { bundlePatch, targetLabel, type ServiceName } from './bundles.ts';
import type { BundleWrite, Policy, SecretWrite } from './decide.ts';
import type { Issue } from './make.ts';
import type { CertificateMetrics } from './metrics.ts';
import type { Observed, Sight } from './observe.ts';
import { made, prepared, promoted, type Generation, type SecretState } from './rotation.ts';
import { writeSecret } from './secret.ts';

export interface ExecuteOptions {
  readonly client: Client;
  readonly log: Log;
  readonly metrics: CertificateMetrics;
  readonly observed: Observed;
  readonly secret: { readonly namespace: string; readonly name: string };
  readonly service: ServiceName;
  readonly issue: Issue;
  readonly policy: Policy;
}

/**
 * Certificates are valid from here on, long ago: being valid too early harms nobody, and an API server whose clock is
 * behind, or one of several that disagree, would refuse a certificate that is not valid yet.
 */
const NOT_BEFORE_MS = Date.UTC(2020, 0, 1);

/** The names that a Service is called by; API servers use the first. */
export function dnsNamesOf({ name, namespace }: ServiceName): [string, ...string[]] {
  return [`${name}.${namespace}.svc`, `${name}.${namespace}.svc.cluster.local`, `${name}.${namespace}`, name];
}

/** @param old the Secret that was decided on; undefined when there was none */
export async function performSecretWrite(
  write: SecretWrite,
  old: Secret | undefined,
  nowMs: number,
  options: ExecuteOptions,
  signal: AbortSignal,
): Promise<void> {
  const { client, log, metrics, observed, secret } = options;
  const state = await stateAfter(write, nowMs, options);
  const object = writeSecret(state, secret.name, secret.namespace, old);
  const at = `${secret.namespace}/${secret.name}`;
  try {
    const written = old === undefined ? await client.create(secrets, object, { signal }) : await client.replace(secrets, object, { signal });
    observed.rememberSecret(written);
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    log.info('another replica has made the Secret first; taking its certificates', { secret: at });
    return;
  }
  const newest = state.next ?? state.current;
  const fields = { secret: at, why: write.why, notAfter: new Date(newest.notAfterMs).toISOString() };
  if (write.kind === 'promote') log.info('put the next certificate into use', fields);
  else if (write.kind === 'prepare') log.info('prepared the next certificate; it is used once API servers trust its CA', fields);
  else if (old === undefined) log.info('made a CA and a certificate', fields);
  else log.warn('the Secret was damaged and has been replaced by new certificates', fields);
  metrics.step(write.kind === 'make' ? 'made' : write.kind === 'prepare' ? 'prepared' : 'promoted');
}

async function stateAfter(write: SecretWrite, nowMs: number, options: ExecuteOptions): Promise<SecretState> {
  if (write.kind === 'promote') return promoted(write.state);
  const issued = await issueNow(nowMs, options);
  return write.kind === 'make' ? made(issued, write.keep) : prepared(write.state, issued);
}

async function issueNow(nowMs: number, { issue, service, policy }: ExecuteOptions): Promise<Generation> {
  // Certificates know whole seconds.
  const notAfterMs = Math.floor((nowMs + policy.validMs) / 1_000) * 1_000;
  const notBeforeMs = Math.min(NOT_BEFORE_MS, nowMs - policy.validMs);
  return { ...(await issue({ dnsNames: dnsNamesOf(service), notBeforeMs, notAfterMs })), notAfterMs };
}

/** @param sight what was decided on */
export async function performBundleWrite({ target: label, cas, why }: BundleWrite, sight: Sight, options: ExecuteOptions, signal: AbortSignal): Promise<void> {
  const { client, log, metrics, observed, service } = options;
  const found = sight.objects.find(({ target }) => targetLabel(target) === label);
  if (found === undefined) throw new Error(`a caBundle of ${label} was decided on without the object`);
  const { target, object } = found;
  const written: KubeObject = await client.patch(target.resource, { name: target.name }, bundlePatch(object, target, service, cas), { signal });
  observed.rememberObject(target, written);
  metrics.bundleWritten();
  log.info('set the caBundle right', { of: label, why, cas: cas.length });
}
