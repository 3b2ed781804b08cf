// Carries out a plan about a snapshot. Every write carries the uid and the version it was decided on, or the
// version that an earlier write of the same plan answered with: whoever else wrote in between makes it a
// conflict, and the snapshot is looked at again.
import {
  Annotation,
  Finalizer,
  isBeingDeleted,
  keyOf,
  volumeSnapshotContents,
  volumeSnapshots,
  type KubeObject,
  type VolumeSnapshot,
  type VolumeSnapshotContent,
} from '@snapshot-stack/api-types';
import { KubeError, guarded, isAlreadyExists, isNotFound, pathOf, type Client, type EventRecorder } from '@snapshot-stack/runtime';
import type { ClaimProtection } from '../claim/execute.ts';
import type { Cluster } from '../cluster.ts';
import type { Action, Plan } from './plan.ts';
import { OUR_FINALIZERS, isHeld } from './questions.ts';

export interface Hands {
  client: Client;
  cluster: Cluster;
  claims: ClaimProtection;
  events: EventRecorder;
}

/** The action that failed, so that its reason can be told. */
export class ActionError extends Error {
  override readonly name = 'ActionError';
  readonly action: Action['kind'];

  constructor(action: Action['kind'], cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.action = action;
  }
}

/** @throws ActionError with a KubeError as cause; `Conflict` means: look again */
export async function execute(plan: Plan, hands: Hands, signal: AbortSignal): Promise<void> {
  const latest = new Latest();
  for (const action of plan.actions) {
    try {
      await perform(action, hands, latest, signal);
    } catch (error) {
      throw new ActionError(action.kind, error);
    }
  }
}

/** The newest version of each object that this plan's own writes were answered with. */
class Latest {
  readonly #objects = new Map<string, KubeObject>();

