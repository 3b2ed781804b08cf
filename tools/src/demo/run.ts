// The main job: a folder into a claim, a snapshot of it, the source spoiled, a new claim restored from the
// snapshot, and the restored data compared with what went in.
import {
  customResourceDefinitions,
  namespaces,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  storageClasses,
  volumeSnapshotClasses,
  volumeSnapshots,
  type KubeObject,
  type Resource,
} from '@snapshot-stack/api-types';
import { publishedPath, type LocalStack } from '@snapshot-stack/local-stack';
import { isAlreadyExists } from '@snapshot-stack/runtime';
import { compareTrees, type Comparison } from './compare-trees.ts';
import { copyFolder } from './copy-folder.ts';
import { DemoError } from './demo-error.ts';
import type { FolderSize } from './folder-size.ts';
import { NAMESPACE, claim, namespace, podUsing, snapshot, snapshotClass, storageClass } from './objects.ts';
import { overwriteFolder } from './overwrite.ts';
import { narrate, waitFor, waitForGone } from './steps.ts';
import { mebibytes, type Story } from './story.ts';

const MIB = 2 ** 20;
const PROGRESS_EVERY_MS = 100;
// A file system's own, not the user's.
const NOT_DATA = ['lost+found'];

export interface Job {
  from: string;
  size: FolderSize;
  /** '' leaves no copy. */
  out: string;
  stack: LocalStack;
  story: Story;
  signal: AbortSignal;
}

async function apply<T extends KubeObject>({ stack, signal }: Job, resource: Resource<T>, object: T): Promise<void> {
  await stack.client.create(resource, object, { signal }).catch((error: unknown) => {
    if (!isAlreadyExists(error)) throw error;
  });
}

/** A pod that uses the claim; resolves with where its volume is mounted. */
async function mounted(job: Job, podName: string, claimName: string): Promise<string> {
  const { stack, signal } = job;
  const claimRef = { name: claimName, namespace: NAMESPACE };
  await waitFor(stack.client, persistentVolumeClaims, claimRef, 'bound', (object) => object.status?.phase === 'Bound', signal);
  await apply(job, pods, podUsing(podName, claimName));
  const ref = { name: podName, namespace: NAMESPACE };
  const pod = await waitFor(stack.client, pods, ref, 'running', (object) => object.status?.phase === 'Running', signal);
  const bound = await stack.client.get(persistentVolumeClaims, claimRef, { signal });
  return publishedPath(stack.layout, pod.metadata.uid ?? '', bound.spec.volumeName ?? '');
}

async function fill(job: Job, target: string): Promise<void> {
  let shownAt = 0;
  await copyFolder(job.from, target, job.signal, (copied) => {
    const now = performance.now();
    if (now - shownAt < PROGRESS_EVERY_MS) return;
    shownAt = now;
    job.story.progress(`copying in: ${copied} entries so far, ${job.size.files} files in all`);
  });
}

async function check(job: Job, restored: string): Promise<Comparison> {
  const comparison = await compareTrees(job.from, restored, job.signal, NOT_DATA);
  if (comparison.differences.length > 0) throw new DemoError(`what came out is not what went in:\n  ${comparison.differences.join('\n  ')}`);
  return comparison;
}

export async function setUp(job: Job): Promise<void> {
  const { stack, signal } = job;
  const driver = stack.layout.driverName;
  await apply(job, namespaces, namespace);
  await apply(job, storageClasses, storageClass(driver));
  const established = ['volumesnapshots', 'volumesnapshotcontents', 'volumesnapshotclasses'].map((plural) => `${plural}.snapshot.storage.k8s.io`);
  for (const name of established) await stack.client.get(customResourceDefinitions, { name }, { signal });
  await apply(job, volumeSnapshotClasses, snapshotClass(driver));
}

/** Does the whole job; resolves with the comparison of what came out with what went in. */
export async function runJob(job: Job): Promise<Comparison> {
  const { stack, story, signal, size } = job;
  const { client } = stack;
  narrate(client, story, signal);
  const sizeMiB = Math.ceil((size.bytes * 1.1) / MIB) + 64;
  const source = await story.step('source claim bound and mounted', async () => {
    await apply(job, persistentVolumeClaims, claim('source', sizeMiB));
    return mounted(job, 'writer', 'source');
  });
  await story.step(
    'folder copied in',
    () => fill(job, source),
    () => `${size.files} files, ${mebibytes(size.bytes)}`,
  );
  await story.step('snapshot taken and ready', async () => {
    await apply(job, volumeSnapshots, snapshot('snapshot-of-source', 'source'));
    const ref = { name: 'snapshot-of-source', namespace: NAMESPACE };
    await waitFor(client, volumeSnapshots, ref, 'ready to use', (object) => object.status?.readyToUse === true, signal);
  });
  await story.step(
    'source overwritten',
    () => overwriteFolder(source, signal),
    (spoiled) => `${spoiled} files spoiled`,
  );
  const restored = await story.step('new claim restored and mounted', async () => {
    await apply(job, persistentVolumeClaims, claim('restored', sizeMiB, 'snapshot-of-source'));
    return mounted(job, 'reader', 'restored');
  });
  const comparison = await story.step(
    'restored data compared',
    () => check(job, restored),
    ({ files, bytes }) => `${files} files, ${mebibytes(bytes)}`,
  );
  if (job.out !== '')
    await story.step(
      'restored data copied out',
      () => copyFolder(restored, job.out, signal),
      () => job.out,
    );
  return comparison;
}

/** Deletes what the story made, and sees that volumes and snapshots are gone from the driver too. */
export async function tearDown({ stack, signal }: Job): Promise<void> {
  const { client } = stack;
  for (const name of ['writer', 'reader']) await client.delete(pods, { name, namespace: NAMESPACE }, { signal });
  for (const name of ['writer', 'reader']) await waitForGone(client, pods, { name, namespace: NAMESPACE }, signal);
  await client.delete(volumeSnapshots, { name: 'snapshot-of-source', namespace: NAMESPACE }, { signal });
  for (const name of ['source', 'restored']) await client.delete(persistentVolumeClaims, { name, namespace: NAMESPACE }, { signal });
  await waitForGone(client, volumeSnapshots, { name: 'snapshot-of-source', namespace: NAMESPACE }, signal);
  const { items } = await client.list(persistentVolumes, { signal });
  for (const volume of items) await waitForGone(client, persistentVolumes, { name: volume.metadata.name ?? '' }, signal);
}
