// What other packages (their tests, and the tools) may use of the csi-snapshotter.
export { accessNeeded } from './access.ts';
export { flags } from './options.ts';
export { createSnapshotter, type Snapshotter, type SnapshotterOptions } from './wire.ts';
export { connectDriver, UnusableDriverError, type CreateSnapshotInput, type Driver, type DriverSnapshot } from './driver.ts';
export { decideContent, type ContentSeen, type DriverAbilities } from './content/decide.ts';
export type { ContentPlan } from './content/plan.ts';
