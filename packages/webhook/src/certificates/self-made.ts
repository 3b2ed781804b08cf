// Certificates without cert-manager: made on first start, kept in a Secret that all replicas share, renewed before they
// expire, with the CA in every caBundle that points at our Service. See rotation.ts for the steps.
import { customResourceDefinitions } from '@snapshot-stack/api-types';
import { Controller, WorkQueue, type Client, type Clock, type Log, type Metrics, type Random, type Result } from '@snapshot-stack/runtime';
import { validatingWebhookConfigurations, type Target } from './bundles.ts';
import { decide, type Plan, type Policy, type SecretSeen, type Seen } from './decide.ts';
import { dnsNamesOf, performBundleWrite, performSecretWrite, type ExecuteOptions } from './execute.ts';
import { issue, type Issue } from './make.ts';
import { certificateMetrics, type CertificateMetrics } from './metrics.ts';
import { Observed, type Sight } from './observe.ts';
import type { Generation } from './rotation.ts';
import { SECRET_LABEL, SECRET_LABEL_VALUE, readSecret } from './secret.ts';
import { ServerTime } from './server-time.ts';
import type { CertificateSource, ServingCertificate } from './source.ts';
import { Trust } from './trust.ts';

export interface SelfMadeOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics?: Metrics | undefined;
  /** Of Secret and Service. */
  readonly namespace: string;
  readonly secretName: string;
  readonly serviceName: string;
  /** Names of ValidatingWebhookConfigurations. Only what points at our Service is written; what is not there is waited for. */
  readonly webhookConfigurations: readonly string[];
  /** Names of CustomResourceDefinitions; as above. */
  readonly convertedCrds: readonly string[];
  readonly policy?: Partial<Policy>;
  /** Makes certificates; the real thing by default. */
  readonly issue?: Issue;
  /** Time as it is for those who verify; asked of the API server by default. */
  readonly time?: Pick<ServerTime, 'now' | 'refresh'>;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export const defaultPolicy: Policy = { validMs: 90 * DAY_MS, renewBeforeMs: 30 * DAY_MS, settleMs: 30_000, lookMs: HOUR_MS };

const KEY = 'certificates';
const RETRY_START_MS = 200;
const RETRY_MAX_MS = 30_000;

/** Makes, keeps and renews certificates. One source is good for one start. */
export function selfMadeCertificates(options: SelfMadeOptions): CertificateSource {
  return new SelfMadeCertificates(options);
}

class SelfMadeCertificates implements CertificateSource {
  readonly #options: SelfMadeOptions;
  readonly #policy: Policy;
  readonly #metrics: CertificateMetrics;
  readonly #observed: Observed;
  readonly #queue: WorkQueue;
  readonly #execute: ExecuteOptions;
  readonly #time: Pick<ServerTime, 'now' | 'refresh'>;
  readonly #trust = new Trust();
  readonly #end = new AbortController();
  readonly #first = Promise.withResolvers<ServingCertificate>();
  #working: Promise<unknown> = Promise.resolve();
  #onChange: (certificate: ServingCertificate) => void = () => {};
  #held: Generation | undefined;
  #trouble: string | undefined;
  #wasReady = false;
  #complaint: string | undefined;

  constructor(options: SelfMadeOptions) {
    const { client, clock, random, log, metrics, namespace, secretName, serviceName } = options;
    this.#options = options;
    this.#policy = { ...defaultPolicy, ...options.policy };
    this.#metrics = certificateMetrics(metrics);
    this.#time = options.time ?? new ServerTime(client, clock);
    this.#queue = new WorkQueue({ name: KEY, clock, random, startMs: RETRY_START_MS, maxMs: RETRY_MAX_MS });
    const secret = { namespace, name: secretName };
    const service = { namespace, name: serviceName };
    this.#observed = new Observed({ client, clock, random, log, secret, service, targets: targetsOf(options) }, () => this.#changed());
    this.#execute = { client, log, metrics: this.#metrics, observed: this.#observed, secret, service, issue: options.issue ?? issue, policy: this.#policy };
  }