  of<T extends KubeObject>(object: T): T {
    return (this.#objects.get(object.metadata.uid ?? '') as T | undefined) ?? object;
  }

  has(object: KubeObject): boolean {
    return this.#objects.has(object.metadata.uid ?? '');
  }

  set<T extends KubeObject>(object: T): T {
    this.#objects.set(object.metadata.uid ?? '', object);
    return object;
  }
}

async function perform(action: Action, hands: Hands, latest: Latest, signal: AbortSignal): Promise<void> {
  const { client, cluster } = hands;
  const patchSnapshot = async (snapshot: VolumeSnapshot, body: object, subresource?: 'status'): Promise<void> => {
    const answer = await client.patch(volumeSnapshots, refOf(snapshot), guarded(snapshot, body), {
      signal,
      ...(subresource === undefined ? {} : { subresource }),
    });
    cluster.snapshots.cache.remember(latest.set(answer));
  };
  const patchContent = async (content: VolumeSnapshotContent, body: object): Promise<void> => {
    const answer = await client.patch(volumeSnapshotContents, refOf(content), guarded(content, body), { signal });
    cluster.contents.cache.remember(latest.set(answer));
  };
  switch (action.kind) {
    case 'holdSnapshot': {
      const finalizers = [...(action.snapshot.metadata.finalizers ?? []), ...action.finalizers];
      const spec = action.className === undefined ? {} : { spec: { volumeSnapshotClassName: action.className } };
      return patchSnapshot(action.snapshot, { metadata: { finalizers }, ...spec });
    }
    case 'holdClaim':
      return hands.claims.hold(keyOf(action.claim), signal);
    case 'createContent':
      return createContent(action, hands, latest, signal);
    case 'bindContent':
      return patchContent(action.content, bindingOf(action.snapshot, action.content));
    case 'markContent':
      return patchContent(latest.of(action.content), { metadata: { annotations: { [Annotation.beingDeleted]: 'yes' } } });
    case 'deleteContent':
      return deleteContent(latest.of(action.content), hands, signal);
    case 'releaseSnapshot': {
      const finalizers = (action.snapshot.metadata.finalizers ?? []).filter((finalizer) => !OUR_FINALIZERS.includes(finalizer));
      return patchSnapshot(latest.of(action.snapshot), { metadata: { finalizers } });
    }
    case 'setStatus':
      return patchSnapshot(latest.of(action.snapshot), { status: action.status }, 'status');
    case 'say':
      hands.events.record(volumeSnapshots, action.snapshot, action.type, action.reason, action.message);
  }
}

function refOf({ metadata: { name = '', namespace } }: KubeObject): { name: string; namespace: string | undefined } {
  return { name, namespace };
}

function bindingOf(snapshot: VolumeSnapshot, content: VolumeSnapshotContent): object {
  const { finalizers = [] } = content.metadata;
  const className = content.spec.volumeSnapshotClassName ?? snapshot.spec.volumeSnapshotClassName;
  return {
    metadata: {
      ...(finalizers.includes(Finalizer.content) ? {} : { finalizers: [...finalizers, Finalizer.content] }),
      // A mark left from a snapshot that the content belonged to before would let the content be deleted under this one.
      ...(content.metadata.annotations?.[Annotation.beingDeleted] === undefined ? {} : { annotations: { [Annotation.beingDeleted]: null } }),
    },
    spec: {
      volumeSnapshotRef: { uid: snapshot.metadata.uid },
      ...(className === undefined ? {} : { volumeSnapshotClassName: className }),
    },
  };
}

async function createContent(action: Extract<Action, { kind: 'createContent' }>, hands: Hands, latest: Latest, signal: AbortSignal): Promise<void> {
  const { client, cluster } = hands;
  const snapshot = latest.has(action.snapshot) ? latest.of(action.snapshot) : await confirmHeld(action.snapshot, client, signal);
  const ref = { ...action.content.spec.volumeSnapshotRef, resourceVersion: snapshot.metadata.resourceVersion ?? '' };
  const content: VolumeSnapshotContent = { ...action.content, spec: { ...action.content.spec, volumeSnapshotRef: ref } };
  try {
    cluster.contents.cache.remember(await client.create(volumeSnapshotContents, content, { signal }));
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    // Ours from a pass that died, or somebody else's: the next pass looks at whose it is.
    cluster.contents.cache.remember(await client.get(volumeSnapshotContents, refOf(content), { signal }));
    throw new KubeError('Conflict', `VolumeSnapshotContent ${content.metadata.name} exists already; looking at it`, { cause: error });
  }
}

/**
 * A content must never be made for a snapshot that has gone. Ordinarily the hold, written just before with a
 * precondition, proves that the snapshot is there. Where it was held by an earlier pass (the process died in
 * between, or had to wait) this live read proves it instead.
 */
async function confirmHeld(snapshot: VolumeSnapshot, client: Client, signal: AbortSignal): Promise<VolumeSnapshot> {
  const live = await client.find(volumeSnapshots, refOf(snapshot), { signal });
  if (live === undefined || live.metadata.uid !== snapshot.metadata.uid || isBeingDeleted(live) || !isHeld(live)) {
    throw new KubeError('Conflict', `VolumeSnapshot ${keyOf(snapshot)} has changed; looking again`);
  }
  return live;
}

/** Exactly the version that was decided on: a policy that has just become Retain is not overtaken. */
async function deleteContent(content: VolumeSnapshotContent, { client, cluster }: Hands, signal: AbortSignal): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: content.metadata.uid, resourceVersion: content.metadata.resourceVersion } };
  try {
    // Not client.delete: the answer, the content with its deletionTimestamp, keeps the next pass from deleting twice.
    const answer = await client.raw('DELETE', pathOf(volumeSnapshotContents, undefined, content.metadata.name), { body, signal });
    const object = answer.body as VolumeSnapshotContent | undefined;
    if (object?.kind === 'VolumeSnapshotContent') cluster.contents.cache.remember(object);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
