// Durations as Go's time package writes and reads them, in milliseconds here: 1m30s, 300ms, 1.5h.
// Source: https://pkg.go.dev/time#ParseDuration

const UNIT_MS: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const PART = /^(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/;

/** @throws RangeError when the text is no Go duration */
export function parseDuration(text: string): number {
  const negative = text.startsWith('-');
  let rest = text.replace(/^[+-]/, '');
  if (rest === '0') return 0;
  let total = 0;
  while (rest !== '') {
    const part = PART.exec(rest);
    if (part === null) break;
    // Fifteen digits are what a double holds for sure: 1.001s is 1001 ms, and not 1000.9999999999999.
    total += Number((Number(part[1]) * (UNIT_MS[part[2] ?? ''] ?? Number.NaN)).toPrecision(15));
    rest = rest.slice(part[0].length);
  }
  if (rest !== '' || text.replace(/^[+-]/, '') === '') throw new RangeError(`"${text}" is no duration; write for example 300ms, 15s or 1m30s`);
  return negative ? -total : total;
}

/** The shortest way Go would print it: `1m30s`, `300ms`, `0s`. */
export function formatDuration(ms: number): string {
  if (ms < 0) return `-${formatDuration(-ms)}`;
  if (ms === 0) return '0s';
  if (ms < 1_000) return `${Number(ms.toPrecision(6))}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = Number(((ms % 60_000) / 1_000).toFixed(3));
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${seconds}s`;
}
