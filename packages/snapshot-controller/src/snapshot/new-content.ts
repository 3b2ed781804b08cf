// The content of a dynamic snapshot as it is first written. It already carries its finalizer and the being-created
// guard: from this write on the driver may be called, so the intent must be durable and removable only in order.
// Upstream's sidecar takes a guard that is there as its own.
import { Annotation, Finalizer, Label, SNAPSHOT_GROUP, contentNameFor, type VolumeSnapshot, type VolumeSnapshotContent } from '@snapshot-stack/api-types';
import { snapshotterSecretOf } from './secret-reference.ts';
import type { Source } from './source.ts';

/**
 * @param recordVolumeMode whether to record the volume's mode, which restores are then held to
 * @throws SecretReferenceError when the class's secret parameters are wrong
 */
export function newContent(snapshot: VolumeSnapshot, source: Source, recordVolumeMode: boolean): VolumeSnapshotContent {
  const { snapshotClass, volume, managedBy } = source;
  const { name = '', namespace = '', uid = '' } = snapshot.metadata;
  const contentName = contentNameFor(snapshot);
  const secret = snapshotterSecretOf(snapshotClass, { contentName, snapshotName: name, snapshotNamespace: namespace });
  const mode = recordVolumeMode ? volume.spec.volumeMode : undefined;
  return {
    metadata: {
      name: contentName,
      finalizers: [Finalizer.content],
      annotations: {
        [Annotation.beingCreated]: 'yes',
        ...(secret === undefined ? {} : { [Annotation.deletionSecretName]: secret.name, [Annotation.deletionSecretNamespace]: secret.namespace }),
      },
      ...(managedBy === undefined ? {} : { labels: { [Label.managedBy]: managedBy } }),
    },
    spec: {
      volumeSnapshotRef: { kind: 'VolumeSnapshot', apiVersion: `${SNAPSHOT_GROUP}/v1`, name, namespace, uid },
      source: { volumeHandle: volume.spec.csi.volumeHandle },
      volumeSnapshotClassName: snapshotClass.metadata.name ?? '',
      deletionPolicy: snapshotClass.deletionPolicy,
      driver: snapshotClass.driver,
      ...(mode === undefined ? {} : { sourceVolumeMode: mode }),
    },
  };
}
