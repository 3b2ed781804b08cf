// The webhook's own metrics. Labels come from closed sets: nothing that a client sends becomes a label.
import { isDefaultSnapshotClass, snapshotKinds } from '@snapshot-stack/api-types';
import type { Metrics } from '@snapshot-stack/runtime';
import type { Cluster } from './observe/cluster.ts';
import type { AdmissionRequest } from './review/admission-review.ts';
import type { Verdict } from './review/verdict.ts';
import type { WebhookServer } from './server/server.ts';

const SECONDS_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export interface ReviewMetrics {
  reviewed(request: AdmissionRequest, verdict: Verdict, seconds: number): void;
  converted(isOk: boolean, objects: number, seconds: number): void;
  refused(code: number): void;
}

export interface MetricsSources {
  readonly cluster: Cluster;
  /** undefined until it serves. */
  readonly server: () => WebhookServer | undefined;
}

export function reviewMetrics(metrics: Metrics, { cluster, server }: MetricsSources): ReviewMetrics {
  const reviews = metrics.histogram({
    name: 'snapshot_webhook_review_seconds',
    help: 'Time that admission reviews took, by kind, operation and verdict (allowed, denied, exempt)',
    labels: ['kind', 'operation', 'verdict'],
    buckets: SECONDS_BUCKETS,
  });
  const findings = metrics.counter({ name: 'snapshot_webhook_findings_total', help: 'Denials and warnings by rule', labels: ['rule', 'finding'] });
  const conversions = metrics.histogram({
    name: 'snapshot_webhook_conversion_seconds',
    help: 'Time that conversion reviews took',
    labels: ['result'],
    buckets: SECONDS_BUCKETS,
  });
  const objects = metrics.counter({ name: 'snapshot_webhook_converted_objects_total', help: 'Objects converted to another version' });
  const refusals = metrics.counter({
    name: 'snapshot_webhook_refused_requests_total',
    help: 'Requests refused before a review, by HTTP status',
    labels: ['code'],
  });
  addCacheMetrics(metrics, cluster);
  addServerMetrics(metrics, server);
  return {
    reviewed: (request, verdict, seconds) => {
      const { operation } = request;
      reviews.observe({ kind: kindLabel(request), operation, verdict: verdictLabel(verdict) }, seconds);
      for (const { rule } of verdict.denials) findings.inc({ rule, finding: 'denial' });
      for (const { rule } of verdict.warnings) findings.inc({ rule, finding: 'warning' });
    },
    converted: (isOk, count, seconds) => {
      conversions.observe({ result: isOk ? 'success' : 'failure' }, seconds);
      if (isOk && count > 0) objects.inc({}, count);
    },
    refused: (code) => refusals.inc({ code }),
  };
}

function verdictLabel({ denials, exempt }: Verdict): string {
  if (exempt !== undefined) return 'exempt';
  return denials.length > 0 ? 'denied' : 'allowed';
}

function kindLabel({ group, kind }: AdmissionRequest): string {
  return snapshotKinds.some((known) => known.group === group && known.kind === kind) ? kind : 'other';
}

function addCacheMetrics(metrics: Metrics, cluster: Cluster): void {
  metrics.gauge({
    name: 'snapshot_webhook_cache_synced',
    help: '1 once the cache of a resource has been filled; until then rules about other objects of it are not checked',
    labels: ['resource'],
    collect: () => cluster.all.map(({ plural, objects }) => ({ labels: { resource: plural }, value: objects === undefined ? 0 : 1 })),
  });
  metrics.gauge({
    name: 'snapshot_webhook_cache_stale_seconds',
    help: 'For how long the API server could not be watched; 0 while it is',
    labels: ['resource'],
    collect: () =>
      cluster.all.map((cached) => {
        const freshness = cached.freshness();
        return { labels: { resource: cached.plural }, value: freshness.kind === 'stale' ? freshness.forMs / 1_000 : 0 };
      }),
  });
  metrics.gauge({
    name: 'snapshot_webhook_drivers_with_several_default_classes',
    help: 'Drivers that have more than one default VolumeSnapshotClass, as after two simultaneous creations',
    collect: () => driversWithSeveralDefaults(cluster).length,
  });
}

function addServerMetrics(metrics: Metrics, server: () => WebhookServer | undefined): void {
  metrics.gauge({
    name: 'snapshot_webhook_requests_in_flight',
    help: 'Requests that are being read, judged or answered',
    collect: () => server()?.requestsInHand ?? 0,
  });
  metrics.gauge({ name: 'snapshot_webhook_connections', help: 'Open connections', collect: () => server()?.connections ?? 0 });
  metrics.counter({
    name: 'snapshot_webhook_dropped_connections_total',
    help: 'Connections refused because there were too many',
    collect: () => server()?.dropped ?? 0,
  });
}

/** Drivers with more than one default class, each with the names of those; as far as the cache knows. */
export function driversWithSeveralDefaults({ classes }: Cluster): { driver: string; names: string[] }[] {
  const byDriver = new Map<string, string[]>();
  for (const one of classes.objects?.list() ?? []) {
    if (!isDefaultSnapshotClass(one)) continue;
    const names = byDriver.get(one.driver) ?? [];
    byDriver.set(one.driver, [...names, one.metadata.name ?? '']);
  }
  return [...byDriver].filter(([, names]) => names.length > 1).map(([driver, names]) => ({ driver, names: names.sort() }));
}
