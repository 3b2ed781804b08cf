// What every process tells of itself, under the names that Go components use, read at each scrape.
import { readdirSync } from 'node:fs';
import type { Metrics } from './metrics.ts';

/** Open file descriptors; undefined where there is no /proc. */
function openFiles(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length - 1; // one of them is the folder that is being read
  } catch {
    return undefined;
  }
}

export function addProcessMetrics(metrics: Metrics): void {
  const { counter, gauge } = metrics;
  const startedAt = Math.round(Date.now() / 1_000 - process.uptime());
  const cpuSeconds = (): number => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  gauge({ name: 'process_start_time_seconds', help: 'Start time of the process since unix epoch in seconds.', collect: () => startedAt });
  counter({ name: 'process_cpu_seconds_total', help: 'Total user and system CPU time spent in seconds.', collect: cpuSeconds });
  gauge({ name: 'process_resident_memory_bytes', help: 'Resident memory size in bytes.', collect: () => process.memoryUsage.rss() });
  if (openFiles() !== undefined) gauge({ name: 'process_open_fds', help: 'Number of open file descriptors.', collect: () => openFiles() ?? Number.NaN });
  gauge({ name: 'nodejs_heap_size_used_bytes', help: 'Process heap size used from Node.js in bytes.', collect: () => process.memoryUsage().heapUsed });
  gauge({ name: 'nodejs_heap_size_total_bytes', help: 'Process heap size from Node.js in bytes.', collect: () => process.memoryUsage().heapTotal });
  gauge({
    name: 'nodejs_version_info',
    help: 'Node.js version info.',
    labels: ['version'],
    collect: () => [{ labels: { version: process.version }, value: 1 }],
  });
}
