// The metrics of the driver.
import { CSI_OPERATION_BUCKETS, type HistogramMetric, type Metrics } from '@snapshot-stack/runtime/process';

export interface DriverMetrics {
  readonly calls: HistogramMetric<'method_name' | 'grpc_status_code'>;
}

/** @param method how snapshots are taken */
export function driverMetrics(metrics: Metrics, method: string): DriverMetrics {
  metrics.gauge({ name: 'hostpath_snapshot_method', help: 'How snapshots are taken; 1 for the method in use', labels: ['method'] }).set({ method }, 1);
  return {
    calls: metrics.histogram({
      name: 'csi_driver_operations_seconds',
      help: 'How long CSI calls took in the driver',
      labels: ['method_name', 'grpc_status_code'],
      buckets: CSI_OPERATION_BUCKETS,
    }),
  };
}
