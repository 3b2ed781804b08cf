// What all parts of the driver share, made once at start.
import type { Clock, Log } from '@snapshot-stack/runtime/process';
import type { Engine } from './files/engine.ts';
import type { Layout } from './files/layout.ts';
import type { Operations } from './operations.ts';
import type { DriverOptions } from './options.ts';
import type { State } from './state/state.ts';

export interface Driver {
  options: DriverOptions;
  state: State;
  layout: Layout;
  engine: Engine;
  operations: Operations;
  clock: Clock;
  log: Log;
  /** Storage by kind in bytes; empty when kinds are not used. */
  capacity: ReadonlyMap<string, bigint>;
  maxVolumeBytes: bigint;
  /** The same for growing on the node. */
  maxNodeVolumeBytes: bigint;
}
