// docs/reference/metrics.md: every metric that a component makes. The components are put together as their processes do
// it, but not run, with metrics that write down what is asked of them.
import { connectCsi } from '@snapshot-stack/csi';
import { createSnapshotter, type Driver as SnapshotDriver } from '@snapshot-stack/csi-snapshotter';
import { driverMetrics } from '@snapshot-stack/hostpath-driver';
import { checkOptions, createProvisioner, flags as provisionerFlags, type Driver as VolumeDriver } from '@snapshot-stack/provisioner';
import { LeaderElection, createClient, createMetrics, csiOperations, silentLog, systemClock, type Metrics } from '@snapshot-stack/runtime';
import { createSnapshotController } from '@snapshot-stack/snapshot-controller';
import { createWebhook, selfMadeCertificates } from '@snapshot-stack/webhook';
import type { Generator } from '../generate/generator.ts';
import { code, page, table } from './tables.ts';

interface Noted {
  name: string;
  type: 'counter' | 'gauge' | 'histogram';
  labels: readonly string[];
  help: string;
}

/** Real metrics that also note what is made. */
function notingMetrics(): { metrics: Metrics; noted: Noted[] } {
  const real = createMetrics({ processMetrics: false });
  const noted: Noted[] = [];
  const note = (type: Noted['type'], { name, help, labels = [] }: { name: string; help: string; labels?: readonly string[] }): void =>
    void noted.push({ name, type, help, labels });
  const metrics: Metrics = {
    histogram: (options) => (note('histogram', options), real.histogram(options)),
    counter: (options) => (note('counter', options), real.counter(options)),
    gauge: (options) => (note('gauge', options), real.gauge(options)),
    text: () => real.text(),
    contentType: real.contentType,
  };
  return { metrics, noted };
}

// Nobody is asked anything: the components are not run.
const client = createClient({ server: 'https://127.0.0.1:1', namespace: 'default', tls: {} }, { userAgent: 'reference' });
const shared = { client, clock: systemClock, random: Math.random, log: silentLog };
const work = { workers: 1, retryStartMs: 1_000, retryMaxMs: 2_000, resyncMs: 0 };

function withElection(metrics: Metrics): void {
  const lease = { name: 'lease', namespace: 'default' };
  const never = new AbortController().signal;
  const times = { leaseDurationMs: 15_000, renewDeadlineMs: 10_000, retryPeriodMs: 5_000 };
  void new LeaderElection({ ...shared, ...times, metrics, lease, identity: 'reference', lead: () => Promise.resolve(), signal: never });
}

function parts(metrics: Metrics): Record<string, () => void> {
  const csi = connectCsi({ endpoint: '/nowhere.sock' });
  return {
    'snapshot-controller': () => {
      createSnapshotController({ ...shared, ...work, metrics, distributed: false, recordVolumeMode: true });
      withElection(metrics);
    },
    'csi-snapshotter': () => {
      const driver = { name: 'driver', abilities: { getSnapshot: true, listSnapshots: true } } as SnapshotDriver;
      createSnapshotter({ ...shared, ...work, metrics, driver, naming: { prefix: 'snapshot', uuidLength: -1 }, extraCreateMetadata: false, node: undefined });
      csiOperations(metrics);
      withElection(metrics);
    },
    'csi-provisioner': () => {
      const abilities = { snapshots: true, clones: true, attach: true, topology: true, singleNodeMultiWriter: true };
      const driver = { name: 'driver', csi, timeoutMs: 1_000, abilities } as VolumeDriver;
      createProvisioner({ ...shared, metrics, driver, options: checkOptions(provisionerFlags.parse([], {}), {}), host: 'reference' });
      csiOperations(metrics);
      withElection(metrics);
    },
    'snapshot-webhook': () => {
      const names = { namespace: 'n', secretName: 's', serviceName: 'w', webhookConfigurations: [], convertedCrds: [] };
      const certificates = selfMadeCertificates({ ...shared, ...names, metrics });
      createWebhook({ ...shared, metrics, certificates, port: 0, drainMs: 0, preventVolumeModeConversion: true });
    },
    'hostpath-driver': () => void driverMetrics(metrics, 'copy'),
  };
}

function describe(name: string): string {
  const { metrics, noted } = notingMetrics();
  parts(metrics)[name]?.();
  const rows = noted.toSorted((a, b) => (a.name < b.name ? -1 : 1)).map((one) => [code(one.name), one.type, one.labels.map(code).join(', '), one.help]);
  return `## ${name}\n\n${table(['Metric', 'Type', 'Labels', ''], rows)}`;
}

function text(): string {
  const head =
    'Served by every component with `--http-endpoint`, at `--metrics-path`; by the webhook also at `/metrics` over TLS. Beside these: `process_*` and `nodejs_*` as every Node program has them. Names and buckets are those of upstream wherever upstream has the metric.';
  return page('Metrics', 'the components themselves', [head, ...Object.keys(parts(notingMetrics().metrics)).map(describe)]);
}

export const metricsReference: Generator = { name: 'metrics-reference', files: () => Promise.resolve(new Map([['docs/reference/metrics.md', text()]])) };
