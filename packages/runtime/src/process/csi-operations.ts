// The one metric that every CSI sidecar has, with the names and buckets of upstream's csi-lib-utils.
import { CSI_OPERATION_BUCKETS, type Metrics } from './metrics.ts';

export interface CsiOperations {
  /** Known only once the driver has told it. */
  driverName: string;
  /** `code` is a gRPC code as the specification spells it: `DEADLINE_EXCEEDED`. */
  observe(call: { method: string; code: string; seconds: number }): void;
}

/** `DEADLINE_EXCEEDED` as Go spells it in metrics: `DeadlineExceeded`. */
function goCode(code: string): string {
  if (code === 'OK') return code;
  if (code === 'CANCELLED') return 'Canceled';
  return code.toLowerCase().replaceAll(/(?:^|_)([a-z])/g, (_all, letter: string) => letter.toUpperCase());
}

export function csiOperations(metrics: Metrics): CsiOperations {
  const histogram = metrics.histogram({
    name: 'csi_sidecar_operations_seconds',
    help: '[ALPHA] Container Storage Interface operation duration with gRPC error code status total',
    labels: ['driver_name', 'method_name', 'grpc_status_code'],
    buckets: CSI_OPERATION_BUCKETS,
  });
  const operations: CsiOperations = {
    driverName: 'unknown-driver',
    observe: ({ method, code, seconds }) =>
      histogram.observe({ driver_name: operations.driverName, method_name: method, grpc_status_code: goCode(code) }, seconds),
  };
  return operations;
}
