// Carries out a plan about a content. What the driver answered is recorded before anything relies on it.
import {
  Annotation,
  Finalizer,
  hasFinalizer,
  isBeingDeleted,
  keyOf,
  volumeSnapshotContents,
  type EventReason,
  type VolumeSnapshotClass,
  type VolumeSnapshotContent,
} from '@snapshot-stack/api-types';
import { CsiError } from '@snapshot-stack/csi';
import { KubeError, done, guarded, isNotFound, type Cache, type Client, type Clock, type EventRecorder, type Log, type Result } from '@snapshot-stack/runtime';
import type { Driver, DriverSnapshot } from '../driver.ts';
import { RequestError, driverParameters, listSecrets, operationSecrets, snapshotNameFor } from '../parameters.ts';
import type { Answered } from './answered.ts';
import { handleOf, isGroupMember, isGuarded } from './decide.ts';
import type { ContentPlan } from './plan.ts';
import { describe, errorChange, statusChange, type StatusChange } from './status.ts';

export interface Hands {
  client: Client;
  driver: Driver;
  contents: Cache<VolumeSnapshotContent>;
  classes: Cache<VolumeSnapshotClass>;
  events: EventRecorder;
  clock: Clock;
  log: Log;
  answered: Answered;
  naming: { prefix: string; uuidLength: number };
  extraCreateMetadata: boolean;
  /** Shortest and longest pause between two questions whether a snapshot is ready. */
  pollMinMs: number;
  pollMaxMs: number;
}

export async function execute(plan: ContentPlan, hands: Hands, signal: AbortSignal): Promise<Result> {
  switch (plan.kind) {
    case 'nothing':
      return done;
    case 'create':
      return create(plan.content, plan.keepGuard, hands, signal);
    case 'check':
      return check(plan, hands, signal);
    case 'dropGuard':
      await dropGuard(plan.content, hands, signal);
      return done;
    case 'delete':
      return deleteAndRelease(plan.content, plan.handle, hands, signal);
  }
}

async function create(content: VolumeSnapshotContent, keepGuard: boolean, hands: Hands, signal: AbortSignal): Promise<Result> {
  const { driver, clock } = hands;
  let input;
  try {
    input = await createInput(content, hands, signal);
  } catch (error) {
    return fail(content, 'SnapshotCreationFailed', `Failed to create snapshot: ${describe(error)}`, error, hands, signal);
  }
  const guardedContent = await guard(content, hands, signal);
  hands.answered.delete(content);
  let answer: DriverSnapshot;
  try {
    answer = await driver.createSnapshot(input, signal);
  } catch (error) {
    signal.throwIfAborted();
    return createFailed(guardedContent, error, hands, signal);
  }
  let recorded = await record(guardedContent, statusChange(guardedContent, answer, clock.now()), hands, signal);
  hands.answered.add(content);
  if (mayGo(recorded)) return { kind: 'after', ms: 0, why: 'what was created is to be deleted' };
  if (answer.ready || !keepGuard) recorded = await dropGuard(recorded, hands, signal);
  return answer.ready ? done : poll(recorded, hands);
}

/** Deleted, and its snapshot is being deleted too: an answer of the driver was all that it waited for. */
function mayGo(content: VolumeSnapshotContent): boolean {
  return isBeingDeleted(content) && content.metadata.annotations?.[Annotation.beingDeleted] === 'yes';
}

