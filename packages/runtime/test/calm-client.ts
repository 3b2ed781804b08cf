// A client that knows whether requests are under way, so that a test with a clock of its own moves that only
// while nobody waits for the network: otherwise every timeout would come early on a slow machine.
import { createClient, wrapClient, type Client, type Connection, type ManualClock } from '@snapshot-stack/runtime';

export interface Calm {
  client: Client;
  /** Moves the clock on by `ms`, waiting for requests to be answered before each step. */
  pass(ms: number, stepMs?: number): Promise<void>;
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

export function calmClient(connection: Connection, clock: ManualClock, userAgent = 'test/1'): Calm {
  const requests = { open: 0 };
  const client = wrapClient(createClient(connection, { userAgent, clock }), { before: () => void requests.open++, after: () => void requests.open-- });
  const quiet = async (): Promise<void> => {
    await turn();
    while (requests.open > 0) await turn();
    await turn();
    if (requests.open > 0) await quiet();
  };
  return {
    client,
    pass: async (ms, stepMs = 250) => {
      await quiet();
      for (let left = ms; left > 0; left -= stepMs) {
        await clock.advance(Math.min(stepMs, left));
        await quiet();
      }
    },
  };
}
