// The metrics of certificates, the same for every source.
import type { Metrics } from '@snapshot-stack/runtime';

export interface CertificateMetrics {
  /** A certificate has been taken into use. */
  inUse(notAfterMs: number): void;
  /** A write of ours that moves a rotation on. */
  step(step: 'made' | 'prepared' | 'promoted'): void;
  bundleWritten(): void;
}

export function certificateMetrics(metrics: Metrics | undefined): CertificateMetrics {
  if (metrics === undefined) return { inUse: () => {}, step: () => {}, bundleWritten: () => {} };
  const expiry = metrics.gauge({
    name: 'snapshot_webhook_certificate_expiry_timestamp_seconds',
    help: 'When the certificate in use expires, in seconds since 1970; 0 while there is none',
  });
  const changes = metrics.counter({ name: 'snapshot_webhook_certificate_changes_total', help: 'Certificates that replaced the one in use' });
  const steps = metrics.counter({
    name: 'snapshot_webhook_certificate_rotations_total',
    help: 'Steps of rotations that this replica has written: made (anew), prepared (the next one, with its CA), promoted (into use)',
    labels: ['step'],
  });
  const bundles = metrics.counter({
    name: 'snapshot_webhook_ca_bundle_writes_total',
    help: 'Configurations and CRDs whose caBundle this replica has set right',
  });
  let isFirst = true;
  return {
    inUse: (notAfterMs) => {
      expiry.set({}, Math.floor(notAfterMs / 1_000));
      if (!isFirst) changes.inc({});
      isFirst = false;
    },
    step: (step) => steps.inc({ step }),
    bundleWritten: () => bundles.inc({}),
  };
}
