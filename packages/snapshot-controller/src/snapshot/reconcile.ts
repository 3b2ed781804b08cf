// One pass over one snapshot: observe, decide, execute; and what its user is told when a write is refused.
import { keyOf, volumeSnapshots, type VolumeSnapshot, type EventReason } from '@snapshot-stack/api-types';
import { KubeError, guarded, type Clock, type Log, type Result } from '@snapshot-stack/runtime';
import type { Operations } from '../operations.ts';
import { decide, type Seen } from './decide.ts';
import { ActionError, execute, type Hands } from './execute.ts';
import { observe } from './observe.ts';
import { blocked, type Action, type Plan } from './plan.ts';

export interface SnapshotReconciler extends Hands {
  clock: Clock;
  log: Log;
  operations: Operations;
  recordVolumeMode: boolean;
  /** How often the key has failed already. */
  failures(key: string): number;
}

const REASONS: Record<Action['kind'], EventReason> = {
  holdSnapshot: 'SnapshotFinalizerError',
  holdClaim: 'SnapshotContentCreationFailed',
  createContent: 'CreateSnapshotContentFailed',
  bindContent: 'SnapshotBindFailed',
  markContent: 'SnapshotContentObjectDeleteError',
  deleteContent: 'SnapshotContentObjectDeleteError',
  releaseSnapshot: 'SnapshotFinalizerError',
  setStatus: 'SnapshotStatusUpdateFailed',
  say: 'SnapshotStatusUpdateFailed',
};

export async function reconcileSnapshot(key: string, parts: SnapshotReconciler, signal: AbortSignal): Promise<Result> {
  const { client, cluster, clock, recordVolumeMode, operations, log } = parts;
  const seen = await observe(key, { client, cluster, recordVolumeMode, now: clock.now(), signal });
  operations.saw(seen);
  const plan = decide(seen);
  log.debug('decided', { key, why: plan.why, actions: plan.actions.map(({ kind }) => kind) });
  try {
    await execute(plan, parts, signal);
  } catch (error) {
    throw await explained(error, key, seen, parts, signal);
  }
  for (const action of plan.actions) if (action.kind === 'setStatus') operations.statusSet(action.snapshot, action.status);
  return resultOf(plan);
}

function resultOf({ why, next }: Plan): Result {
  switch (next.kind) {
    case 'settled':
      return { kind: 'done' };
    case 'after':
      return { kind: 'after', ms: next.ms, why };
    case 'blocked':
      return { kind: 'retry', why };
  }
}

/**
 * The error to end the pass with. One that only says that somebody was faster becomes a quiet conflict; any other
 * is told to the user when it will not pass by itself (missing permission, invalid object) or has come twice.
 */
async function explained(error: unknown, key: string, { snapshot }: Seen, parts: SnapshotReconciler, signal: AbortSignal): Promise<unknown> {
  if (!(error instanceof ActionError) || signal.aborted) return error;
  const cause = KubeError.from(error.cause);
  if (cause.code === 'Conflict') return cause;
  if (cause.code === 'NotFound') return new KubeError('Conflict', `an object is gone by now; looking again (${cause.message})`, { cause });
  const isLasting = !cause.retryable || cause.code === 'Forbidden';
  if (snapshot !== undefined && (isLasting || parts.failures(key) > 0)) await tell(error, snapshot, parts, signal);
  return cause;
}

async function tell(
  { action, message }: ActionError,
  decidedOn: VolumeSnapshot,
  { client, cluster, clock, events, log }: SnapshotReconciler,
  signal: AbortSignal,
): Promise<void> {
  const key = keyOf(decidedOn);
  const snapshot = cluster.snapshots.cache.get(key) ?? decidedOn;
  const { actions } = blocked(snapshot, { reason: REASONS[action], message }, clock.now());
  for (const step of actions) {
    if (step.kind === 'say') events.record(volumeSnapshots, snapshot, step.type, step.reason, step.message);
    if (step.kind !== 'setStatus') continue;
    const { name = '', namespace } = snapshot.metadata;
    const body: object = { status: step.status };
    await client
      .patch(volumeSnapshots, { name, namespace }, guarded(snapshot, body), { subresource: 'status', signal })
      .then((answer) => cluster.snapshots.cache.remember(answer))
      .catch((error: unknown) => log.warn('the error could not be written to the snapshot either', { key, error }));
  }
}
