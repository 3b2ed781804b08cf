export { accessNeeded } from './access.ts';
export { CLAIM_FINALIZER, decideClaim, volumeNameFor, type SeenClaim } from './claim/decide.ts';
export type { ClaimPlan, Origin } from './claim/plan.ts';
export { connectDriver, type Driver } from './driver.ts';
export { checkOptions, flags, type ProvisionerOptions } from './options.ts';
export { createProvisioner, type Provisioner, type ProvisionerParts } from './wire.ts';
