// What other packages (their tests, and the tools) may use of the snapshot-controller.
export { accessNeeded } from './access.ts';
export { flags } from './options.ts';
export { createSnapshotController, type SnapshotController, type SnapshotControllerOptions } from './wire.ts';
export { decide as decideSnapshot, type Seen as SnapshotSeen } from './snapshot/decide.ts';
export type { Action as SnapshotAction, Plan as SnapshotPlan } from './snapshot/plan.ts';
export { decideContent, type ContentPlan, type ContentSeen } from './content/decide.ts';
export { decideClaim, type ClaimPlan, type ClaimSeen } from './claim/decide.ts';
