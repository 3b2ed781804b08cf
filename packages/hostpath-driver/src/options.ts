// The driver's flags: upstream's hostpath driver's, with the same meaning, and a few of our own.
import { defineFlags, httpFlags, loggingFlags, type FlagSet } from '@snapshot-stack/runtime/process';

const definitions = {
  ...loggingFlags,
  ...httpFlags,
  endpoint: { type: 'string', default: 'unix:///tmp/csi.sock', env: 'CSI_ENDPOINT', help: 'Where the CSI services are served' },
  drivername: { type: 'string', default: 'hostpath.csi.k8s.io', help: 'Name of the driver' },
  statedir: { type: 'string', default: '/csi-data-dir', help: 'Folder for state, volumes and snapshots; it must survive restarts' },
  nodeid: { type: 'string', default: '', help: 'Name of this node; required' },
  ephemeral: { type: 'bool', default: false, help: 'Serve inline ephemeral volumes only: no controller capabilities' },
  maxvolumespernode: { type: 'int', default: 0, help: 'Volumes per node as told to the orchestrator; 0 for no limit' },
  'attach-limit': { type: 'int', default: 0, help: 'Volumes that may be attached at once; overrides --maxvolumespernode and is enforced' },
  'enable-attach': { type: 'bool', default: false, help: 'Serve ControllerPublishVolume and ControllerUnpublishVolume' },
  capacity: { type: 'map', default: {}, help: 'Storage by kind, for example fast=100Gi; may be given several times' },
  'max-volume-size': { type: 'string', default: '1Ti', help: 'Largest volume' },
  'max-volume-size-node': { type: 'string', default: '0', help: 'Largest volume that a node grows; 0 for the same as --max-volume-size' },
  'proxy-endpoint': { type: 'string', default: '', help: 'Accepted for compatibility; has no effect' },
  'enable-topology': { type: 'bool', default: true, help: 'Tell where volumes are: on this node, under the key topology.hostpath.csi/node' },
  'enable-volume-expansion': { type: 'bool', default: true, help: 'Let volumes grow' },
  'node-expand-required': { type: 'bool', default: true, help: 'Same as --enable-volume-expansion; kept for compatibility' },
  'disable-controller-expansion': { type: 'bool', default: false, help: 'Leave ControllerExpandVolume out' },
  'disable-node-expansion': { type: 'bool', default: false, help: 'Leave NodeExpandVolume out' },
  'enable-controller-modify-volume': { type: 'bool', default: false, help: 'Serve ControllerModifyVolume' },
  'accepted-mutable-parameter-names': { type: 'strings', default: [], help: 'Mutable parameters that are known; empty accepts any' },
  'enable-list-snapshots': { type: 'bool', default: true, help: 'Serve ListSnapshots' },
  'enable-snapshot-metadata': { type: 'bool', default: false, help: 'Serve changed block tracking' },
  'snapshot-metadata-block-type': { type: 'string', default: 'FIXED_LENGTH', help: 'FIXED_LENGTH or VARIABLE_LENGTH' },
  'check-volume-lifecycle': { type: 'bool', default: false, help: 'Accepted for compatibility; the order of calls is always checked' },
  'snapshot-method': { type: 'string', default: 'auto', help: 'How snapshots are taken: auto, btrfs-subvolume, reflink or copy' },
  'copy-threads': { type: 'int', default: 2, help: 'Copies that run at once' },
  'kubelet-registration-path': { type: 'string', default: '', help: "The endpoint's path as the host sees it; registers with kubelet when set" },
  'plugin-registration-path': { type: 'string', default: '/registration', help: "Folder of kubelet's plugin registration sockets" },
} as const;

export const flags: FlagSet<typeof definitions> = defineFlags(definitions);

export type DriverOptions = ReturnType<typeof flags.parse>;

export const TOPOLOGY_KEY = 'topology.hostpath.csi/node';

/** Whether volumes may grow: upstream has two names for the one switch, and either turns it off. */
export function canExpand(options: DriverOptions): boolean {
  return options['enable-volume-expansion'] && options['node-expand-required'];
}

const UNITS: Record<string, bigint> = {
  '': 1n,
  k: 1_000n,
  M: 1_000_000n,
  G: 1_000_000_000n,
  T: 1_000_000_000_000n,
  Ki: 2n ** 10n,
  Mi: 2n ** 20n,
  Gi: 2n ** 30n,
  Ti: 2n ** 40n,
  Pi: 2n ** 50n,
};

/** Whole bytes of a Kubernetes quantity. @throws RangeError */
export function parseSize(text: string): bigint {
  const match = /^(\d+)(k|M|G|T|Ki|Mi|Gi|Ti|Pi)?$/.exec(text);
  const unit = UNITS[match?.[2] ?? ''];
  if (match === null || unit === undefined) throw new RangeError(`"${text}" is no size; write for example 10Gi`);
  return BigInt(match[1] as string) * unit;
}
