// Flags and environment of the snapshot-controller, read once. The names are upstream's, so that its manifests
// start this controller unchanged.
import {
  FlagError,
  checkWorkFlags,
  checkedGates,
  componentFlags,
  componentOptions,
  defineFlags,
  readFlags,
  type ComponentOptions,
} from '@snapshot-stack/runtime';

export const flags = defineFlags({
  ...componentFlags,
  'resync-period': { type: 'duration', default: 15 * 60_000, help: 'How often everything is looked at again, even without a change' },
  'worker-threads': { type: 'int', default: 10, help: 'How many snapshots, contents and claims each are worked on at a time' },
  'retry-interval-start': { type: 'duration', default: 1_000, help: 'Pause after the first failure of an object; doubles with each further one' },
  'retry-interval-max': { type: 'duration', default: 5 * 60_000, help: 'Longest pause between two tries' },
  'retry-crd-interval-max': { type: 'duration', default: 30_000, help: 'Longest pause between two looks for missing CRDs (at least 1s)' },
  'enable-distributed-snapshotting': { type: 'bool', default: false, help: 'Label each content with the node whose sidecar handles it' },
  'prevent-volume-mode-conversion': { type: 'bool', default: true, help: "Record the source's volume mode in contents, which restores are held to" },
  'feature-gates': { type: 'map', default: {}, help: 'ReleaseLeaderElectionOnExit=true|false; CSIVolumeGroupSnapshot can only be false' },
});

export interface Options extends ComponentOptions {
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
  const gates = checkedGates(parsed['feature-gates'], ['CSIVolumeGroupSnapshot', 'ReleaseLeaderElectionOnExit']);
  if (gates['CSIVolumeGroupSnapshot'] === true) {
    throw new FlagError(
      '--feature-gates: CSIVolumeGroupSnapshot=true is not supported by this controller; leave it out, and members of existing groups stay as they are',
    );
  }
  checkWorkFlags(parsed);
  return Object.freeze({
    ...componentOptions(parsed, gates),
    workers: parsed['worker-threads'],
    retryStartMs: parsed['retry-interval-start'],
    retryMaxMs: parsed['retry-interval-max'],
    resyncMs: parsed['resync-period'],
    crdRetryMaxMs: parsed['retry-crd-interval-max'],
    distributed: parsed['enable-distributed-snapshotting'],
    recordVolumeMode: parsed['prevent-volume-mode-conversion'],
  });
}
