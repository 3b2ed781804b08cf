// What any process of ours needs. Nothing here knows of Kubernetes, so that the CSI driver can use it too.
export { csiOperations, type CsiOperations } from './csi-operations.ts';
export { Backoff, backoffDelay, type BackoffOptions } from './backoff.ts';
export { ManualClock, every, systemClock, type Clock, type Timer } from './clock.ts';
export { formatDuration, parseDuration } from './duration.ts';
export {
  FlagError,
  defineFlags,
  httpFlags,
  kubeFlags,
  leaderElectionFlags,
  loggingFlags,
  type FlagDefinition,
  type FlagDefinitions,
  type FlagSet,
  type FlagType,
  type Parsed,
} from './flags.ts';
export { parseAddress, startHttpEndpoint, type HttpAnswer, type HttpEndpoint, type HttpEndpointOptions } from './http.ts';
export { createLog, levelOf, silentLog, type Log, type LogLevel, type LogOptions } from './log.ts';
export { Shutdown, readFlags, runMain } from './main.ts';
export { CSI_OPERATION_BUCKETS, createMetrics, type CounterMetric, type GaugeMetric, type HistogramMetric, type Metrics } from './metrics.ts';
export { seededRandom, type Random } from './random.ts';
