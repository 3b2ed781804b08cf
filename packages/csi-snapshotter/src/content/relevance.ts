// Which changes of a content call for a look at it. What we write ourselves (status, guard) must not: each look
// at an unready content is a question to the driver, and its own answer would lead to the next one.
import { Annotation, jsonEqual, type VolumeSnapshotContent } from '@snapshot-stack/api-types';

export function isRelevantChange(content: VolumeSnapshotContent, old: VolumeSnapshotContent): boolean {
  const becameReady = content.status?.readyToUse === true && old.status?.readyToUse !== true;
  return becameReady || !jsonEqual(essence(content), essence(old));
}

function essence({ metadata, spec }: VolumeSnapshotContent): unknown {
  const { managedFields: _fields, finalizers: _finalizers, resourceVersion: _version, generation: _generation, annotations, ...rest } = metadata;
  const { [Annotation.beingCreated]: _guard, ...others } = annotations ?? {};
  return { spec, metadata: { ...rest, annotations: others } };
}
