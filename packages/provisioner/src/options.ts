// Flags of the provisioner: external-provisioner's, so that its manifests start this one unchanged.
import {
  FlagError,
  checkWorkFlags,
  checkedGates,
  checkedNaming,
  componentFlags,
  componentOptions,
  defineFlags,
  nodeOf,
  type ComponentOptions,
  type FlagSet,
} from '@snapshot-stack/runtime';

const definitions = {
  ...componentFlags,
  master: { type: 'string', default: '', help: 'Accepted for compatibility; use --kubeconfig' },
  'csi-address': { type: 'string', default: '/run/csi/socket', help: "The CSI driver's socket" },
  'volume-name-prefix': { type: 'string', default: 'pvc', help: 'Volumes are called <prefix>-<uid of the claim>' },
  'volume-name-uuid-length': { type: 'int', default: -1, help: 'Characters of the uid, without dashes, in the name; -1 for the uid as it is' },
  'retry-interval-start': { type: 'duration', default: 1_000, help: 'Pause after the first failure of a claim or volume; doubles with each further one' },
  'retry-interval-max': { type: 'duration', default: 300_000, help: 'Longest pause between two tries' },
  'worker-threads': { type: 'int', default: 100, help: 'Claims, and volumes, that are worked on at a time' },
  'cloning-protection-threads': { type: 'int', default: 1, help: 'Sources of restores and clones that are looked at at a time' },
  'snapshot-orphan-sweep-interval': {
    type: 'duration',
    default: 300_000,
    help: 'How often held sources are looked at again even without a change; 0 for never',
  },
  timeout: { type: 'duration', default: 10_000, help: 'How long one call of the CSI driver may take' },
  'strict-topology': { type: 'bool', default: false, help: 'Offer the driver only the topology of the selected node' },
  'immediate-topology': { type: 'bool', default: true, help: 'Offer the driver the topology of the cluster for claims that are bound at once' },
  'extra-create-metadata': { type: 'bool', default: false, help: 'Tell the driver the names of claim and volume' },
  'default-fstype': { type: 'string', default: '', help: 'File system where the class names none' },
  'controller-publish-readonly': { type: 'bool', default: false, help: 'Mark volumes as read-only whose only access mode is ReadOnlyMany' },
  'prevent-volume-mode-conversion': {
    type: 'bool',
    default: true,
    help: "Refuse a claim whose volume mode is not its snapshot's, unless the content allows it",
  },
  'node-deployment': { type: 'bool', default: false, help: 'Provision only for the node in NODE_NAME' },
  'node-deployment-immediate-binding': { type: 'bool', default: true, help: 'With --node-deployment, also take claims that are bound at once' },
  'node-deployment-base-delay': { type: 'duration', default: 20_000, help: 'Longest first wait before such a claim is taken; doubles with each try' },
  'node-deployment-max-delay': { type: 'duration', default: 60_000, help: 'Longest wait before such a claim is taken' },
  'enable-capacity': { type: 'bool', default: false, help: 'Publish CSIStorageCapacity objects, by which the scheduler avoids full nodes' },
  'capacity-threads': { type: 'int', default: 1, help: 'CSIStorageCapacity objects that are worked on at a time' },
  'capacity-poll-interval': { type: 'duration', default: 60_000, help: 'How often the driver is asked for its capacity even without a change' },
  'capacity-for-immediate-binding': { type: 'bool', default: false, help: 'Publish it also for classes whose claims are bound at once' },
  'capacity-ownerref-level': {
    type: 'int',
    default: 1,
    help: 'Owner of the objects: -1 nobody, 0 the pod in POD_NAME and NAMESPACE, 1 who made the pod, 2 who made that',
  },
  'kube-api-capacity-qps': { type: 'float', default: 0, help: 'Accepted for compatibility' },
  'kube-api-capacity-burst': { type: 'int', default: 0, help: 'Accepted for compatibility' },
  'metrics-address': { type: 'string', default: '', help: 'Address of the HTTP server', deprecated: 'use --http-endpoint' },
  'enable-pprof': { type: 'bool', default: false, help: 'Accepted for compatibility' },
  'feature-gates': {
    type: 'map',
    default: {},
    help: 'CrossNamespaceVolumeDataSource=true|false (false), VolumeAttributesClass=true|false (true); Topology and ReleaseLeaderElectionOnExit are accepted',
  },
} as const;

export const flags: FlagSet<typeof definitions> = defineFlags(definitions);
type Parsed = ReturnType<typeof flags.parse>;

export interface ProvisionerOptions {
  parsed: Parsed;
  component: ComponentOptions;
  /** Set in node-local mode. */
  node: string | undefined;
  crossNamespace: boolean;
  /** Set with --enable-capacity. */
  capacity: CapacityOptions | undefined;
  /** Whether claims' VolumeAttributesClasses are honoured. */
  attributesClasses: boolean;
}

// Topology is always on here: naming it changes nothing.
const GATES = ['CrossNamespaceVolumeDataSource', 'ReleaseLeaderElectionOnExit', 'Topology', 'VolumeAttributesClass'];

/** Where CSIStorageCapacity objects are kept, and by which pod. */
export interface CapacityOptions {
  namespace: string;
  podName: string;
}

function capacityOptions(parsed: Parsed, env: Readonly<Record<string, string | undefined>>): CapacityOptions | undefined {
  if (!parsed['enable-capacity']) return undefined;
  const level = parsed['capacity-ownerref-level'];
  const { NAMESPACE: namespace = '', POD_NAME: podName = '' } = env;
  if (level > 2) throw new FlagError(`--capacity-ownerref-level=${level} is above 2, the owner of the pod's owner`);
  if (namespace === '') throw new FlagError('--enable-capacity needs the environment variable NAMESPACE: where CSIStorageCapacity objects are kept');
  if (podName === '' && level >= 0)
    throw new FlagError('--enable-capacity needs the environment variable POD_NAME, to find the owner of its objects; or --capacity-ownerref-level=-1');
  if (parsed['capacity-poll-interval'] <= 0) throw new FlagError('--capacity-poll-interval must be above 0');
  return { namespace, podName };
}

/** @throws FlagError */
export function checkOptions(parsed: Parsed, env: Readonly<Record<string, string | undefined>>): ProvisionerOptions {
  const gates = checkedGates(parsed['feature-gates'], GATES);
  checkedNaming('volume', parsed['volume-name-prefix'], parsed['volume-name-uuid-length']);
  checkWorkFlags(parsed);
  if (parsed.timeout <= 0) throw new FlagError('--timeout must be above 0');
  return {
    parsed,
    component: componentOptions(parsed, gates),
    node: nodeOf(parsed, env),
    capacity: capacityOptions(parsed, env),
    crossNamespace: gates['CrossNamespaceVolumeDataSource'] === true,
    attributesClasses: gates['VolumeAttributesClass'] !== false,
  };
}
