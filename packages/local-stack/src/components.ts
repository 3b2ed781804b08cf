// What runs, and with which flags: one entry per process of the stack, as a chart would say it with containers.
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

export type ComponentName = 'apiserver' | 'hostpath-driver' | 'devcluster' | 'snapshot-controller' | 'csi-snapshotter' | 'provisioner';

/** In the order in which they are started: each may wait for those before it, none for those after it. */
export const COMPONENTS: readonly ComponentName[] = ['apiserver', 'hostpath-driver', 'devcluster', 'snapshot-controller', 'csi-snapshotter', 'provisioner'];

/** The folders and names that the processes of one stack share. All paths are absolute. */
export interface StackLayout {
  /** Certificates, kubeconfig, logs, sockets and the kubelet root live below this folder. */
  dir: string;
  /** Where the driver keeps volumes and snapshots. */
  stateDir: string;
  /** TCP port of the API server; 0 picks a free one. */
  port: number;
  nodeName: string;
  driverName: string;
  /** Flags that a caller adds to a component's own, for example `--v=5`. */
  extraFlags: Partial<Record<ComponentName, readonly string[]>>;
}

// A small young generation costs these processes no speed that anybody sees, and saves each some 15 MB.
const sourceCondition = ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning', '--max-semi-space-size=1'];

/** The main.ts of a package, found as a sibling of this one: all of them live in one monorepo. */
function entryOf(component: ComponentName): string {
  return fileURLToPath(new URL(`../../${component}/src/main.ts`, import.meta.url));
}

export const paths = {
  kubeconfig: (layout: StackLayout): string => join(layout.dir, 'apiserver', 'kubeconfig'),
  socket: (layout: StackLayout): string => join(layout.dir, 'csi', 'csi.sock'),
  kubeletRoot: (layout: StackLayout): string => join(layout.dir, 'kubelet'),
  log: (layout: StackLayout, component: ComponentName): string => join(layout.dir, 'logs', `${component}.log`),
  script: (layout: StackLayout, component: ComponentName): string => join(layout.dir, 'bin', component),
};

function flagsOf(component: ComponentName, layout: StackLayout): string[] {
  const kubeconfig = `--kubeconfig=${paths.kubeconfig(layout)}`;
  const csiAddress = `--csi-address=${paths.socket(layout)}`;
  const endpoint = `unix://${paths.socket(layout)}`;
  switch (component) {
    case 'apiserver': {
      const crds = fileURLToPath(new URL('../../api-types/crds', import.meta.url));
      const dir = join(layout.dir, 'apiserver');
      return [`--port=${layout.port}`, `--dir=${dir}`, `--crds=${crds}`, `--data-dir=${join(dir, 'data')}`];
    }
    case 'hostpath-driver':
      return [`--endpoint=${endpoint}`, `--nodeid=${layout.nodeName}`, `--statedir=${layout.stateDir}`, `--drivername=${layout.driverName}`];
    case 'devcluster':
      return [kubeconfig, `--node-name=${layout.nodeName}`, `--root=${paths.kubeletRoot(layout)}`, `--csi-endpoint=${endpoint}`];
    case 'snapshot-controller':
      return [kubeconfig];
    case 'csi-snapshotter':
    case 'provisioner':
      return [kubeconfig, csiAddress];
  }
}

/** The whole command line of a component: `[program, ...arguments]`. */
export function commandOf(component: ComponentName, layout: StackLayout): [string, ...string[]] {
  const flags = [...flagsOf(component, layout), ...(layout.extraFlags[component] ?? [])];
  return [process.execPath, ...sourceCondition, entryOf(component), ...flags];
}