async function createInput(content: VolumeSnapshotContent, hands: Hands, signal: AbortSignal): Promise<Parameters<Driver['createSnapshot']>[0]> {
  const { driver, classes, client, naming, extraCreateMetadata } = hands;
  const className = content.spec.volumeSnapshotClassName ?? '';
  const snapshotClass = classes.get(className);
  // A content that is going only needs to learn what there is to delete: the name decides that, not the class.
  if (snapshotClass === undefined && !isBeingDeleted(content)) {
    const problem =
      className === ''
        ? 'the content names no VolumeSnapshotClass'
        : `VolumeSnapshotClass "${className}" does not exist; create it, and it is tried again by itself`;
    throw new RequestError(problem);
  }
  if (snapshotClass !== undefined && snapshotClass.driver !== driver.name) {
    throw new RequestError(`VolumeSnapshotClass "${className}" is for driver ${snapshotClass.driver}, but the content is for ${driver.name}`);
  }
  return {
    name: snapshotNameFor(content, naming),
    volumeHandle: content.spec.source.volumeHandle ?? '',
    parameters: driverParameters(snapshotClass, content, extraCreateMetadata),
    secrets: await operationSecrets(content, isBeingDeleted(content), { client, signal }),
  };
}

/** A stream that was reset is told as INTERNAL by the gRPC library itself: no driver has answered then. */
function mayStillRun({ final, code, message }: CsiError): boolean {
  return !final || (code === 'INTERNAL' && message.startsWith('Received RST_STREAM'));
}

async function createFailed(content: VolumeSnapshotContent, error: unknown, hands: Hands, signal: AbortSignal): Promise<Result> {
  const failure = CsiError.from(error);
  const message = `Failed to create snapshot: failed to take snapshot of the volume ${content.spec.source.volumeHandle}: "${describe(failure)}"`;
  // Without its class a request may differ from the one that made a snapshot: then "exists already" means just that.
  const mayExist = failure.code === 'ALREADY_EXISTS' && isBeingDeleted(content);
  if (mayStillRun(failure) || mayExist) return fail(content, 'SnapshotCreationFailed', message, failure, hands, signal);
  hands.answered.add(content);
  const result = await fail(content, 'SnapshotCreationFailed', message, failure, hands, signal);
  const latest = hands.contents.get(keyOf(content)) ?? content;
  if (mayGo(latest)) return { kind: 'after', ms: 0, why: 'nothing was created, so nothing is to be deleted' };
  await dropGuard(latest, hands, signal);
  return result;
}

async function check(plan: Extract<ContentPlan, { kind: 'check' }>, hands: Hands, signal: AbortSignal): Promise<Result> {
  const { content, handle } = plan;
  const { clock } = hands;
  try {
    const answer = await ask(plan, hands, signal);
    if (answer === undefined && plan.thenCreate && hands.classes.get(content.spec.volumeSnapshotClassName ?? '') !== undefined) {
      return await create(content, true, hands, signal);
    }
    if (answer === undefined) throw new RequestError(`can not find snapshot for snapshotID ${handle} at driver ${hands.driver.name}`);
    let recorded = await record(content, statusChange(content, answer, clock.now()), hands, signal);
    if (isGuarded(recorded)) recorded = await dropGuard(recorded, hands, signal);
    return answer.ready ? done : poll(recorded, hands);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof KubeError) throw error;
    return fail(content, 'SnapshotContentCheckandUpdateFailed', `Failed to check and update snapshot content: ${describe(error)}`, error, hands, signal);
  }
}

async function ask({ content, handle, by }: Extract<ContentPlan, { kind: 'check' }>, hands: Hands, signal: AbortSignal): Promise<DriverSnapshot | undefined> {
  const { driver, client } = hands;
  // A driver that cannot be asked leaves the administrator's word that the snapshot is there.
  if (by === 'trust') return { handle, creationTime: undefined, sizeBytes: undefined, ready: true, groupHandle: undefined };
  const secrets = isGroupMember(content)
    ? await operationSecrets(content, false, { client, signal })
    : await listSecrets(hands.classes.get(content.spec.volumeSnapshotClassName ?? ''), content, { client, signal });
  return by === 'GetSnapshot' ? driver.getSnapshot(handle, secrets, signal) : driver.findInList(handle, secrets, signal);
}

