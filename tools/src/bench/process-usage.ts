// What a process has used so far, from Linux's /proc: bench figures per component.
import { readFile } from 'node:fs/promises';

export interface ProcessUsage {
  cpuSeconds: number;
  rssMiB: number;
}

// Clock ticks per second as userland sees them; a constant of the Linux ABI.
const TICKS_PER_SECOND = 100;

/** Undefined where there is no /proc, or no such process any more. */
export async function usageOf(pid: number): Promise<ProcessUsage | undefined> {
  try {
    const [stat, status] = await Promise.all([readFile(`/proc/${pid}/stat`, 'utf8'), readFile(`/proc/${pid}/status`, 'utf8')]);
    // The name in parentheses may hold spaces; utime and stime are the 14th and 15th field of the line.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = Number(fields[11]) + Number(fields[12]);
    const rssKiB = Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0);
    return { cpuSeconds: ticks / TICKS_PER_SECOND, rssMiB: Math.round(rssKiB / 1024) };
  } catch {
    return undefined;
  }
}
