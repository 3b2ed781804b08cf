// A sidecar starts beside its driver, often before it: this waits for the socket, then for the driver's own word.
import { setTimeout as sleep } from 'node:timers/promises';
import { CsiError } from './csi-error.ts';
import type { CsiConnection } from './client.ts';

const PERIOD_MS = 1_000;
const CONNECT_TIMEOUT_MS = 30_000;

export interface WaitUntilReadyOptions {
  /** How long one Probe may take. */
  timeoutMs: number;
  signal: AbortSignal;
  /** Told, at most once a second, why it is not ready yet. */
  onWaiting(why: string): void;
}

/**
 * Resolves when the driver answers Probe with ready (an absent `ready` means true; CSI spec, Probe). A driver that is
 * not there, or late, is asked again for as long as the signal lets it.
 * @throws CsiError when Probe fails in another way; the signal's reason when it aborts
 */
export async function waitUntilReady(csi: CsiConnection, { timeoutMs, signal, onWaiting }: WaitUntilReadyOptions): Promise<void> {
  for (;;) {
    try {
      await csi.ready(CONNECT_TIMEOUT_MS);
      const { ready } = await csi.identity.probe({}, { timeoutMs, signal });
      if (ready !== false) return;
      onWaiting('it says that it is not ready yet');
    } catch (error) {
      signal.throwIfAborted();
      const { code, message } = CsiError.from(error);
      if (code !== 'DEADLINE_EXCEEDED' && code !== 'UNAVAILABLE') throw error;
      onWaiting(`${code}: ${message}`);
    }
    await sleep(PERIOD_MS, undefined, { signal });
  }
}
