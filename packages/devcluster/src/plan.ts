// What every decide function of this package returns: the next steps with the reason for them, or why there are
// none. A plan holds at most one write per object; what the write leads to is seen in the next pass.

export type Plan<Action> =
  | { readonly kind: 'act'; readonly why: string; readonly actions: readonly Action[] }
  /** Nothing to do: an event of some object brings the next pass. */
  | { readonly kind: 'settled'; readonly why: string }
  /** Nothing to do now; look again after `ms`, since no event may come. */
  | { readonly kind: 'wait'; readonly why: string; readonly ms: number };

export function act<Action>(why: string, ...actions: Action[]): Plan<Action> {
  return { kind: 'act', why, actions };
}

export function settled(why: string): Plan<never> {
  return { kind: 'settled', why };
}

export function wait(why: string, ms: number): Plan<never> {
  return { kind: 'wait', why, ms };
}
