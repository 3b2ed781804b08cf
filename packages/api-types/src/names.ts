// Every finalizer, annotation, label and reserved parameter of the snapshot stack. They are a contract with
// external-snapshotter v8.6 and external-provisioner v6.3: either side may be the other's.

export const Finalizer = {
  snapshotAsSource: 'snapshot.storage.kubernetes.io/volumesnapshot-as-source-protection',
  snapshotBound: 'snapshot.storage.kubernetes.io/volumesnapshot-bound-protection',
  snapshotInGroup: 'snapshot.storage.kubernetes.io/volumesnapshot-in-group-protection',
  content: 'snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection',
  claimAsSource: 'snapshot.storage.kubernetes.io/pvc-as-source-protection',
  groupSnapshot: 'groupsnapshot.storage.kubernetes.io/volumegroupsnapshot-bound-protection',
  groupContent: 'groupsnapshot.storage.kubernetes.io/volumegroupsnapshotcontent-bound-protection',
  /** external-provisioner: on a snapshot while a claim is restored from it. */
  snapshotBeingRestored: 'provisioner.storage.kubernetes.io/volumesnapshot-as-source-protection',
  /** external-provisioner: on a claim while it is cloned. */
  claimBeingCloned: 'provisioner.storage.kubernetes.io/cloning-protection',
  /** external-provisioner: on every volume it made. */
  provisionedVolume: 'external-provisioner.volume.kubernetes.io/finalizer',
  claimInUse: 'kubernetes.io/pvc-protection',
  volumeInUse: 'kubernetes.io/pv-protection',
} as const;

export const Annotation = {
  isDefaultClass: 'snapshot.storage.kubernetes.io/is-default-class',
  /** `yes` while CreateSnapshot may still be running; written and removed by the sidecar (or by our controller at creation). */
  beingCreated: 'snapshot.storage.kubernetes.io/volumesnapshot-being-created',
  /** `yes` once the snapshot that the content belongs to is being deleted. */
  beingDeleted: 'snapshot.storage.kubernetes.io/volumesnapshot-being-deleted',
  deletionSecretName: 'snapshot.storage.kubernetes.io/deletion-secret-name',
  deletionSecretNamespace: 'snapshot.storage.kubernetes.io/deletion-secret-namespace',
  allowVolumeModeChange: 'snapshot.storage.kubernetes.io/allow-volume-mode-change',
  isDefaultGroupClass: 'groupsnapshot.storage.kubernetes.io/is-default-class',
  /** In the API group's domain, unlike the others. Set on a group member's content. */
  groupSnapshotHandle: 'groupsnapshot.storage.k8s.io/volumeGroupSnapshotHandle',
  /** Where a v1beta1 group content keeps what only later versions can say. */
  groupInfoList: 'groupsnapshot.storage.kubernetes.io/volume-snapshot-info-list',
  storageProvisioner: 'volume.kubernetes.io/storage-provisioner',
  storageProvisionerBeta: 'volume.beta.kubernetes.io/storage-provisioner',
  selectedNode: 'volume.kubernetes.io/selected-node',
  bindCompleted: 'pv.kubernetes.io/bind-completed',
  boundByController: 'pv.kubernetes.io/bound-by-controller',
  provisionedBy: 'pv.kubernetes.io/provisioned-by',
  isDefaultStorageClass: 'storageclass.kubernetes.io/is-default-class',
} as const;

export const Label = {
  /** The node whose sidecar handles a content, in distributed mode. */
  managedBy: 'snapshot.storage.kubernetes.io/managed-by',
} as const;

/** Class parameters under this prefix are consumed by the sidecars and never reach the driver. */
export const RESERVED_PARAMETER_PREFIX = 'csi.storage.k8s.io/';

export const Parameter = {
  snapshotterSecretName: 'csi.storage.k8s.io/snapshotter-secret-name',
  snapshotterSecretNamespace: 'csi.storage.k8s.io/snapshotter-secret-namespace',
  snapshotterListSecretName: 'csi.storage.k8s.io/snapshotter-list-secret-name',
  snapshotterListSecretNamespace: 'csi.storage.k8s.io/snapshotter-list-secret-namespace',
  groupSnapshotterSecretName: 'csi.storage.k8s.io/group-snapshotter-secret-name',
  groupSnapshotterSecretNamespace: 'csi.storage.k8s.io/group-snapshotter-secret-namespace',
  groupSnapshotterGetSecretName: 'csi.storage.k8s.io/group-snapshotter-get-secret-name',
  groupSnapshotterGetSecretNamespace: 'csi.storage.k8s.io/group-snapshotter-get-secret-namespace',
  extraSnapshotName: 'csi.storage.k8s.io/volumesnapshot/name',
  extraSnapshotNamespace: 'csi.storage.k8s.io/volumesnapshot/namespace',
  extraContentName: 'csi.storage.k8s.io/volumesnapshotcontent/name',
} as const;
