// The flags that every component has beside its own, and what they mean once they are checked.
import { FlagError, httpFlags, kubeFlags, leaderElectionFlags, loggingFlags, type FlagSet } from '../process/index.ts';

export const componentFlags = { ...loggingFlags, ...httpFlags, ...kubeFlags, ...leaderElectionFlags } as const;

type Parsed = ReturnType<FlagSet<typeof componentFlags>['parse']>;

export interface LeaderElectionSettings {
  /** Of the Lease; empty for the pod's own. */
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly leaseDurationMs: number;
  readonly renewDeadlineMs: number;
  readonly retryPeriodMs: number;
  readonly releaseOnExit: boolean;
}

export interface ComponentOptions {
  readonly kubeconfig: string;
  /** Requests per second; 0 for no limit. */
  readonly qps: number;
  readonly burst: number;
  readonly verbosity: number;
  readonly logFormat: 'text' | 'json';
  /** Empty for no HTTP server. */
  readonly httpEndpoint: string;
  readonly metricsPath: string;
  readonly leaderElection: LeaderElectionSettings | undefined;
}

/** Gates as `--feature-gates` gives them, after {@link checkedGates}. */
export type FeatureGates = Readonly<Record<string, boolean>>;

/**
 * The options every component has. `ReleaseLeaderElectionOnExit` is on unless its gate says no.
 * @throws FlagError
 */
export function componentOptions(parsed: Parsed & { readonly 'metrics-address'?: string }, gates: FeatureGates): ComponentOptions {
  const metricsAddress = parsed['metrics-address'] ?? '';
  if (parsed['http-endpoint'] !== '' && metricsAddress !== '')
    throw new FlagError('--http-endpoint and --metrics-address are the same; give only --http-endpoint');
  return {
    kubeconfig: parsed.kubeconfig,
    qps: parsed['kube-api-qps'],
    burst: parsed['kube-api-burst'],
    verbosity: parsed.v,
    logFormat: parsed['logging-format'] === 'json' ? 'json' : 'text',
    httpEndpoint: parsed['http-endpoint'] || metricsAddress,
    metricsPath: parsed['metrics-path'],
    leaderElection: parsed['leader-election'] ? electionFrom(parsed, gates['ReleaseLeaderElectionOnExit'] !== false) : undefined,
  };
}

function electionFrom(parsed: Parsed, releaseOnExit: boolean): LeaderElectionSettings {
  return {
    namespace: parsed['leader-election-namespace'],
    labels: parsed['leader-election-labels'],
    leaseDurationMs: parsed['leader-election-lease-duration'],
    renewDeadlineMs: parsed['leader-election-renew-deadline'],
    retryPeriodMs: parsed['leader-election-retry-period'],
    releaseOnExit,
  };
}

/**
 * Reads `--feature-gates`: each must be one of `known`, and true or false.
 * @throws FlagError naming the gate, and the ones there are
 */
export function checkedGates(gates: Readonly<Record<string, string>>, known: readonly string[]): FeatureGates {
  return Object.fromEntries(
    Object.entries(gates).map(([gate, value]) => {
      if (!known.includes(gate)) throw new FlagError(`--feature-gates: unknown gate "${gate}"; known are ${known.join(', ')}`);
      if (value !== 'true' && value !== 'false') throw new FlagError(`--feature-gates: "${gate}=${value}" must be true or false`);
      return [gate, value === 'true'];
    }),
  );
}

/** The checks that every component with workers and growing pauses makes. @throws FlagError */
export function checkWorkFlags(parsed: {
  readonly 'worker-threads': number;
  readonly 'retry-interval-start': number;
  readonly 'retry-interval-max': number;
}): void {
  if (parsed['worker-threads'] < 1) throw new FlagError('--worker-threads must be at least 1');
  if (parsed['retry-interval-start'] <= 0 || parsed['retry-interval-max'] < parsed['retry-interval-start'])
    throw new FlagError('--retry-interval-start must be above 0 and at most --retry-interval-max');
}

/** The node of a sidecar that serves only its own, or undefined. @throws FlagError */
export function nodeOf(
  parsed: { readonly 'node-deployment': boolean; readonly 'leader-election': boolean },
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (!parsed['node-deployment']) return undefined;
  if (parsed['leader-election']) throw new FlagError('--node-deployment and --leader-election exclude each other: every node has its own sidecar at work');
  const node = env['NODE_NAME'];
  if (node === undefined || node === '') throw new FlagError('--node-deployment needs the name of the node in the environment variable NODE_NAME');
  return node;
}

/** Hexadecimal digits of a uid. */
const UID_DIGITS = 32;

/** How a sidecar calls things at the driver: `<prefix>-<uid>`; the uid is whole for -1, else its first characters without dashes. */
export interface Naming {
  readonly prefix: string;
  readonly uuidLength: number;
}

/** The naming from `--<thing>-name-prefix` and `--<thing>-name-uuid-length`. @throws FlagError */
export function checkedNaming(thing: string, prefix: string, uuidLength: number): Naming {
  if (prefix === '') throw new FlagError(`--${thing}-name-prefix must not be empty`);
  if (uuidLength !== -1 && (uuidLength < 1 || uuidLength > UID_DIGITS)) throw new FlagError(`--${thing}-name-uuid-length must be -1 or 1 to ${UID_DIGITS}`);
  return { prefix, uuidLength };
}
