import { describe, expect, test } from 'vitest';
import { parseOptions } from './options.ts';

describe('options of the controller', () => {
  test("have upstream's defaults, without its request limit", () => {
    expect(parseOptions([])).toMatchObject({
      workers: 10,
      retryStartMs: 1_000,
      retryMaxMs: 300_000,
      crdRetryMaxMs: 30_000,
      resyncMs: 900_000,
      qps: 0,
      burst: 0,
      distributed: false,
      recordVolumeMode: true,
      metricsPath: '/metrics',
      leaderElection: undefined,
    });
  });

  test('accept every flag that upstream has', () => {
    const flags = [
      '--kubeconfig=/k',
      '--resync-period=10m',
      '--worker-threads=3',
      '--leader-election=true',
      '--leader-election-namespace=n',
      '--leader-election-lease-duration=15s',
      '--leader-election-renew-deadline=10s',
      '--leader-election-retry-period=5s',
      '--kube-api-qps=5',
      '--kube-api-burst=10',
      '--http-endpoint=:8080',
      '--metrics-path=/m',
      '--retry-interval-start=1s',
      '--retry-interval-max=5m',
      '--enable-distributed-snapshotting=true',
      '--prevent-volume-mode-conversion=false',
      '--retry-crd-interval-max=5s',
      '--feature-gates=CSIVolumeGroupSnapshot=false',
      '--automaxprocs',
      '-v=4',
      '--logging-format=json',
      '--log-json-split-stream=true',
      '--log-text-info-buffer-size=1Ki',
    ];
    expect(parseOptions(flags)).toMatchObject({
      workers: 3,
      distributed: true,
      recordVolumeMode: false,
      qps: 5,
      burst: 10,
      leaderElection: { namespace: 'n' },
    });
  });

  test.each([
    [['--feature-gates=CSIVolumeGroupSnapshot=true'], 'not supported'],
    [['--feature-gates=Nonsense=true'], 'unknown gate'],
    [['--feature-gates=ReleaseLeaderElectionOnExit=maybe'], 'must be true or false'],
    [['--worker-threads=0'], 'at least 1'],
    [['--worker-thread=1'], 'worker-threads'],
  ])('refuse %j with a reason', (flags, reason) => {
    expect(() => parseOptions(flags)).toThrow(reason);
  });
});