async function deleteAndRelease(content: VolumeSnapshotContent, handle: string | undefined, hands: Hands, signal: AbortSignal): Promise<Result> {
  const { client, driver, contents } = hands;
  if (handle !== undefined) {
    try {
      await driver.deleteSnapshot(handle, await operationSecrets(content, true, { client, signal }), signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof KubeError) throw error;
      return fail(content, 'SnapshotDeleteError', `Failed to delete snapshot: ${describe(error)}`, error, hands, signal);
    }
  }
  const finalizers = (content.metadata.finalizers ?? []).filter((finalizer) => finalizer !== Finalizer.content);
  try {
    contents.remember(await client.patch(volumeSnapshotContents, refOf(content), guarded(content, { metadata: { finalizers } }), { signal }));
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  // That its call was answered is forgotten only when the watch tells that it is gone. The answer to the last write
  // carries the old version, so that the cache may still show what was: a content that seems to be guarded and
  // unanswered would be created once more, with nobody left to delete it (crash.test.ts, "looked at once more").
  return done;
}

/** From here on the driver may be working: the content must neither vanish nor be let go. One write, or none. */
async function guard(content: VolumeSnapshotContent, { client, contents }: Hands, signal: AbortSignal): Promise<VolumeSnapshotContent> {
  const finalizers = content.metadata.finalizers ?? [];
  const isHeld = hasFinalizer(content, Finalizer.content);
  // A finalizer cannot be added to an object that is being deleted.
  if (isGuarded(content) && (isHeld || isBeingDeleted(content))) return content;
  const metadata = {
    annotations: { [Annotation.beingCreated]: 'yes' },
    ...(isHeld || isBeingDeleted(content) ? {} : { finalizers: [...finalizers, Finalizer.content] }),
  };
  const answer = await client.patch(volumeSnapshotContents, refOf(content), guarded(content, { metadata }), { signal });
  contents.remember(answer);
  return answer;
}

async function dropGuard(content: VolumeSnapshotContent, { client, contents }: Hands, signal: AbortSignal): Promise<VolumeSnapshotContent> {
  if (!isGuarded(content)) return content;
  const metadata = { annotations: { [Annotation.beingCreated]: null } };
  const answer = await client.patch(volumeSnapshotContents, refOf(content), guarded(content, { metadata }), { signal });
  contents.remember(answer);
  return answer;
}

/**
 * Writes to the status with the uid alone as precondition: what the driver answered is true whatever else has
 * changed meanwhile (the content may just have been deleted), nobody else writes these members, and a conflict
 * here would only send the same question to the driver again.
 */
async function record(
  content: VolumeSnapshotContent,
  change: StatusChange | undefined,
  { client, contents }: Hands,
  signal: AbortSignal,
): Promise<VolumeSnapshotContent> {
  if (change === undefined) return contents.get(keyOf(content)) ?? content;
  const body = { metadata: { uid: content.metadata.uid }, status: change };
  const answer = await client.patch(volumeSnapshotContents, refOf(content), { kind: 'merge', body }, { subresource: 'status', signal });
  contents.remember(answer);
  return answer;
}

async function fail(content: VolumeSnapshotContent, reason: EventReason, message: string, error: unknown, hands: Hands, signal: AbortSignal): Promise<Result> {
  if (error instanceof KubeError && error.retryable && error.code !== 'Forbidden') throw error;
  const change = errorChange(content, message, hands.clock.now());
  if (change !== undefined) {
    await record(content, change, hands, signal);
    hands.events.record(volumeSnapshotContents, content, 'Warning', reason, message);
  }
  return { kind: 'retry', why: message, error };
}

/** Asks again after a tenth of the snapshot's age: often at first, and never much later than the news. */
function poll(content: VolumeSnapshotContent, { clock, pollMinMs, pollMaxMs }: Hands): Result {
  const age = clock.now() - Date.parse(content.metadata.creationTimestamp ?? '');
  const ms = Math.min(pollMaxMs, Math.max(pollMinMs, Number.isNaN(age) ? 0 : age / 10));
  return { kind: 'after', ms, why: `snapshot ${handleOf(content)} is not ready yet` };
}

function refOf(content: VolumeSnapshotContent): { name: string } {
  return { name: content.metadata.name ?? '' };
}
