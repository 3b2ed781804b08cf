// What runs, and with which flags: one entry per process of the stack, as a chart would say it with containers.
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

export type ComponentName = 'apiserver' | 'hostpath-driver' | 'devcluster' | 'snapshot-controller' | 'csi-snapshotter' | 'provisioner' | 'webhook';

/** What runs unless more or less is asked for, in the order of starting: each may wait for those before it, none for those after it. */
export const COMPONENTS: readonly ComponentName[] = ['apiserver', 'hostpath-driver', 'devcluster', 'snapshot-controller', 'csi-snapshotter', 'provisioner'];

/** Of these each node has its own. */
const NODE_COMPONENTS: ReadonlySet<ComponentName> = new Set(['hostpath-driver', 'devcluster', 'csi-snapshotter', 'provisioner']);

/** One process: a component, or a further one of its kind, as `snapshot-controller@2` or `provisioner@worker-2`. */
export type InstanceName = ComponentName | `${ComponentName}@${string}`;

export interface Instance {
  readonly name: InstanceName;
  readonly component: ComponentName;
  /** The node that it serves; the first one for those that serve them all. */
  readonly node: string;
}

/** The folders and names that the processes of one stack share. All paths are absolute. */
export interface StackLayout {
  /** Certificates, kubeconfig, logs, sockets and the kubelet root live below this folder. */
  dir: string;
  /** Where the driver keeps volumes and snapshots; further nodes have `<stateDir>-<node>`. */
  stateDir: string;
  /** TCP port of the API server. */
  port: number;
  /** TCP port of the webhook, where it runs. */
  webhookPort: number;
  /** The first one's name is the machine's. With more than one the sidecars are node-local. */
  nodes: readonly [string, ...string[]];
  driverName: string;
  /** How many processes of a component run, where it is more than one; they elect a leader. */
  replicas: Partial<Record<ComponentName, number>>;
  /** Flags that a caller adds to a component's own, for example `--v=5`. */
  extraFlags: Partial<Record<ComponentName, readonly string[]>>;
  /** Programs that run in place of ours, with the same flags: upstream's, for example. */
  programs: Partial<Record<ComponentName, readonly [string, ...string[]]>>;
}

// A small young generation costs these processes no speed that anybody sees, and saves each some 15 MB.
const sourceCondition = ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning', '--max-semi-space-size=1'];

/** Replicas in one place change leaders within seconds. */
const ELECTION_FLAGS = [
  '--leader-election',
  '--leader-election-namespace=kube-system',
  '--leader-election-lease-duration=3s',
  '--leader-election-renew-deadline=2s',
  '--leader-election-retry-period=500ms',
];

export const WEBHOOK_SERVICE = { namespace: 'kube-system', name: 'snapshot-validation-service' } as const;

/** The main.ts of a package, found as a sibling of this one: all of them live in one monorepo. */
function entryOf(component: ComponentName): string {
  return fileURLToPath(new URL(`../../${component}/src/main.ts`, import.meta.url));
}

/** The same for one node as ever; further ones have their own beside it. */
function perNode({ nodes }: StackLayout, node: string, path: string): string {
  return node === nodes[0] ? path : `${path}-${node}`;
}

export const paths = {
  kubeconfig: (layout: StackLayout): string => join(layout.dir, 'apiserver', 'kubeconfig'),
  socket: (layout: StackLayout, node: string = layout.nodes[0]): string => join(perNode(layout, node, join(layout.dir, 'csi')), 'csi.sock'),
  kubeletRoot: (layout: StackLayout, node: string = layout.nodes[0]): string => perNode(layout, node, join(layout.dir, 'kubelet')),
  stateDir: (layout: StackLayout, node: string = layout.nodes[0]): string => perNode(layout, node, layout.stateDir),
  log: (layout: StackLayout, name: InstanceName): string => join(layout.dir, 'logs', `${name}.log`),
  script: (layout: StackLayout, name: InstanceName): string => join(layout.dir, 'bin', name),
};

/** The processes of a stack that has these components, in the order of starting. */
export function instancesOf(layout: StackLayout, components: readonly ComponentName[]): Instance[] {
  const [first, ...others] = layout.nodes;
  return components.flatMap((component) => {
    const more = Array.from({ length: (layout.replicas[component] ?? 1) - 1 }, (_, index) => `${component}@${index + 2}` as const);
    const elsewhere = NODE_COMPONENTS.has(component) ? others : [];
    return [
      { name: component, component, node: first },
      ...more.map((name) => ({ name, component, node: first })),
      ...elsewhere.map((node) => ({ name: `${component}@${node}` as const, component, node })),
    ];
  });
}

function flagsOf({ component, node }: Instance, layout: StackLayout): string[] {
  const kubeconfig = `--kubeconfig=${paths.kubeconfig(layout)}`;
  const csiAddress = `--csi-address=${paths.socket(layout, node)}`;
  const endpoint = `unix://${paths.socket(layout, node)}`;
  const isFirst = node === layout.nodes[0];
  const isNodeLocal = layout.nodes.length > 1;
  switch (component) {
    case 'apiserver': {
      const crds = fileURLToPath(new URL('../../api-types/crds', import.meta.url));
      const dir = join(layout.dir, 'apiserver');
      const service = `${WEBHOOK_SERVICE.namespace}/${WEBHOOK_SERVICE.name}=https://127.0.0.1:${layout.webhookPort}`;
      return [`--port=${layout.port}`, `--dir=${dir}`, `--crds=${crds}`, `--data-dir=${join(dir, 'data')}`, `--service=${service}`];
    }
    case 'hostpath-driver':
      return [`--endpoint=${endpoint}`, `--nodeid=${node}`, `--statedir=${paths.stateDir(layout, node)}`, `--drivername=${layout.driverName}`];
    case 'devcluster':
      return [
        kubeconfig,
        `--node-name=${node}`,
        `--root=${paths.kubeletRoot(layout, node)}`,
        `--csi-endpoint=${endpoint}`,
        ...(isFirst ? [] : ['--node-only']),
      ];
    case 'snapshot-controller':
      return [kubeconfig, ...(isNodeLocal ? ['--enable-distributed-snapshotting'] : [])];
    case 'csi-snapshotter':
    case 'provisioner':
      return [kubeconfig, csiAddress, ...(isNodeLocal ? ['--node-deployment'] : [])];
    case 'webhook':
      return [kubeconfig, `--port=${layout.webhookPort}`, `--namespace=${WEBHOOK_SERVICE.namespace}`, `--service-name=${WEBHOOK_SERVICE.name}`];
  }
}

/** The whole command line of a process: `[program, ...arguments]`. */
export function commandOf(instance: Instance, layout: StackLayout): [string, ...string[]] {
  const { component } = instance;
  const program = layout.programs[component] ?? [process.execPath, ...sourceCondition, entryOf(component)];
  const election = (layout.replicas[component] ?? 1) > 1 ? ELECTION_FLAGS : [];
  return [...program, ...flagsOf(instance, layout), ...election, ...(layout.extraFlags[component] ?? [])] as [string, ...string[]];
}

/** What a process finds in its environment beside our own, as the downward API would give it. */
export function environmentOf({ name, node }: Instance): Record<string, string> {
  return { NODE_NAME: node, POD_NAME: name };
}
