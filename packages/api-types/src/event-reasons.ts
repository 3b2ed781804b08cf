// Every event that our components record: its reason, which scripts and alerts match on, what it means and what helps.
// The reasons are upstream's wherever upstream has one. docs/reference/events.md is written from here.

export interface EventMeaning {
  readonly type: 'Normal' | 'Warning';
  readonly component: 'snapshot-controller' | 'csi-snapshotter' | 'csi-provisioner';
  /** The kind of the object it is about. */
  readonly on: 'VolumeSnapshot' | 'VolumeSnapshotContent' | 'PersistentVolumeClaim' | 'PersistentVolume';
  readonly means: string;
  readonly helps: string;
}

const nothing = 'nothing to do';
const snapshot = { component: 'snapshot-controller', on: 'VolumeSnapshot' } as const;
const content = { component: 'snapshot-controller', on: 'VolumeSnapshotContent' } as const;
const sidecar = { component: 'csi-snapshotter', on: 'VolumeSnapshotContent' } as const;
const claim = { component: 'csi-provisioner', on: 'PersistentVolumeClaim' } as const;

export const EVENT_MEANINGS = {
  CreatingSnapshot: { ...snapshot, type: 'Normal', means: 'the content was made; the driver takes the snapshot', helps: nothing },
  SnapshotCreated: { ...snapshot, type: 'Normal', means: 'the driver has taken the snapshot', helps: nothing },
  SnapshotReady: { ...snapshot, type: 'Normal', means: 'claims can be restored from it', helps: nothing },
  SnapshotValidationError: { ...snapshot, type: 'Warning', means: 'not exactly one source is given', helps: 'make a new snapshot with one source' },
  GetSnapshotClassFailed: { ...snapshot, type: 'Warning', means: 'the class does not exist', helps: 'create the class, or name another in a new snapshot' },
  SetDefaultSnapshotClassFailed: {
    ...snapshot,
    type: 'Warning',
    means: 'no class is named, and the driver has no default class or several',
    helps: 'mark exactly one class of the driver as default, or name one',
  },
  SnapshotContentCreationFailed: {
    ...snapshot,
    type: 'Warning',
    means: 'the content cannot be made: the claim is missing, not bound or of another driver, or a secret reference is wrong',
    helps: 'mend what the message names; it goes on by itself',
  },
  CreateSnapshotContentFailed: { ...snapshot, type: 'Warning', means: 'the API server refused the content', helps: 'see the message: quota, webhook or RBAC' },
  SnapshotBindFailed: { ...snapshot, type: 'Warning', means: 'the API server refused to bind the content', helps: 'see the message: webhook or RBAC' },
  SnapshotFinalizerError: { ...snapshot, type: 'Warning', means: 'a finalizer could not be written', helps: 'see the message: webhook or RBAC' },
  SnapshotStatusUpdateFailed: { ...snapshot, type: 'Warning', means: 'the status could not be written', helps: 'see the message: webhook or RBAC' },
  SnapshotContentMissing: {
    ...snapshot,
    type: 'Warning',
    means: 'its content is gone or does not exist yet',
    helps: 'create the content that it names, or delete the snapshot',
  },
  SnapshotContentMismatch: {
    ...snapshot,
    type: 'Warning',
    means: 'the content is of the other kind: dynamic for a pre-provisioned snapshot, or the reverse',
    helps: 'name a content with source.snapshotHandle',
  },
  SnapshotContentMisbound: {
    ...snapshot,
    type: 'Warning',
    means: 'the content belongs to another snapshot',
    helps: 'name another content, or give this one the right volumeSnapshotRef',
  },
  SnapshotMisbound: { ...snapshot, type: 'Warning', means: 'the content it was bound to belongs to another snapshot now', helps: 'see who edited the content' },
  SnapshotDeletePending: {
    ...snapshot,
    type: 'Warning',
    means: 'deletion waits for a restore, or for its group',
    helps: 'wait for the claim that is named, or delete it; delete the group',
  },
  SnapshotContentObjectDeleteError: { ...snapshot, type: 'Warning', means: 'the content could not be deleted', helps: 'see the message: webhook or RBAC' },
  SnapshotDeleteError: {
    component: 'csi-snapshotter',
    on: 'VolumeSnapshotContent',
    type: 'Warning',
    means: 'the driver refused to delete the snapshot, or its secret is missing; told on the VolumeSnapshot too',
    helps: 'see the message: often clones still use it, or the secret was deleted first',
  },
  ContentValidationError: { ...content, type: 'Warning', means: 'not exactly one source is given', helps: 'make a new content with one source' },
  SnapshotContentDeletePending: {
    ...content,
    type: 'Warning',
    means: 'an administrator deleted the content of a snapshot that lives',
    helps: 'delete the VolumeSnapshot that is named',
  },
  SnapshotCreationFailed: {
    ...sidecar,
    type: 'Warning',
    means: 'the driver refused to take the snapshot; told on the VolumeSnapshot too',
    helps: 'see the message, and the log of the driver',
  },
  SnapshotContentCheckandUpdateFailed: {
    ...sidecar,
    type: 'Warning',
    means: 'the driver could not tell the state of the snapshot',
    helps: 'see the message; for pre-provisioned ones check the handle',
  },
  Provisioning: { ...claim, type: 'Normal', means: 'the driver is asked for the volume', helps: nothing },
  ProvisioningSucceeded: { ...claim, type: 'Normal', means: 'the volume exists', helps: nothing },
  ProvisioningFailed: {
    ...claim,
    type: 'Warning',
    means: 'the volume cannot be made yet, or the restore is refused',
    helps: 'mend what the message names; it goes on by itself',
  },
  VolumeFailedDelete: {
    component: 'csi-provisioner',
    on: 'PersistentVolume',
    type: 'Warning',
    means: 'the driver refused to delete the volume',
    helps: 'see the message: often it is still attached or has snapshots',
  },
} as const satisfies Readonly<Record<string, EventMeaning>>;

export type EventReason = keyof typeof EVENT_MEANINGS;
