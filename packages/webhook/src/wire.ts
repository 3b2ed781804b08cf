// The only place that constructs the webhook's collaborators.
import type { Client, Clock, HttpAnswer, Log, Metrics, Random } from '@snapshot-stack/runtime';
import type { CertificateSource } from './certificates/index.ts';
import { createConverter, createValidator } from './handlers.ts';
import { driversWithSeveralDefaults, reviewMetrics } from './metrics.ts';
import { Cluster } from './observe/cluster.ts';
import { readiness } from './readiness.ts';
import { defaultLimits, type Limits } from './server/limits.ts';
import { startServer, type WebhookServer } from './server/server.ts';

export interface WebhookOptions {
  client: Client;
  clock: Clock;
  random: Random;
  log: Log;
  metrics: Metrics;
  certificates: CertificateSource;
  /** Of the HTTPS server; 0 picks a free one. */
  port: number;
  /** Address to listen on; all by default. */
  host?: string | undefined;
  limits?: Partial<Limits>;
  /** How long the process goes on serving after it was asked to end, so that everybody learns of it. */
  drainMs: number;
  /** Whether the annotation allow-volume-mode-change is guarded. */
  preventVolumeModeConversion: boolean;
}

export interface Webhook {
  /** Serves until the signal aborts, then drains; resolves when the last answer is out. Once only. */
  run(signal: AbortSignal): Promise<void>;
  /** Resolves with the port once reviews are answered on it; rejects when it does not come to that. */
  readonly serving: Promise<number>;
  readiness(): HttpAnswer;
  /** Resolves when all caches have been filled; rejects when the signal aborts before. */
  synced(signal: AbortSignal): Promise<void>;
}

/** Requests in hand get so long to finish after the listening socket was closed. */
const CLOSE_GRACE_MS = 10_000;

export function createWebhook(options: WebhookOptions): Webhook {
  const { client, clock, random, log, certificates } = options;
  const cluster = new Cluster({ client, clock, random, log });
  const serving = Promise.withResolvers<number>();
  serving.promise.catch(() => {}); // who wants to know is told by run as well
  let server: WebhookServer | undefined;
  let isLeaving = false;
  const metrics = reviewMetrics(options.metrics, { cluster, server: () => server });
  const start = clock.elapsed();
  const ready = (): HttpAnswer =>
    readiness({ isServing: server !== undefined, isLeaving, upMs: clock.elapsed() - start, certificateTrouble: certificates.trouble(), cluster });
  tellOfSeveralDefaults(cluster, log);
  const handlers = {
    validate: createValidator({ ...options, cluster, reviews: metrics }),
    convert: createConverter({ clock, log, reviews: metrics }),
    pages: {
      '/healthz': (): HttpAnswer => ({ status: 200, body: 'ok' }),
      '/readyz': ready,
      '/metrics': async (): Promise<HttpAnswer> => ({ status: 200, body: await options.metrics.text(), contentType: options.metrics.contentType }),
    },
    refused: metrics.refused,
  };
  return {
    serving: serving.promise,
    readiness: ready,
    synced: (signal) => cluster.synced(signal),
    run: async (signal) => {
      // Caches and certificates outlive the signal: requests in hand still need them.
      const end = new AbortController();
      const watching = cluster.run(end.signal);
      try {
        const certificate = await certificates.start(signal);
        const { port, host } = options;
        const limits = { ...defaultLimits, ...options.limits };
        const started = await startServer({ port, host, certificate, limits, handlers, log });
        server = started;
        log.info('serving reviews', { port: started.port });
        serving.resolve(started.port);
        const renewing = certificates.run((fresh) => started.use(fresh), end.signal);
        // A source that fails ends the process, which then starts anew; one that ends by itself (a file) does not.
        await Promise.race([aborted(signal), renewing.then(() => aborted(signal))]);
        isLeaving = true;
        started.sendAway();
        log.info('draining', { forMs: options.drainMs, inHand: started.requestsInHand });
        await clock.sleep(options.drainMs);
        await started.close(CLOSE_GRACE_MS);
        end.abort();
        await renewing;
      } catch (error) {
        serving.reject(error);
        if (!signal.aborted) throw error;
      } finally {
        end.abort();
        await server?.close(0);
        await watching;
      }
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** Two default classes that were created at the same moment are both let in: this says so, once for each such set. */
function tellOfSeveralDefaults(cluster: Cluster, log: Log): void {
  let said = '';
  cluster.classes.onChange(() => {
    const found = driversWithSeveralDefaults(cluster);
    const text = JSON.stringify(found);
    if (found.length > 0 && text !== said)
      log.warn('drivers have several default classes, so that snapshots without a class fail; take the annotation off all but one', { drivers: found });
    said = text;
  });
}
