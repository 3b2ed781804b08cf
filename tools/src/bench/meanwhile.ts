// How long a driver takes to answer small questions while it does something large.
import type { CsiConnection } from '@snapshot-stack/csi';

/** Of the answers to one question, in milliseconds. */
export interface Answers {
  asked: number;
  p99Ms: number;
  maxMs: number;
}

const EVERY_MS = 20;
const CALL = { timeoutMs: 60_000 };

function summary(times: readonly number[]): Answers {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number): number => Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0) * 10) / 10;
  return { asked: sorted.length, p99Ms: at(0.99), maxMs: at(1) };
}

/**
 * Runs the task; meanwhile asks Probe and ListVolumes every 20 ms, whether or not the last answer has come, so that a
 * driver that stands still is asked again and again.
 */
export async function askMeanwhile<T>(csi: CsiConnection, task: () => Promise<T>): Promise<{ result: T; probe: Answers; list: Answers }> {
  const [probes, lists]: [number[], number[]] = [[], []];
  const open = new Set<Promise<void>>();
  const ask = (question: Promise<unknown>, times: number[]): void => {
    const start = performance.now();
    const answer = question.then(() => void times.push(performance.now() - start)).finally(() => open.delete(answer));
    open.add(answer);
  };
  const timer = setInterval(() => {
    ask(csi.identity.probe({}, CALL), probes);
    ask(csi.controller.listVolumes({ maxEntries: 100 }, CALL), lists);
  }, EVERY_MS);
  try {
    const result = await task();
    clearInterval(timer);
    await Promise.all(open);
    return { result, probe: summary(probes), list: summary(lists) };
  } finally {
    clearInterval(timer);
  }
}
