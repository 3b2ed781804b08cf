import { apiVersionOf, type Resource } from '@snapshot-stack/api-types';
import type { Client } from '../client/client.ts';
import { KubeError } from '../client/kube-error.ts';
import { Backoff, type Clock, type Log } from '../process/index.ts';

export interface WaitForResourcesOptions {
  client: Client;
  resources: readonly Resource[];
  clock: Clock;
  log: Log;
  /** The longest pause between two looks. */
  maxMs: number;
  /** Told what is missing now (for readiness); an empty list at the end. */
  onMissing?: (missing: readonly string[]) => void;
  signal: AbortSignal;
}

/**
 * Resolves once the API server serves all the resources. Until then the process stays up, not ready, and says
 * what is missing: CRDs may be installed after us.
 */
export async function waitForResources(options: WaitForResourcesOptions): Promise<void> {
  const { client, clock, log, signal, onMissing = () => {} } = options;
  const backoff = new Backoff({ startMs: 100, factor: 1.5, maxMs: Math.max(1_000, options.maxMs) });
  let said = '';
  for (;;) {
    const missing: string[] = [];
    for (const resource of options.resources) {
      const problem = await serves(client, resource, signal);
      if (problem !== undefined) missing.push(problem);
    }
    onMissing(missing);
    if (missing.length === 0) {
      if (said !== '') log.info('everything that was missing is there now; starting');
      return;
    }
    const text = missing.join('; ');
    if (text !== said) log.warn(`not ready: ${text}. Install the CustomResourceDefinitions (the chart does it); looking again by itself`);
    said = text;
    await clock.sleep(backoff.next(), signal);
  }
}

async function serves(client: Client, resource: Resource, signal: AbortSignal): Promise<string | undefined> {
  try {
    await client.list(resource, { limit: 1, signal });
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    const name = `${resource.plural} (${apiVersionOf(resource)})`;
    const { code, message } = KubeError.from(error);
    return code === 'NotFound' ? `${name} is not served` : `${name}: ${message}`;
  }
}
