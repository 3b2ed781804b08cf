// What was provisioned and deleted, under the names that upstream's dashboards and alerts ask for.
// Source: sig-storage-lib-external-provisioner, controller/metrics.
import type { PersistentVolume, PersistentVolumeClaim } from '@snapshot-stack/api-types';
import type { Clock, Metrics } from '@snapshot-stack/runtime';

/** Prometheus' default buckets, which upstream uses here. */
const BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Called when an attempt ends, once. */
export type EndAttempt = (outcome: 'succeeded' | 'failed') => void;

export interface ProvisionerMetrics {
  /** An attempt to make this claim's volume begins. */
  provisioning(claim: PersistentVolumeClaim): EndAttempt;
  /** An attempt to delete this volume at the driver, and its object, begins. */
  deleting(volume: PersistentVolume): EndAttempt;
}

function family<L extends string>(metrics: Metrics, clock: Clock, prefix: string, what: string, labels: readonly L[]) {
  const total = metrics.counter({ name: `${prefix}_total`, help: `Total number of ${what} that succeeded`, labels });
  const failed = metrics.counter({ name: `${prefix}_failed_total`, help: `Total number of attempts at ${what} that failed`, labels });
  const duration = metrics.histogram({ name: `${prefix}_duration_seconds`, help: `Latency in seconds of ${what} that succeeded`, labels, buckets: BUCKETS });
  return (values: Record<L, string>): EndAttempt => {
    const start = clock.now();
    return (outcome) => {
      if (outcome === 'failed') return failed.inc(values);
      total.inc(values);
      duration.observe(values, (clock.now() - start) / 1_000);
    };
  };
}

export function provisionerMetrics(metrics: Metrics, clock: Clock): ProvisionerMetrics {
  const provision = family(metrics, clock, 'controller_persistentvolumeclaim_provision', 'persistent volumes provisioned', ['class', 'source']);
  const remove = family(metrics, clock, 'controller_persistentvolume_delete', 'persistent volumes deleted', ['class']);
  return {
    provisioning: ({ spec }) => provision({ class: spec.storageClassName ?? '', source: spec.dataSource?.kind ?? spec.dataSourceRef?.kind ?? '' }),
    deleting: ({ spec }) => remove({ class: spec.storageClassName ?? '' }),
  };
}
