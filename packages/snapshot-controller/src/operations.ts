// How long snapshots take, as upstream measures it: from the first look at an unready (or deleted) snapshot to
// its being created, ready, or gone.
import type { Clock, Metrics } from '@snapshot-stack/runtime';
import { isBeingDeleted, type VolumeSnapshot } from '@snapshot-stack/api-types';
import type { Seen } from './snapshot/decide.ts';

type Operation = 'CreateSnapshot' | 'CreateSnapshotAndReady' | 'DeleteSnapshot';
type SnapshotType = 'dynamic' | 'pre-provisioned';

interface Running {
  since: number;
  driver: string;
  type: SnapshotType;
}

const BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 30, 60, 120, 300, 600];
const RUNNING_MAX = 100_000;
const CREATIONS = ['CreateSnapshot', 'CreateSnapshotAndReady'] as const;

export class Operations {
  readonly #clock: Clock;
  readonly #running = new Map<string, Running>();
  readonly #record: (operation: Operation, status: string, running: Running) => void;

  constructor(metrics: Metrics, clock: Clock) {
    this.#clock = clock;
    const histogram = metrics.histogram({
      name: 'snapshot_controller_operation_total_seconds',
      help: '[ALPHA] Total number of seconds spent by the controller on an operation end to end',
      labels: ['driver_name', 'operation_name', 'snapshot_type', 'operation_status'],
      buckets: BUCKETS,
    });
    metrics.gauge({
      name: 'snapshot_controller_operations_in_flight',
      help: '[ALPHA] Total number of operations in flight',
      collect: () => this.#running.size,
    });
    this.#record = (operation, status, { driver, type, since }) => {
      const labels = { driver_name: driver, operation_name: operation, snapshot_type: type, operation_status: status };
      histogram.observe(labels, (this.#clock.now() - since) / 1_000);
    };
  }

  /** Starts what a look at the snapshot shows to be under way. */
  saw({ snapshot, content, source }: Seen): void {
    if (snapshot === undefined) return;
    const driver = content?.spec.driver ?? source?.volume?.spec.csi?.driver ?? 'unknown';
    const type = snapshot.spec.source.volumeSnapshotContentName === undefined ? 'dynamic' : 'pre-provisioned';
    if (isBeingDeleted(snapshot)) return this.#start('DeleteSnapshot', snapshot, driver, type);
    if (snapshot.status?.readyToUse === true) return;
    if (snapshot.status?.creationTime === undefined) this.#start('CreateSnapshot', snapshot, driver, type);
    this.#start('CreateSnapshotAndReady', snapshot, driver, type);
  }

  /** Ends what a written status shows to be done. */
  statusSet(snapshot: VolumeSnapshot, status: { creationTime?: unknown; readyToUse?: unknown }): void {
    if (status.creationTime !== undefined) this.#end('CreateSnapshot', snapshot, 'success');
    if (status.readyToUse === true) this.#end('CreateSnapshotAndReady', snapshot, 'success');
  }

  gone(snapshot: VolumeSnapshot): void {
    for (const operation of CREATIONS) this.#end(operation, snapshot, 'cancel');
    this.#end('DeleteSnapshot', snapshot, 'success');
  }

  #start(operation: Operation, { metadata }: VolumeSnapshot, driver: string, type: SnapshotType): void {
    const key = `${operation} ${metadata.uid}`;
    const running = this.#running.get(key);
    if (running !== undefined) {
      if (running.driver === 'unknown') running.driver = driver;
    } else if (this.#running.size < RUNNING_MAX) this.#running.set(key, { since: this.#clock.now(), driver, type });
  }

  #end(operation: Operation, { metadata }: VolumeSnapshot, status: string): void {
    const key = `${operation} ${metadata.uid}`;
    const running = this.#running.get(key);
    if (running === undefined) return;
    this.#running.delete(key);
    this.#record(operation, status, running);
  }
}
