// The three steps of every controller here, as the one function that a queue calls: observe, decide, and perform each
// action of the plan.
import { isNotFound, type Log, type Result } from '@snapshot-stack/runtime';
import type { Plan } from './plan.ts';

export interface Steps<Seen, Action> {
  observe(key: string, signal: AbortSignal): Promise<Seen> | Seen;
  decide(seen: Seen): Plan<Action>;
  perform(action: Action, signal: AbortSignal): Promise<void>;
  /** Look again this long after an action: for actions that no watch event follows. */
  readonly againMs?: number;
}

export function reconciler<Seen, Action extends { readonly kind: string }>(
  steps: Steps<Seen, Action>,
  log: Log,
): (key: string, signal: AbortSignal) => Promise<Result> {
  return async (key, signal) => {
    const plan = steps.decide(await steps.observe(key, signal));
    if (plan.kind === 'settled') return { kind: 'done' };
    if (plan.kind === 'wait') return { kind: 'after', ms: plan.ms, why: plan.why };
    for (const action of plan.actions) {
      log.debug('acting', { key, action: action.kind, why: plan.why });
      await unlessGone(steps.perform(action, signal));
    }
    return steps.againMs === undefined ? { kind: 'done' } : { kind: 'after', ms: steps.againMs, why: 'to see what became of it' };
  };
}

/** An object that vanished after it was seen needs nothing done; its deletion brings the next pass. */
async function unlessGone(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
