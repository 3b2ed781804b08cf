// The manifests of the Kubernetes documentation on volume snapshots, each case as a user would apply it: sent as
// YAML to the API server. Names and fields are the documentation's.
// Source: https://kubernetes.io/docs/concepts/storage/volume-snapshots/ and …/volume-snapshot-classes/
import { request } from 'node:https';
import { persistentVolumeClaims, volumeSnapshotClasses, volumeSnapshotContents, volumeSnapshots } from '@snapshot-stack/api-types';
import { expect, test } from 'vitest';
import { Scene } from './support/scene.ts';

const DRIVER = 'hostpath.csi.k8s.io';
const SNAPSHOTS = '/apis/snapshot.storage.k8s.io/v1';
const PATHS: Record<string, string> = {
  VolumeSnapshot: `${SNAPSHOTS}/namespaces/default/volumesnapshots`,
  VolumeSnapshotContent: `${SNAPSHOTS}/volumesnapshotcontents`,
  VolumeSnapshotClass: `${SNAPSHOTS}/volumesnapshotclasses`,
  PersistentVolumeClaim: '/api/v1/namespaces/default/persistentvolumeclaims',
};

/** What `kubectl create -f` does, without kubectl: the text itself is the body. */
function apply(scene: Scene, yaml: string): Promise<void> {
  const kind = /^kind: (\w+)$/m.exec(yaml)?.[1] ?? '';
  const { server, tls } = scene.api.adminConnection;
  return new Promise((resolve, reject) => {
    const sent = request(
      `${server}${PATHS[kind]}`,
      { method: 'POST', ...tls, headers: { 'Content-Type': 'application/yaml', Accept: 'application/json' } },
      (answer) => {
        let text = '';
        answer.on('data', (part: Buffer) => (text += String(part)));
        answer.on('end', () => (answer.statusCode === 201 ? resolve() : reject(new Error(`HTTP ${answer.statusCode}: ${text}`))));
      },
    );
    sent.once('error', reject);
    sent.end(yaml);
  });
}

const classYaml = (policy: string, isDefault: boolean): string => `
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotClass
metadata:
  name: csi-hostpath-snapclass
${isDefault ? '  annotations:\n    snapshot.storage.kubernetes.io/is-default-class: "true"\n' : ''}driver: ${DRIVER}
deletionPolicy: ${policy}
parameters:
`;

async function startScene(): Promise<Scene> {
  const scene = await Scene.start({ name: DRIVER });
  await scene.startBoth();
  return scene;
}

test('a snapshot of a claim with a named class', async () => {
  await using scene = await startScene();
  await apply(scene, classYaml('Delete', false));
  await scene.addBoundClaim('pvc-test');
  await apply(
    scene,
    `
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata:
  name: new-snapshot-test
spec:
  volumeSnapshotClassName: csi-hostpath-snapclass
  source:
    persistentVolumeClaimName: pvc-test
`,
  );
  const snapshot = await scene.untilReady('new-snapshot-test');
  const content = await scene.get(volumeSnapshotContents, `snapcontent-${snapshot.metadata.uid}`);
  expect(content.spec).toMatchObject({ deletionPolicy: 'Delete', driver: DRIVER, source: { volumeHandle: 'volume-pvc-test' }, sourceVolumeMode: 'Filesystem' });
});

test('a snapshot of a claim by the default class', async () => {
  await using scene = await startScene();
  await apply(scene, classYaml('Delete', true));
  await scene.addBoundClaim('pvc-test');
  await apply(
    scene,
    `
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata:
  name: new-snapshot-test
spec:
  source:
    persistentVolumeClaimName: pvc-test
`,
  );
  expect((await scene.untilReady('new-snapshot-test')).spec.volumeSnapshotClassName).toBe('csi-hostpath-snapclass');
});

const preProvisioned = (policy: string): string => `
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotContent
metadata:
  name: new-snapshot-content-test
  annotations:
    snapshot.storage.kubernetes.io/allow-volume-mode-change: "true"
spec:
  deletionPolicy: ${policy}
  driver: ${DRIVER}
  source:
    snapshotHandle: 7bdd0de3-aaeb-11e8-9aae-0242ac110002
  sourceVolumeMode: Filesystem
  volumeSnapshotRef:
    name: new-snapshot-test
    namespace: default
`;
const preProvisionedSnapshot = `
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshot
metadata:
  name: new-snapshot-test
spec:
  source:
    volumeSnapshotContentName: new-snapshot-content-test
`;

