// The command line, read once.
import { hostname } from 'node:os';
import { defineFlags, kubeFlags, levelOf, loggingFlags, readFlags, type LogLevel } from '@snapshot-stack/runtime';

const flags = defineFlags({
  ...kubeFlags,
  ...loggingFlags,
  'node-name': { type: 'string', default: hostname(), help: 'Name of the Node object that this process stands for', env: 'NODE_NAME' },
  root: { type: 'string', default: '/var/lib/kubelet', help: "Directory below which pods' volumes are mounted, laid out as kubelet does" },
  'csi-endpoint': { type: 'strings', default: [], help: 'Socket of a CSI driver on this node; may be given several times' },
  'node-only': { type: 'bool', default: false, help: 'Be a further node of a cluster that another process looks after' },
});

export interface Options {
  /** '' for the in-cluster configuration. */
  readonly kubeconfig: string;
  /** Requests per second; 0 for no limit. */
  readonly qps: number;
  readonly burst: number;
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
  readonly nodeName: string;
  readonly root: string;
  readonly csiEndpoints: readonly string[];
  readonly nodeOnly: boolean;
}

/** Reads process.argv. @throws FlagError for a command line that cannot be used */
export function readOptions(version: string): Options {
  const parsed = readFlags(flags, 'devcluster', version);
  return {
    kubeconfig: parsed.kubeconfig,
    qps: parsed['kube-api-qps'],
    burst: parsed['kube-api-burst'],
    logLevel: levelOf(parsed.v),
    logFormat: parsed['logging-format'] === 'json' ? 'json' : 'text',
    nodeName: parsed['node-name'],
    root: parsed.root,
    csiEndpoints: parsed['csi-endpoint'],
    nodeOnly: parsed['node-only'],
  };
}
