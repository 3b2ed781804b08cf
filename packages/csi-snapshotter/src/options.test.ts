import { describe, expect, test } from 'vitest';
import { parseOptions } from './options.ts';

describe('options of the sidecar', () => {
  test("have upstream's defaults, without its request limit", () => {
    expect(parseOptions([])).toMatchObject({
      csiAddress: '/run/csi/socket',
      timeoutMs: 60_000,
      workers: 10,
      retryStartMs: 1_000,
      retryMaxMs: 300_000,
      resyncMs: 900_000,
      qps: 0,
      naming: { prefix: 'snapshot', uuidLength: -1 },
      leaderElection: undefined,
      node: undefined,
    });
  });

  test('accept every flag that upstream has', () => {
    const flags = [
      '--csi-address=/x',
      '--timeout=2m',
      '--snapshot-name-prefix=p',
      '--snapshot-name-uuid-length=8',
      '--groupsnapshot-name-prefix=g',
      '--groupsnapshot-name-uuid-length=8',
      '--extra-create-metadata',
      '--metrics-path=/m',
      '--http-endpoint=:8080',
      '--leader-election',
      '--leader-election-namespace=n',
      '--leader-election-lease-duration=15s',
      '--leader-election-renew-deadline=10s',
      '--leader-election-retry-period=5s',
      '--leader-election-labels=a:b',
      '--kube-api-qps=5',
      '--kube-api-burst=10',
      '--kubeconfig=/k',
      '--resync-period=15m',
      '--worker-threads=10',
      '--retry-interval-start=1s',
      '--retry-interval-max=5m',
      '--feature-gates=CSIVolumeGroupSnapshot=false,ReleaseLeaderElectionOnExit=true',
      '-v=5',
      '--logging-format=json',
      '--automaxprocs=true',
      '--log-flush-frequency=5s',
      '--vmodule=a=1',
    ];
    expect(parseOptions(flags)).toMatchObject({
      csiAddress: '/x',
      timeoutMs: 120_000,
      naming: { prefix: 'p', uuidLength: 8 },
      verbosity: 5,
      leaderElection: { labels: { a: 'b' } },
    });
  });

  test.each([
    [['--node-deployment'], 'NODE_NAME'],
    [['--node-deployment', '--leader-election'], 'exclude each other'],
    [['--snapshot-name-uuid-length=33'], '1 to 32'],
    [['--snapshot-name-prefix='], 'must not be empty'],
    [['--http-endpoint=:1', '--metrics-address=:2'], 'give only --http-endpoint'],
    [['--feature-gates=CSIVolumeGroupSnapshot=true'], 'not supported'],
    [['--feature-gates=Other=true'], 'unknown gate'],
    [['--retry-interval-start=10s', '--retry-interval-max=1s'], 'at most --retry-interval-max'],
  ])('refuse %j with a reason', (flags, reason) => {
    expect(() => parseOptions(flags)).toThrow(reason);
  });

  test('name the node in node-local mode', () => {
    expect(parseOptions(['--node-deployment'], { NODE_NAME: 'n1' }).node).toBe('n1');
  });
});