test.each([
  ['Delete', 0],
  ['Retain', 1],
] as const)('a pre-provisioned snapshot with policy %s, bound, and deleted again', async (policy, left) => {
  await using scene = await startScene();
  const id = '7bdd0de3-aaeb-11e8-9aae-0242ac110002';
  scene.driver.snapshots.set(id, { id, name: 'by hand', volume: 'v', readyAfter: 0, creationNanos: 1_795_412_439_123_456_789n });
  await apply(scene, preProvisioned(policy));
  await apply(scene, preProvisionedSnapshot);
  await scene.untilReady('new-snapshot-test');
  expect((await scene.get(volumeSnapshotContents, 'new-snapshot-content-test')).status?.creationTime).toBe(1_795_412_439_123_456_789n);
  await scene.delete(volumeSnapshots, 'new-snapshot-test');
  await scene.untilGone(volumeSnapshots, 'new-snapshot-test');
  if (policy === 'Delete') await scene.untilGone(volumeSnapshotContents, 'new-snapshot-content-test');
  expect(scene.driver.snapshots.size).toBe(left);
  expect((await scene.client.list(volumeSnapshotContents)).items).toHaveLength(left);
});

test('a content made by hand for a volume, as the documentation shows dynamic ones, is served once its snapshot names it as its own', async () => {
  await using scene = await startScene();
  await apply(scene, classYaml('Delete', false));
  await apply(
    scene,
    `
apiVersion: snapshot.storage.k8s.io/v1
kind: VolumeSnapshotContent
metadata:
  name: snapcontent-72d9a349-aacd-42d2-a240-d775650d2455
spec:
  deletionPolicy: Delete
  driver: ${DRIVER}
  source:
    volumeHandle: ee0cfb94-f8d4-11e9-b2d8-0242ac110002
  sourceVolumeMode: Filesystem
  volumeSnapshotClassName: csi-hostpath-snapclass
  volumeSnapshotRef:
    name: new-snapshot-test
    namespace: default
    uid: 72d9a349-aacd-42d2-a240-d775650d2455
`,
  );
  const content = await scene.until(volumeSnapshotContents, 'snapcontent-72d9a349-aacd-42d2-a240-d775650d2455', ({ status }) => status?.readyToUse === true);
  expect(content.status?.snapshotHandle).toBe('id-1');
  expect(scene.driver.calls.find(({ method }) => method === 'CreateSnapshot')?.about).toBe('snapshot-72d9a349-aacd-42d2-a240-d775650d2455');
});

test('a snapshot that a new claim is restored from stays until that claim is bound', async () => {
  await using scene = await startScene();
  await apply(scene, classYaml('Delete', true));
  await scene.addBoundClaim('pvc-test');
  await scene.snapshotOf('pvc-test', 'new-snapshot-test');
  await scene.untilReady('new-snapshot-test');
  await apply(
    scene,
    `
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: restore-pvc
spec:
  storageClassName: csi-hostpath-sc
  dataSource:
    name: new-snapshot-test
    kind: VolumeSnapshot
    apiGroup: snapshot.storage.k8s.io
  accessModes:
    - ReadWriteOnce
  resources:
    requests:
      storage: 10Gi
`,
  );
  await scene.delete(volumeSnapshots, 'new-snapshot-test');
  await scene.until(volumeSnapshots, 'new-snapshot-test', ({ status }) => status?.error?.message?.includes('restore-pvc') === true);
  await scene.bind(await scene.get(persistentVolumeClaims, 'restore-pvc'));
  await scene.untilGone(volumeSnapshots, 'new-snapshot-test');
});

test.each([
  [
    'both sources',
    'persistentVolumeClaimName: a\n    volumeSnapshotContentName: b',
    'exactly one of volumeSnapshotContentName and persistentVolumeClaimName must be set',
  ],
  ['no source', '{}', 'exactly one of volumeSnapshotContentName and persistentVolumeClaimName must be set'],
])('a snapshot with %s is refused', async (_name, source, reason) => {
  await using scene = await Scene.start();
  const body = `apiVersion: snapshot.storage.k8s.io/v1\nkind: VolumeSnapshot\nmetadata:\n  name: bad\nspec:\n  source: ${source === '{}' ? '{}' : `\n    ${source}`}\n`;
  await expect(apply(scene, body)).rejects.toThrow(reason);
});

test('the class of the documentation is accepted as it stands', async () => {
  await using scene = await Scene.start();
  await apply(scene, classYaml('Retain', true));
  expect(await scene.get(volumeSnapshotClasses, 'csi-hostpath-snapclass')).toMatchObject({ driver: DRIVER, deletionPolicy: 'Retain' });
});
