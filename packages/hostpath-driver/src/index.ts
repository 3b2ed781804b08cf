export { driverMetrics, type DriverMetrics } from './metrics.ts';
export { flags, parseSize, TOPOLOGY_KEY, type DriverOptions } from './options.ts';
export { startDriver, type RunningDriver } from './wire.ts';
