// Reviews as a busy cluster would send them, as JSON texts with the verdict that they must get.

export interface Review {
  readonly body: string;
  readonly isAllowed: boolean;
}

const GROUP = 'snapshot.storage.k8s.io';

function review(kind: string, resource: string, object: object, oldObject: object | null = null): string {
  const { metadata } = object as { metadata: { name: string; namespace?: string } };
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    request: {
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      kind: { group: GROUP, version: 'v1', kind },
      resource: { group: GROUP, version: 'v1', resource },
      requestKind: { group: GROUP, version: 'v1', kind },
      requestResource: { group: GROUP, version: 'v1', resource },
      ...metadata,
      operation: oldObject === null ? 'CREATE' : 'UPDATE',
      userInfo: { username: 'system:serviceaccount:kube-system:snapshot-controller', groups: ['system:serviceaccounts', 'system:authenticated'] },
      object: { apiVersion: `${GROUP}/v1`, kind, ...object },
      oldObject: oldObject === null ? null : { apiVersion: `${GROUP}/v1`, kind, ...oldObject },
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
    },
  });
}

function aSnapshot(name: string, spec: object, annotations: Record<string, string> = {}): object {
  const managedFields = [
    { manager: 'kubectl', operation: 'Update', apiVersion: `${GROUP}/v1`, fieldsType: 'FieldsV1', fieldsV1: { 'f:spec': { 'f:source': {} } } },
  ];
  return { metadata: { name, namespace: 'default', annotations, managedFields }, spec };
}

/** The next of the mixture; of a hundred, 2 have the webhook ask the API server and 8 are denied. */
export function nextReview(random: () => number, index: number): Review {
  const share = random();
  const source = { persistentVolumeClaimName: `data-${index}` };
  if (share < 0.55)
    return { body: review('VolumeSnapshot', 'volumesnapshots', aSnapshot(`s-${index}`, { source, volumeSnapshotClassName: 'fast' })), isAllowed: true };
  if (share < 0.75) {
    const [old, now] = [aSnapshot(`s-${index}`, { source }), aSnapshot(`s-${index}`, { source, volumeSnapshotClassName: 'fast' })];
    return { body: review('VolumeSnapshot', 'volumesnapshots', now, old), isAllowed: true };
  }
  if (share < 0.9) return { body: review('VolumeSnapshotContent', 'volumesnapshotcontents', aContent(index)), isAllowed: true };
  if (share < 0.98) {
    const both = { source: { ...source, volumeSnapshotContentName: 'also' } };
    return { body: review('VolumeSnapshot', 'volumesnapshots', aSnapshot(`s-${index}`, both)), isAllowed: false };
  }
  const metadata = { name: `class-${index}`, annotations: { 'snapshot.storage.kubernetes.io/is-default-class': 'true' } };
  const aClass = { metadata, driver: 'hostpath.csi.k8s.io', deletionPolicy: 'Delete' };
  return { body: review('VolumeSnapshotClass', 'volumesnapshotclasses', aClass), isAllowed: true };
}

function aContent(index: number): object {
  return {
    metadata: { name: `snapcontent-${index}` },
    spec: {
      driver: 'hostpath.csi.k8s.io',
      deletionPolicy: 'Delete',
      source: { volumeHandle: `volume-${index}` },
      volumeSnapshotRef: { kind: 'VolumeSnapshot', namespace: 'default', name: `s-${index}` },
    },
  };
}

/** An update of an object whose annotations make the review about so large. */
export function bigReview(bytes: number): Review {
  const annotations = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`example.com/part-${i}`, 'x'.repeat(Math.floor(bytes / 128))]));
  const source = { persistentVolumeClaimName: 'data' };
  const [old, now] = [aSnapshot('big', { source }, annotations), aSnapshot('big', { source, volumeSnapshotClassName: 'fast' }, annotations)];
  return { body: review('VolumeSnapshot', 'volumesnapshots', now, old), isAllowed: true };
}
