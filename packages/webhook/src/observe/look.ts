// What one review sees of the cluster. Rules ask it, and it notes how far the answers can be trusted, so that the
// verdict can say so: nobody has to guess whether a rule was checked against the present or the past.
import {
  isBeingDeleted,
  persistentVolumeClaims,
  volumeGroupSnapshotClasses,
  volumeSnapshotClasses,
  volumeSnapshotContents,
  volumeSnapshots,
  type KubeObject,
  type PersistentVolumeClaim,
  type Resource,
  type VolumeGroupSnapshotClass,
  type VolumeSnapshot,
  type VolumeSnapshotClass,
  type VolumeSnapshotContent,
} from '@snapshot-stack/api-types';
import { KubeError, type Cache, type Client, type Clock, type Timer } from '@snapshot-stack/runtime';
import type { UserInfo } from '../review/admission-review.ts';
import type { Warning } from '../review/verdict.ts';
import type { Cached } from './cached.ts';
import { snapshotKeyOf, type Cluster } from './cluster.ts';

const PAGE_SIZE = 500;
/** A list longer than this is judged by its beginning, and the review says so. */
const PAGES_MAX = 20;

export interface Ref {
  readonly namespace: string;
  readonly name: string;
}

export type Access = { readonly kind: 'allowed' } | { readonly kind: 'refused' } | { readonly kind: 'unknown'; readonly why: string };

export class Look {
  readonly #cluster: Cluster;
  readonly #clock: Clock;
  readonly #askMs: number;
  readonly #notes = new Map<string, string>();
  #deadline: { readonly signal: AbortSignal; readonly timer: Timer } | undefined;

  /** @param askMs how long all questions to the API server together may take */
  constructor(cluster: Cluster, clock: Clock, askMs: number) {
    this.#cluster = cluster;
    this.#clock = clock;
    this.#askMs = askMs;
  }

  /** Lets go of the timer. */
  end(): void {
    this.#deadline?.timer.cancel();
  }

  /** How far the answers so far can be trusted; [] when all of them are up to date. */
  get notes(): Warning[] {
    return [...this.#notes.values()].map((text) => ({ kind: 'warn', rule: 'freshness', text }));
  }

  /** From the cache; undefined when it is not there, or nothing is known. */
  snapshot(ref: Ref): VolumeSnapshot | undefined {
    return this.#from(this.#cluster.snapshots)?.get(snapshotKeyOf(ref));
  }

  /** The present one, or that of the cache where the API server cannot be asked. */
  presentSnapshot(ref: Ref): Promise<VolumeSnapshot | undefined> {
    return this.#ask(
      `VolumeSnapshot ${ref.namespace}/${ref.name}`,
      (client, signal) => client.find(volumeSnapshots, ref, { signal }),
      () => this.snapshot(ref),
    );
  }

  /** From the cache. */
  contentsFor(ref: Ref): readonly VolumeSnapshotContent[] {
    return this.#from(this.#cluster.contents)?.byIndex('bySnapshot', snapshotKeyOf(ref)) ?? [];
  }

  /** Contents that stand for the same snapshot at the storage system; from the cache. */
  contentsOfHandle(handleKey: string): readonly VolumeSnapshotContent[] {
    return this.#from(this.#cluster.contents)?.byIndex('byHandle', handleKey) ?? [];
  }

  /** From the cache; undefined when nothing is known. */
  hasDriver(name: string): boolean | undefined {
    const drivers = this.#from(this.#cluster.drivers);
    return drivers === undefined ? undefined : drivers.get(name) !== undefined;
  }

