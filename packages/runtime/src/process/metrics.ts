// Prometheus metrics of one process, in a registry of its own: nothing is global, so tests can have several.
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

type Labels<L extends string> = Partial<Record<L, string | number>>;

export interface HistogramMetric<L extends string> {
  observe(labels: Labels<L>, seconds: number): void;
}

export interface CounterMetric<L extends string> {
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

export interface Metrics {
  histogram<L extends string>(options: MetricOptions<L> & { buckets: readonly number[] }): HistogramMetric<L>;
  counter<L extends string>(options: MetricOptions<L>): CounterMetric<L>;
  /** `collect` is called at each scrape, for values that are known anyway: one number, or one for each combination of labels. */
  gauge<L extends string>(options: MetricOptions<L> & { collect?: () => number | readonly { labels: Labels<L>; value: number }[] }): GaugeMetric<L>;
  /** The Prometheus text format. */
  text(): Promise<string>;
  readonly contentType: string;
}

/** The buckets of csi_sidecar_operations_seconds, as all Go sidecars have them. */
export const CSI_OPERATION_BUCKETS: readonly number[] = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 25, 50, 120, 300, 600];

/** @param processMetrics adds process_* and nodejs_*, which cost a timer and an event-loop monitor */
export function createMetrics({ processMetrics = false }: { processMetrics?: boolean } = {}): Metrics {
  const registry = new Registry();
  if (processMetrics) collectDefaultMetrics({ register: registry });
  const common = <L extends string>({ name, help, labels = [] }: MetricOptions<L>): { name: string; help: string; labelNames: L[]; registers: Registry[] } => ({
    name,
    help,
    labelNames: [...labels],
    registers: [registry],
  });
  return {
    histogram: (options) => {
      const histogram = new Histogram({ ...common(options), buckets: [...options.buckets] });
      return { observe: (labels, seconds) => histogram.observe(labels, seconds) };
    },
    counter: (options) => {
      const counter = new Counter(common(options));
      return { inc: (labels, by = 1) => counter.inc(labels, by) };
    },
    gauge: (options) => {
      const { collect } = options;
      const refresh = (): void => {
        const now = collect?.();
        if (typeof now === 'number') gauge.set(now);
        else for (const { labels, value } of now ?? []) gauge.set(labels, value);
      };
      const gauge: Gauge = new Gauge({ ...common(options), ...(collect === undefined ? {} : { collect: refresh }) });
      return {
        set: (labels, value) => gauge.set(labels, value),
        inc: (labels, by = 1) => gauge.inc(labels, by),
        dec: (labels, by = 1) => gauge.dec(labels, by),
      };
    },
    text: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
