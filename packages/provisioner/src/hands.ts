// What executing a plan needs.
import type { Client, Clock, EventRecorder, Log } from '@snapshot-stack/runtime';
import type { Bids } from './claim/bids.ts';
import type { Cluster } from './cluster.ts';
import type { Driver } from './driver.ts';
import type { ProvisionerMetrics } from './metrics.ts';
import type { ProvisionerOptions } from './options.ts';

export interface Hands {
  client: Client;
  cluster: Cluster;
  driver: Driver;
  events: EventRecorder;
  clock: Clock;
  log: Log;
  metrics: ProvisionerMetrics;
  /** In node-local mode: whose turn it is to take a claim. */
  bids: Bids;
  options: ProvisionerOptions;
  /** Of this process, written into the volumes that it makes. */
  identity: string;
}
