// The versions that all three group kinds are served in. v1 and v1beta2 have one shape; v1beta1 lacks the later
// rules and says less about the members of a group.
import type { Schema } from '../schema.ts';
import type { KindVersion } from './definition.ts';

export type GroupVersion = 'v1' | 'v1beta2' | 'v1beta1';

/** Rules that came with v1beta2 and were not put on v1beta1, whose objects might break them. */
export function hasLateRules(version: GroupVersion): boolean {
  return version !== 'v1beta1';
}

/** Stored as v1beta2, so that a cluster can go back to a release that does not know v1. */
export function groupVersions(members: (version: GroupVersion) => Record<string, Schema>, required: readonly string[]): KindVersion[] {
  return [
    { name: 'v1', served: true, storage: false, members: members('v1'), required },
    { name: 'v1beta2', served: true, storage: true, members: members('v1beta2'), required },
    { name: 'v1beta1', served: true, storage: false, deprecated: true, members: members('v1beta1'), required },
  ];
}
