// What a story is, and the stage it plays on: the objects that stories keep making, and what they keep waiting for.
import {
  persistentVolumeClaims,
  pods,
  volumeSnapshotClasses,
  volumeSnapshots,
  type DeletionPolicy,
  type PersistentVolumeClaim,
  type VolumeSnapshot,
} from '@snapshot-stack/api-types';
import type { Ref } from '@snapshot-stack/runtime';
import type { Cluster, Feature } from '../cluster.ts';
import { CONTENT, FILE, Fixtures, NAMESPACE, SOURCE_MIB, claimObject, podObject } from '../fixtures.ts';
import { until } from '../wait.ts';

export interface Story {
  /** A sentence: what its teller can rely on. */
  readonly name: string;
  /** What not every cluster has. */
  readonly needs?: readonly Feature[];
  /** @throws Error saying what was expected and what came */
  tell(stage: Stage): Promise<void>;
}

export const CLASS = 'e2e-directory-immediate';

export function named(name: string): Ref & { namespace: string } {
  return { name, namespace: NAMESPACE };
}

export class Stage {
  readonly cluster: Cluster;
  readonly fixtures: Fixtures;

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.fixtures = new Fixtures(cluster);
  }

  /** A claim with the content in it, and a pod that holds it open. */
  async source(name: string, nodeSelector?: Record<string, string>): Promise<void> {
    await this.fixtures.apply(persistentVolumeClaims, claimObject(name, 'Filesystem', nodeSelector === undefined ? CLASS : 'e2e-directory-wait', SOURCE_MIB));
    await this.use(name, nodeSelector);
    const volume = await this.cluster.mounted(named(name), name, 'Filesystem');
    await volume.write(FILE, CONTENT);
  }

  /** A pod of the claim's name that uses it. */
  async use(claim: string, nodeSelector?: Record<string, string>): Promise<void> {
    const pod = podObject(claim, claim, 'Filesystem');
    await this.fixtures.apply(pods, nodeSelector === undefined ? pod : { ...pod, spec: { ...pod.spec, nodeSelector } });
  }

  async class(
    name: string,
    deletionPolicy: DeletionPolicy,
    more: { parameters?: Record<string, string>; annotations?: Record<string, string> } = {},
  ): Promise<void> {
    const { parameters, annotations } = more;
    await this.fixtures.apply(volumeSnapshotClasses, {
      metadata: { name, ...(annotations === undefined ? {} : { annotations }) },
      driver: this.cluster.driver,
      deletionPolicy,
      ...(parameters === undefined ? {} : { parameters }),
    });
  }

  /** Asks for a snapshot; without a class it asks for the default one. */
  async ask(name: string, claim: string, snapshotClass?: string): Promise<void> {
    const chosen = snapshotClass === undefined ? {} : { volumeSnapshotClassName: snapshotClass };
    await this.fixtures.apply(volumeSnapshots, { metadata: named(name), spec: { ...chosen, source: { persistentVolumeClaimName: claim } } });
  }

  async snapshot(name: string, wish: string, done: (snapshot: VolumeSnapshot | undefined) => boolean): Promise<VolumeSnapshot | undefined> {
    return until(this.cluster.client, volumeSnapshots, named(name), wish, done);
  }

  async ready(name: string): Promise<VolumeSnapshot> {
    return (await this.snapshot(name, 'ready', (object) => object?.status?.readyToUse === true)) as VolumeSnapshot;
  }

  async take(name: string, claim: string, snapshotClass = 'e2e-delete'): Promise<VolumeSnapshot> {
    await this.ask(name, claim, snapshotClass);
    return this.ready(name);
  }

  /** Resolves with what the snapshot's status says against it. */
  async complains(name: string, about: RegExp): Promise<string> {
    const found = await this.snapshot(name, `refused with ${String(about)}`, (object) => about.test(object?.status?.error?.message ?? ''));
    return found?.status?.error?.message ?? '';
  }

  async disappears(name: string): Promise<void> {
    await this.cluster.client.delete(volumeSnapshots, named(name));
    await this.snapshot(name, 'gone', (object) => object === undefined);
  }

  /** Asks for a claim that is filled from the snapshot. */
  async restore(claim: string, snapshot: string, className = CLASS): Promise<void> {
    const source = { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: snapshot };
    await this.fixtures.apply(persistentVolumeClaims, claimObject(claim, 'Filesystem', className, SOURCE_MIB, source));
  }

  /** What came out of the claim is what went in. */
  async holdsTheContent(claim: string): Promise<void> {
    const volume = await this.cluster.mounted(named(claim), claim, 'Filesystem');
    const bytes = await volume.read(FILE, CONTENT.length);
    expected(bytes.equals(CONTENT), `claim ${claim} holds ${bytes.length} bytes that are not the ${CONTENT.length} that went in`);
  }

  async claim(name: string): Promise<PersistentVolumeClaim> {
    return this.cluster.client.get(persistentVolumeClaims, named(name));
  }
}

/** @throws Error with the message when the condition does not hold */
export function expected(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}