  async start(signal: AbortSignal): Promise<ServingCertificate> {
    const controller = new Controller({ name: KEY, queue: this.#queue, workers: 1, log: this.#options.log, reconcile: (_key, end) => this.#pass(end) });
    this.#working = Promise.all([this.#observed.run(this.#end.signal), controller.run(this.#end.signal)]);
    const abort = (): void => {
      this.#end.abort();
      this.#first.reject(signal.reason as Error);
    };
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    try {
      return await this.#first.promise;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  async run(onChange: (certificate: ServingCertificate) => void, signal: AbortSignal): Promise<void> {
    const given = await this.#first.promise;
    this.#onChange = onChange;
    if (this.#held !== undefined && this.#held.cert !== given.cert) onChange(servingOf(this.#held));
    const abort = (): void => this.#end.abort();
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    await this.#working;
  }

  /**
   * Once reviews could be expected to work, only an expired certificate is trouble: a caBundle that somebody resets is
   * set right sooner than an unready pod would be back behind its Service.
   */
  trouble(): string | undefined {
    if (this.#held === undefined) return this.#observed.unread() ?? this.#complaint ?? this.#trouble ?? 'the certificate is being made';
    const nowMs = this.#time.now();
    if (nowMs >= this.#held.notAfterMs)
      return `the certificate expired at ${new Date(this.#held.notAfterMs).toISOString()}; the log says why it was not renewed`;
    return this.#wasReady ? undefined : (this.#observed.unread() ?? this.#trouble);
  }

  #changed(): void {
    this.#noteTrust(this.#observed.sight());
    this.#queue.add(KEY);
  }

  /** @returns what is in the Secret */
  #noteTrust({ secret, bundles }: Sight): SecretSeen {
    const seen = readSecret(secret, this.#dnsName);
    const candidates = [...(seen.kind === 'whole' ? seen.state.cas : []), ...(this.#held === undefined ? [] : [this.#held.ca])];
    this.#trust.update(bundles, candidates, this.#options.clock.elapsed());
    return seen;
  }

  get #dnsName(): string {
    const { serviceName: name, namespace } = this.#options;
    return dnsNamesOf({ name, namespace })[0];
  }

  async #pass(signal: AbortSignal): Promise<Result> {
    if (!this.#observed.knowsSecret) return { kind: 'after', ms: this.#policy.lookMs, why: 'the Secret has not been read yet' };
    await this.#time.refresh(signal);
    const sight = this.#observed.sight();
    const seen = this.#seen(sight);
    const plan = decide(seen, this.#policy);
    this.#complainOf(seen);
    this.#serve(plan);
    for (const write of plan.bundles) await performBundleWrite(write, sight, this.#execute, signal);
    if (plan.secret !== undefined) await performSecretWrite(plan.secret, sight.secret, seen.nowMs, this.#execute, signal);
    return { kind: 'after', ms: plan.lookAgainAfterMs, why: plan.trouble ?? 'certificates are in order' };
  }

  #seen(sight: Sight): Seen {
    const secret = this.#noteTrust(sight);
    const trustedForMs = this.#trust.forMs(this.#options.clock.elapsed());
    return { nowMs: this.#time.now(), secret, held: this.#held, bundles: sight.bundles, trustedForMs };
  }

  #serve({ serve, trouble }: Plan): void {
    this.#trouble = trouble;
    if (serve !== undefined && trouble === undefined) this.#wasReady = true;
    if (serve === undefined || serve.cert === this.#held?.cert) return;
    const isFirst = this.#held === undefined;
    this.#held = serve;
    this.#metrics.inUse(serve.notAfterMs);
    this.#options.log.info(isFirst ? 'serving with a certificate of our own making' : 'serving with the next certificate', {
      notAfter: new Date(serve.notAfterMs).toISOString(),
    });
    if (isFirst) this.#first.resolve(servingOf(serve));
    else this.#onChange(servingOf(serve));
  }

  /** Says once what only a human can mend. */
  #complainOf({ secret }: Seen): void {
    const { namespace, secretName, log } = this.#options;
    const complaint =
      secret.kind === 'foreign'
        ? `Secret ${namespace}/${secretName} lacks the label ${SECRET_LABEL}=${SECRET_LABEL_VALUE}, so it may be somebody else's and is left alone. ` +
          'Delete it, or label it so if it may be overwritten, or name another by --certificate-secret; to serve with its certificate, mount it and use --certificates=files'
        : undefined;
    if (complaint !== undefined && complaint !== this.#complaint) log.error(complaint);
    this.#complaint = complaint;
  }
}

function servingOf({ cert, key }: Generation): ServingCertificate {
  return { cert, key };
}

function targetsOf({ webhookConfigurations, convertedCrds }: SelfMadeOptions): Target[] {
  return [
    ...webhookConfigurations.map((name) => ({ resource: validatingWebhookConfigurations, name })),
    ...convertedCrds.map((name) => ({ resource: customResourceDefinitions, name })),
  ];
}
