// All the rules about several objects. One file each; the README has them as a table.
import { contentBoundElsewhere } from './content-bound-elsewhere.ts';
import { deletePolicyInUse } from './delete-policy-in-use.ts';
import { knownDriver } from './known-driver.ts';
import { oneDefaultClass } from './one-default-class.ts';
import type { CrossRule } from './rule.ts';
import { volumeModeChange } from './volume-mode-change.ts';

export function crossRules(options: { preventVolumeModeConversion: boolean }): readonly CrossRule[] {
  return [volumeModeChange(options.preventVolumeModeConversion), oneDefaultClass, contentBoundElsewhere, knownDriver, deletePolicyInUse];
}
