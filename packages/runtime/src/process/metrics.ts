// Prometheus metrics of one process, in a registry of its own: nothing is global, so tests can have several.
// Written here because prom-client costs 10 MiB of memory in a bundle and 19 MiB without one; a test holds
// both against each other.
// Source: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
import { addProcessMetrics } from './process-metrics.ts';

type Labels<L extends string> = Partial<Record<L, string | number>>;

export interface HistogramMetric<L extends string> {
  observe(labels: Labels<L>, seconds: number): void;
}

export interface CounterMetric<L extends string> {
  /** @throws RangeError when it would go down */
  inc(labels: Labels<L>, by?: number): void;
}

export interface GaugeMetric<L extends string> {
  set(labels: Labels<L>, value: number): void;
  inc(labels: Labels<L>, by?: number): void;
  dec(labels: Labels<L>, by?: number): void;
}

interface MetricOptions<L extends string> {
  name: string;
  help: string;
  labels?: readonly L[];
}

type Collected<L extends string> = number | readonly { labels: Labels<L>; value: number }[];

/** A name can be given once; unknown labels are refused with a RangeError. */
export interface Metrics {
  /** @param options.buckets upper bounds, ascending; +Inf is added */
  histogram<L extends string>(options: MetricOptions<L> & { buckets: readonly number[] }): HistogramMetric<L>;
  /** `collect` is called at each scrape, for values that are counted elsewhere. */
  counter<L extends string>(options: MetricOptions<L> & { collect?: () => Collected<L> }): CounterMetric<L>;
  /** `collect` is called at each scrape, for values that are known anyway: one number, or one for each combination of labels. */
  gauge<L extends string>(options: MetricOptions<L> & { collect?: () => Collected<L> }): GaugeMetric<L>;
  /** The Prometheus text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** The buckets of csi_sidecar_operations_seconds, as all Go sidecars have them. */
export const CSI_OPERATION_BUCKETS: readonly number[] = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 25, 50, 120, 300, 600];

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/** One number as Prometheus spells it. */
function spell(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

function escape(text: string): string {
  return text.replaceAll('\\', String.raw`\\`).replaceAll('\n', String.raw`\n`);
}

/** All the series of one name: by combination of labels, in the order of their first use. */
class Family<S> {
  readonly name: string;
  readonly #head: string;
  readonly #labels: readonly string[];
  readonly #make: () => S;
  readonly #lines: (series: S, line: (suffix: string, value: number, le?: string) => string) => string[];
  readonly #series = new Map<string, S>();
  /** Brings the series up to date before a scrape. */
  refresh: () => void = () => {};

  constructor(
    options: MetricOptions<string>,
    type: 'counter' | 'gauge' | 'histogram',
    make: () => S,
    lines: (series: S, line: (suffix: string, value: number, le?: string) => string) => string[],
  ) {
    if (!NAME.test(options.name)) throw new RangeError(`"${options.name}" is no name for a metric`);
    this.name = options.name;
    this.#labels = options.labels ?? [];
    this.#head = `# HELP ${options.name} ${escape(options.help)}\n# TYPE ${options.name} ${type}\n`;
    this.#make = make;
    this.#lines = lines;
    if (this.#labels.length === 0) this.of({}); // without labels there is one series, and it starts at zero
  }

  of(labels: Readonly<Record<string, string | number | undefined>>): S {
    const unknown = Object.keys(labels).find((label) => !this.#labels.includes(label));
    if (unknown !== undefined) throw new RangeError(`the metric ${this.name} has no label "${unknown}"; it has ${this.#labels.join(', ') || 'none'}`);
    const given = this.#labels.filter((label) => labels[label] !== undefined);
    const key = given.map((label) => `${label}="${escape(String(labels[label])).replaceAll('"', String.raw`\"`)}"`).join(',');
    let series = this.#series.get(key);
    if (series === undefined) this.#series.set(key, (series = this.#make()));
    return series;
  }

  text(): string {
    this.refresh();
    const lines = [...this.#series].flatMap(([key, series]) =>
      this.#lines(series, (suffix, value, le) => {
        const labels = [le === undefined ? '' : `le="${le}"`, key].filter((part) => part !== '').join(',');
        return `${this.name}${suffix}${labels === '' ? '' : `{${labels}}`} ${spell(value)}\n`;
      }),
    );
    return this.#head + lines.join('');
  }
}

interface Cell {
  value: number;
}

function cells<L extends string>(options: MetricOptions<L> & { collect?: () => Collected<L> }, type: 'counter' | 'gauge'): Family<Cell> {
  const family = new Family<Cell>(
    options,
    type,
    () => ({ value: 0 }),
    ({ value }, line) => [line('', value)],
  );
  const { collect } = options;
  if (collect === undefined) return family;
  family.refresh = () => {
    const now = collect();
    for (const { labels, value } of typeof now === 'number' ? [{ labels: {}, value: now }] : now) family.of(labels).value = value;
  };
  return family;
}

interface Distribution {
  /** Observations up to each bound that were above the one before it; the last is for those above all. */
  counts: number[];
  sum: number;
}

function distributions(options: MetricOptions<string>, bounds: readonly number[]): Family<Distribution> {
  return new Family<Distribution>(
    options,
    'histogram',
    () => ({ counts: Array.from({ length: bounds.length + 1 }, () => 0), sum: 0 }),
    ({ counts, sum }, line) => {
      let total = 0;
      const buckets = counts.map((count, index) => line('_bucket', (total += count), spell(bounds[index] ?? Number.POSITIVE_INFINITY)));
      return [...buckets, line('_sum', sum), line('_count', total)];
    },
  );
}

/** @param processMetrics adds process_* as Go components have them, and the heap of node */
export function createMetrics({ processMetrics = false }: { processMetrics?: boolean } = {}): Metrics {
  const families = new Map<string, { text(): string }>();
  const register = <F extends { name: string; text(): string }>(family: F): F => {
    if (families.has(family.name)) throw new RangeError(`there is already a metric ${family.name}`);
    families.set(family.name, family);
    return family;
  };
  const metrics: Metrics = {
    histogram: (options) => {
      const { buckets } = options;
      const family = register(distributions(options, buckets));
      return {
        observe: (labels, seconds) => {
          const distribution = family.of(labels);
          const index = buckets.findIndex((bound) => seconds <= bound);
          const at = index === -1 ? buckets.length : index;
          distribution.counts[at] = (distribution.counts[at] ?? 0) + 1;
          distribution.sum += seconds;
        },
      };
    },
    counter: (options) => {
      const family = register(cells(options, 'counter'));
      return {
        inc: (labels, by = 1) => {
          if (by < 0) throw new RangeError(`the counter ${options.name} cannot go down by ${-by}`);
          family.of(labels).value += by;
        },
      };
    },
    gauge: (options) => {
      const family = register(cells(options, 'gauge'));
      return {
        set: (labels, value) => void (family.of(labels).value = value),
        inc: (labels, by = 1) => void (family.of(labels).value += by),
        dec: (labels, by = 1) => void (family.of(labels).value -= by),
      };
    },
    text: () => Promise.resolve([...families.values()].map((family) => family.text()).join('')),
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
  };
  if (processMetrics) addProcessMetrics(metrics);
  return metrics;
}
