// Flags and environment of the snapshot-controller, read once. The names are upstream's, so that its manifests
// start this controller unchanged.
import { FlagError, defineFlags, httpFlags, kubeFlags, leaderElectionFlags, loggingFlags, readFlags } from '@snapshot-stack/runtime';

const flags = defineFlags({
  ...loggingFlags,
  ...httpFlags,
  ...kubeFlags,
  ...leaderElectionFlags,
  'resync-period': { type: 'duration', default: 15 * 60_000, help: 'How often everything is looked at again, even without a change' },
  'worker-threads': { type: 'int', default: 10, help: 'How many snapshots, contents and claims each are worked on at a time' },
  'retry-interval-start': { type: 'duration', default: 1_000, help: 'Pause after the first failure of an object; doubles with each further one' },
  'retry-interval-max': { type: 'duration', default: 5 * 60_000, help: 'Longest pause between two tries' },
  'retry-crd-interval-max': { type: 'duration', default: 30_000, help: 'Longest pause between two looks for missing CRDs (at least 1s)' },
  'enable-distributed-snapshotting': { type: 'bool', default: false, help: 'Label each content with the node whose sidecar handles it' },
  'prevent-volume-mode-conversion': { type: 'bool', default: true, help: "Record the source's volume mode in contents, which restores are held to" },
  'feature-gates': { type: 'map', default: {}, help: 'ReleaseLeaderElectionOnExit=true|false; CSIVolumeGroupSnapshot can only be false' },
});

export interface LeaderElectionSettings {
  /** Empty for the pod's own. */
  namespace: string;
  labels: Readonly<Record<string, string>>;
  leaseDurationMs: number;
  renewDeadlineMs: number;
  retryPeriodMs: number;
  releaseOnExit: boolean;
}

export interface Options {
  kubeconfig: string;
  /** Requests per second; 0 for no limit. */
  qps: number;
  burst: number;
  verbosity: number;
  logFormat: 'text' | 'json';
  /** Empty for no HTTP server. */
  httpEndpoint: string;
  metricsPath: string;
  leaderElection: LeaderElectionSettings | undefined;
  workers: number;
  retryStartMs: number;
  retryMaxMs: number;
  resyncMs: number;
  crdRetryMaxMs: number;
  distributed: boolean;
  recordVolumeMode: boolean;
}

/** @throws FlagError for a command line that cannot be worked with */
export function readOptions(program: string, version: string): Options {
  return optionsFrom(readFlags(flags, program, version));
}

/** As {@link readOptions}, from given arguments. */
export function parseOptions(argv: readonly string[], env: Readonly<Record<string, string | undefined>> = {}): Options {
  return optionsFrom(flags.parse(argv, env));
}

function optionsFrom(parsed: ReturnType<typeof flags.parse>): Options {
  const gates = checkedGates(parsed['feature-gates']);
  if (parsed['worker-threads'] < 1) throw new FlagError('--worker-threads must be at least 1');
  if (parsed['retry-interval-start'] <= 0 || parsed['retry-interval-max'] < parsed['retry-interval-start']) {
    throw new FlagError('--retry-interval-start must be above 0 and at most --retry-interval-max');
  }
  return Object.freeze({
    kubeconfig: parsed.kubeconfig,
    qps: parsed['kube-api-qps'],
    burst: parsed['kube-api-burst'],
    verbosity: parsed.v,
    logFormat: parsed['logging-format'] === 'json' ? 'json' : 'text',
    httpEndpoint: parsed['http-endpoint'],
    metricsPath: parsed['metrics-path'],
    leaderElection: parsed['leader-election']
      ? {
          namespace: parsed['leader-election-namespace'],
          labels: parsed['leader-election-labels'],
          leaseDurationMs: parsed['leader-election-lease-duration'],
          renewDeadlineMs: parsed['leader-election-renew-deadline'],
          retryPeriodMs: parsed['leader-election-retry-period'],
          releaseOnExit: gates['ReleaseLeaderElectionOnExit'] !== 'false',
        }
      : undefined,
    workers: parsed['worker-threads'],
    retryStartMs: parsed['retry-interval-start'],
    retryMaxMs: parsed['retry-interval-max'],
    resyncMs: parsed['resync-period'],
    crdRetryMaxMs: parsed['retry-crd-interval-max'],
    distributed: parsed['enable-distributed-snapshotting'],
    recordVolumeMode: parsed['prevent-volume-mode-conversion'],
  });
}

function checkedGates(gates: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  for (const [gate, value] of Object.entries(gates)) {
    if (gate !== 'CSIVolumeGroupSnapshot' && gate !== 'ReleaseLeaderElectionOnExit') {
      throw new FlagError(`--feature-gates: unknown gate "${gate}"; known are CSIVolumeGroupSnapshot and ReleaseLeaderElectionOnExit`);
    }
    if (value !== 'true' && value !== 'false') throw new FlagError(`--feature-gates: "${gate}=${value}" must be true or false`);
  }
  if (gates['CSIVolumeGroupSnapshot'] === 'true') {
    throw new FlagError(
      '--feature-gates: CSIVolumeGroupSnapshot=true is not supported by this controller; leave it out, and members of existing groups stay as they are',
    );
  }
  return gates;
}
