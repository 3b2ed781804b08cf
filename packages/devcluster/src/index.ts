// What other packages may use of devcluster.
export { startDevCluster, type DevCluster, type DevClusterOptions } from './wire.ts';
export { pathsBelow, type Paths } from './node/paths.ts';
