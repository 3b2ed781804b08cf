// Which changes of a content call for a look at it. What we write ourselves (status, guard) must not: each look
// at an unready content is a question to the driver, and its own answer would lead to the next one.
import { Annotation, jsonEqual, type VolumeSnapshotContent } from '@snapshot-stack/api-types';
import { isGroupMember } from './decide.ts';

export function isRelevantChange(content: VolumeSnapshotContent, old: VolumeSnapshotContent): boolean {
  const becameReady = content.status?.readyToUse === true && old.status?.readyToUse !== true;
  // A group member's handle is written by the group's controller: that is news.
  const memberGotHandle = isGroupMember(content) && content.status?.snapshotHandle !== undefined && old.status?.snapshotHandle === undefined;
  return becameReady || memberGotHandle || !jsonEqual(essence(content), essence(old));
}

function essence({ metadata, spec }: VolumeSnapshotContent): unknown {
  const { managedFields: _fields, finalizers: _finalizers, resourceVersion: _version, generation: _generation, annotations, ...rest } = metadata;
  const { [Annotation.beingCreated]: _guard, ...others } = annotations ?? {};
  return { spec, metadata: { ...rest, annotations: others } };
}