  /** The present ones, or those of the cache where the API server cannot be asked; [] where nothing is known. */
  async classes(): Promise<readonly VolumeSnapshotClass[]> {
    const found = await this.#ask(
      'VolumeSnapshotClasses',
      () => this.#listAll(volumeSnapshotClasses),
      () => this.#from(this.#cluster.classes)?.list(),
    );
    return found ?? [];
  }

  /** The present ones; [] where they cannot be asked for. No cache is kept of them: not every cluster has them. */
  async groupClasses(): Promise<readonly VolumeGroupSnapshotClass[]> {
    return (await this.#ask('VolumeGroupSnapshotClasses', () => this.#listAll(volumeGroupSnapshotClasses))) ?? [];
  }

  /** Claims of a namespace whose volume is still being filled from the snapshot; [] where that cannot be asked. */
  async claimsRestoring({ namespace, name }: Ref): Promise<readonly PersistentVolumeClaim[]> {
    const claims = await this.#ask(`PersistentVolumeClaims of namespace ${namespace}`, () => this.#listAll(persistentVolumeClaims, namespace));
    return (claims ?? []).filter((claim) => isUnfinished(claim) && restores(claim, name));
  }

  /** Whether a user may do something to a VolumeSnapshotContent, by the API server's own authorizers. */
  async access(user: UserInfo, verb: string, name: string): Promise<Access> {
    const { group, version, plural: resource } = volumeSnapshotContents;
    const spec = {
      user: user.username,
      ...(user.uid === undefined ? {} : { uid: user.uid }),
      groups: user.groups,
      ...(user.extra === undefined ? {} : { extra: user.extra }),
      resourceAttributes: { group, version, resource, verb, ...(name === '' ? {} : { name }) },
    };
    const body = { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec };
    try {
      const answer = await this.#cluster.client.raw('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', { body, signal: this.#signal });
      const { status } = answer.body as { status?: { allowed?: boolean } };
      return status?.allowed === true ? { kind: 'allowed' } : { kind: 'refused' };
    } catch (error) {
      return { kind: 'unknown', why: KubeError.from(error).message };
    }
  }

  #from<T extends KubeObject>(cached: Cached<T>): Cache<T> | undefined {
    const freshness = cached.freshness();
    if (freshness.kind === 'empty') this.#notes.set(cached.plural, `rules about other ${cached.plural} were not checked: nothing is known of them yet`);
    if (freshness.kind === 'stale')
      this.#notes.set(cached.plural, `checked against ${cached.plural} as they were ${seconds(freshness.forMs)} ago: the API server cannot be watched`);
    return cached.objects;
  }

  /** What the API server says; where it does not, what the cache says, and a note. */
  async #ask<R>(what: string, ask: (client: Client, signal: AbortSignal) => Promise<R>, fromCache?: () => R): Promise<R | undefined> {
    try {
      return await ask(this.#cluster.client, this.#signal);
    } catch (error) {
      const instead = fromCache === undefined ? 'rules about them were not checked' : 'were taken from the cache';
      this.#notes.set(what, `${what} could not be read, and ${instead}: ${KubeError.from(error).message}`);
      return fromCache?.();
    }
  }

  /** Made at the first question; most reviews ask none. */
  get #signal(): AbortSignal {
    if (this.#deadline === undefined) {
      const late = new AbortController();
      const timer = this.#clock.setTimer(this.#askMs, () => late.abort(new KubeError('Timeout', `no answer within ${this.#askMs} ms`)));
      this.#deadline = { signal: late.signal, timer };
    }
    return this.#deadline.signal;
  }

  async #listAll<T extends KubeObject>(resource: Resource<T>, namespace?: string): Promise<T[]> {
    const found: T[] = [];
    let next: string | undefined;
    for (let page = 0; page < PAGES_MAX; page++) {
      const list = await this.#cluster.client.list(resource, {
        namespace,
        limit: PAGE_SIZE,
        ...(next === undefined ? {} : { continue: next }),
        signal: this.#signal,
      });
      found.push(...list.items);
      next = list.metadata.continue === '' ? undefined : list.metadata.continue;
      if (next === undefined) return found;
    }
    this.#notes.set(resource.plural, `only the first ${PAGE_SIZE * PAGES_MAX} ${resource.plural} were looked at`);
    return found;
  }
}

function isUnfinished(claim: PersistentVolumeClaim): boolean {
  return claim.status?.phase !== 'Bound' && !isBeingDeleted(claim);
}

function restores({ spec }: PersistentVolumeClaim, name: string): boolean {
  return [spec.dataSourceRef, spec.dataSource].some((source) => source?.kind === 'VolumeSnapshot' && source.name === name);
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}
