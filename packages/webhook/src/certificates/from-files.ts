// A certificate given as files, as a Secret volume or cert-manager brings them. kubelet swaps such a volume by renaming
// one symbolic link, so what is watched is the folder, and what counts is what the files say: a pair that does not fit
// together (half of it written) is refused, and the one in use stays.
import { watch, type FSWatcher } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock, Log, Metrics } from '@snapshot-stack/runtime';
import { certificateMetrics, type CertificateMetrics } from './metrics.ts';
import { CertificateError, inspectPair, staleness, type PairFacts } from './pair.ts';
import type { CertificateSource, ServingCertificate } from './source.ts';

export interface FileCertificateOptions {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics?: Metrics | undefined;
  /** So often the files are read even if no change was told of; 30 s by default. */
  readonly pollMs?: number;
}

const POLL_MS = 30_000;
/** A change is read this long after it was told of, so that both files are there. */
const SETTLE_MS = 100;

/** Serves with files, read again when they change. Until they are there and fit together, {@link CertificateSource.start} waits. */
export function certificatesFromFiles(options: FileCertificateOptions): CertificateSource {
  return new FileCertificates(options);
}

class FileCertificates implements CertificateSource {
  readonly #options: FileCertificateOptions;
  readonly #metrics: CertificateMetrics;
  #current: { readonly pair: ServingCertificate; readonly facts: PairFacts } | undefined;
  /** Why the files as they are now are not used. */
  #refused: string | undefined;
  #saidStale: string | undefined;

  constructor(options: FileCertificateOptions) {
    this.#options = options;
    this.#metrics = certificateMetrics(options.metrics);
  }

  async start(signal: AbortSignal): Promise<ServingCertificate> {
    await this.#follow(signal, () => this.#current !== undefined);
    signal.throwIfAborted();
    if (this.#current === undefined) throw new Error('unreachable: following ended without a certificate');
    return this.#current.pair;
  }

  async run(onChange: (certificate: ServingCertificate) => void, signal: AbortSignal): Promise<void> {
    await this.#follow(signal, (fresh) => {
      if (fresh !== undefined) onChange(fresh);
      return false;
    });
  }

  trouble(): string | undefined {
    const { certFile, clock } = this.#options;
    if (this.#current === undefined) return this.#refused ?? `${certFile} has not been read yet`;
    const why = staleness(this.#current.facts, clock.now());
    if (why === undefined) return undefined;
    return `the certificate of ${certFile} cannot be used: ${why}; renew it${this.#refused === undefined ? '' : ` (${this.#refused})`}`;
  }

  /** Reads now, at each change and at each poll, until `enough` says so or the signal aborts. `enough` gets what is new. */
  async #follow(signal: AbortSignal, enough: (fresh: ServingCertificate | undefined) => boolean): Promise<void> {
    const { certFile, keyFile, clock, pollMs = POLL_MS } = this.#options;
    let nudge = Promise.withResolvers<void>();
    const watchers = [...new Set([dirname(certFile), dirname(keyFile)])].map((folder) => watchFolder(folder, () => nudge.resolve()));
    try {
      while (!signal.aborted) {
        nudge = Promise.withResolvers<void>();
        if (enough(await this.#read())) return;
        const waiting = new AbortController();
        const either = AbortSignal.any([signal, waiting.signal]);
        const poll = clock.sleep(pollMs, either).catch(() => {});
        await Promise.race([poll, nudge.promise]);
        waiting.abort();
        await clock.sleep(SETTLE_MS, signal).catch(() => {});
      }
    } finally {
      for (const watcher of watchers) watcher?.close();
    }
  }

  /** The pair, when it is another one than before and can be used. */
  async #read(): Promise<ServingCertificate | undefined> {
    const { certFile, keyFile, log } = this.#options;
    try {
      const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
      const known = this.#current;
      if (known?.pair.cert === cert && known.pair.key === key) {
        this.#refused = undefined;
        this.#tellStale(known.facts);
        return undefined;
      }
      const facts = inspectPair({ cert, key }, { cert: certFile, key: keyFile });
      this.#current = { pair: { cert, key }, facts };
      this.#refused = undefined;
      this.#metrics.inUse(facts.notAfterMs);
      log.info(known === undefined ? 'serving with the certificate given' : 'the certificate was renewed', {
        file: certFile,
        serial: facts.serial,
        notAfter: new Date(facts.notAfterMs).toISOString(),
      });
      this.#tellStale(facts);
      return { cert, key };
    } catch (error) {
      this.#refuse(reasonOf(error));
      return undefined;
    }
  }

  #refuse(why: string): void {
    const { log } = this.#options;
    if (why === this.#refused) return;
    this.#refused = why;
    if (this.#current === undefined) log.error('waiting for a certificate to serve with', { why });
    else log.error('the changed certificate is not used, the one before is kept', { why });
  }

  #tellStale(facts: PairFacts): void {
    const why = staleness(facts, this.#options.clock.now());
    if (why !== undefined && why !== this.#saidStale)
      this.#options.log.error('API servers refuse the certificate; renew it', { file: this.#options.certFile, why });
    this.#saidStale = why;
  }
}

/** Undefined where watching is not possible (the folder is not there yet, the machine is out of watches): polling remains. */
function watchFolder(folder: string, onChange: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, onChange);
    watcher.on('error', onChange);
    return watcher;
  } catch {
    return undefined;
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof CertificateError) return error.message;
  const { code, path, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return `there is no file ${path ?? ''}; mount the Secret there, or correct the flag`;
  if (code === 'EACCES') return `${path ?? ''} may not be read by this user; correct its mode or owner`;
  return message;
}
