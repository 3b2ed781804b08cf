// Flags and environment of the csi-snapshotter sidecar, read once. The names are upstream's, so that its
// manifests start this sidecar unchanged.
import {
  FlagError,
  checkWorkFlags,
  checkedGates,
  checkedNaming,
  componentFlags,
  componentOptions,
  defineFlags,
  nodeOf,
  readFlags,
  type ComponentOptions,
  type Naming,
} from '@snapshot-stack/runtime';

export const flags = defineFlags({
  ...componentFlags,
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

export interface Options extends ComponentOptions {
  csiAddress: string;
  timeoutMs: number;
  naming: Naming;
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

function optionsFrom(parsed: ReturnType<typeof flags.parse>, env: Readonly<Record<string, string | undefined>>): Options {
  const gates = checkedGates(parsed['feature-gates'], ['CSIVolumeGroupSnapshot', 'ReleaseLeaderElectionOnExit']);
  if (gates['CSIVolumeGroupSnapshot'] === true) {
    throw new FlagError(
      '--feature-gates: CSIVolumeGroupSnapshot=true is not supported by this sidecar; leave it out, and members of existing groups stay as they are',
    );
  }
  checkWorkFlags(parsed);
  if (parsed.timeout <= 0) throw new FlagError('--timeout must be above 0');
  return Object.freeze({
    ...componentOptions(parsed, gates),
    csiAddress: parsed['csi-address'],
    timeoutMs: parsed.timeout,
    naming: checkedNaming('snapshot', parsed['snapshot-name-prefix'], parsed['snapshot-name-uuid-length']),
    extraCreateMetadata: parsed['extra-create-metadata'],
    node: nodeOf(parsed, env),
    workers: parsed['worker-threads'],
    retryStartMs: parsed['retry-interval-start'],
    retryMaxMs: parsed['retry-interval-max'],
    resyncMs: parsed['resync-period'],
  });
}
