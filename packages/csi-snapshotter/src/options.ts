// Flags and environment of the csi-snapshotter sidecar, read once. The names are upstream's, so that its
// manifests start this sidecar unchanged.
import { FlagError, defineFlags, httpFlags, kubeFlags, leaderElectionFlags, loggingFlags, readFlags } from '@snapshot-stack/runtime';

const flags = defineFlags({
  ...loggingFlags,
  ...httpFlags,
  ...kubeFlags,
  ...leaderElectionFlags,
  'csi-address': { type: 'string', default: '/run/csi/socket', help: "The CSI driver's socket" },
  timeout: { type: 'duration', default: 60_000, help: 'How long one call of the CSI driver may take' },
  'snapshot-name-prefix': { type: 'string', default: 'snapshot', help: 'Snapshots are called <prefix>-<uid> at the driver' },
  'snapshot-name-uuid-length': { type: 'int', default: -1, help: 'Characters of the uid, without dashes, in the name; -1 for the uid as it is' },
  'groupsnapshot-name-prefix': { type: 'string', default: 'groupsnapshot', help: 'Accepted for compatibility; group snapshots are not supported' },
  'groupsnapshot-name-uuid-length': { type: 'int', default: -1, help: 'Accepted for compatibility; group snapshots are not supported' },
  'extra-create-metadata': { type: 'bool', default: false, help: 'Tell the driver the names of snapshot and content' },
  'node-deployment': { type: 'bool', default: false, help: 'Handle only contents labelled for the node in NODE_NAME' },
  'metrics-address': { type: 'string', default: '', help: 'Address of the HTTP server', deprecated: 'use --http-endpoint' },
  'resync-period': { type: 'duration', default: 15 * 60_000, help: 'How often everything is looked at again, even without a change' },
  'worker-threads': { type: 'int', default: 10, help: 'How many contents are worked on at a time' },
  'retry-interval-start': { type: 'duration', default: 1_000, help: 'Pause after the first failure of a content; doubles with each further one' },
  'retry-interval-max': { type: 'duration', default: 5 * 60_000, help: 'Longest pause between two tries' },
  'feature-gates': { type: 'map', default: {}, help: 'ReleaseLeaderElectionOnExit=true|false; CSIVolumeGroupSnapshot can only be false' },
});

/** Hexadecimal digits of a uid. */
const UID_DIGITS = 32;

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
  csiAddress: string;
  timeoutMs: number;
  naming: { prefix: string; uuidLength: number };
  extraCreateMetadata: boolean;
  node: string | undefined;
  workers: number;
  retryStartMs: number;
  retryMaxMs: number;
  resyncMs: number;
}

/** @throws FlagError for a command line that cannot be worked with */
export function readOptions(program: string, version: string, env: Readonly<Record<string, string | undefined>> = process.env): Options {
  return optionsFrom(readFlags(flags, program, version), env);
}

/** As {@link readOptions}, from given arguments. */
export function parseOptions(argv: readonly string[], env: Readonly<Record<string, string | undefined>> = {}): Options {
  return optionsFrom(flags.parse(argv, env), env);
}

type Parsed = ReturnType<typeof flags.parse>;

function optionsFrom(parsed: Parsed, env: Readonly<Record<string, string | undefined>>): Options {
  const gates = checkedGates(parsed['feature-gates']);
  const uuidLength = parsed['snapshot-name-uuid-length'];
  if (parsed['snapshot-name-prefix'] === '') throw new FlagError('--snapshot-name-prefix must not be empty');
  if (uuidLength !== -1 && (uuidLength < 1 || uuidLength > UID_DIGITS)) throw new FlagError(`--snapshot-name-uuid-length must be -1 or 1 to ${UID_DIGITS}`);
  if (parsed['http-endpoint'] !== '' && parsed['metrics-address'] !== '')
    throw new FlagError('--http-endpoint and --metrics-address are the same; give only --http-endpoint');
  if (parsed['worker-threads'] < 1) throw new FlagError('--worker-threads must be at least 1');
  if (parsed.timeout <= 0) throw new FlagError('--timeout must be above 0');
  if (parsed['retry-interval-start'] <= 0 || parsed['retry-interval-max'] < parsed['retry-interval-start']) {
    throw new FlagError('--retry-interval-start must be above 0 and at most --retry-interval-max');
  }
  return Object.freeze({
    kubeconfig: parsed.kubeconfig,
    qps: parsed['kube-api-qps'],
    burst: parsed['kube-api-burst'],
    verbosity: parsed.v,
    logFormat: parsed['logging-format'] === 'json' ? 'json' : 'text',
    httpEndpoint: parsed['http-endpoint'] || parsed['metrics-address'],
    metricsPath: parsed['metrics-path'],
    leaderElection: electionFrom(parsed, gates['ReleaseLeaderElectionOnExit'] !== 'false'),
    csiAddress: parsed['csi-address'],
    timeoutMs: parsed.timeout,
    naming: { prefix: parsed['snapshot-name-prefix'], uuidLength },
    extraCreateMetadata: parsed['extra-create-metadata'],
    node: nodeFrom(parsed, env),
    workers: parsed['worker-threads'],
    retryStartMs: parsed['retry-interval-start'],
    retryMaxMs: parsed['retry-interval-max'],
    resyncMs: parsed['resync-period'],
  });
}

function nodeFrom(parsed: Parsed, env: Readonly<Record<string, string | undefined>>): string | undefined {
  if (!parsed['node-deployment']) return undefined;
  if (parsed['leader-election']) throw new FlagError('--node-deployment and --leader-election exclude each other: every node has its own sidecar at work');
  const node = env['NODE_NAME'];
  if (node === undefined || node === '') throw new FlagError('--node-deployment needs the name of the node in the environment variable NODE_NAME');
  return node;
}

function electionFrom(parsed: Parsed, releaseOnExit: boolean): LeaderElectionSettings | undefined {
  if (!parsed['leader-election']) return undefined;
  return {
    namespace: parsed['leader-election-namespace'],
    labels: parsed['leader-election-labels'],
    leaseDurationMs: parsed['leader-election-lease-duration'],
    renewDeadlineMs: parsed['leader-election-renew-deadline'],
    retryPeriodMs: parsed['leader-election-retry-period'],
    releaseOnExit,
  };
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
      '--feature-gates: CSIVolumeGroupSnapshot=true is not supported by this sidecar; leave it out, and members of existing groups stay as they are',
    );
  }
  return gates;
}
