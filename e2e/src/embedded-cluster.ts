// The cluster that needs none: our own API server and components as processes on this machine, and data read and
// written through the paths where the node agent publishes volumes.
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, open, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { persistentVolumeClaims, pods } from '@snapshot-stack/api-types';
import {
  COMPONENTS,
  publishedDevice,
  publishedPath,
  removeRemains,
  startLocalStack,
  type InstanceName,
  type LocalStack,
  type LocalStackOptions,
} from '@snapshot-stack/local-stack';
import type { Cluster, Feature, MountedVolume } from './cluster.ts';
import { fileSystemImage } from './file-system-image.ts';
import { until } from './wait.ts';
import { registerWebhook } from './webhook-registration.ts';

const run = promisify(execFile);

/** Why a stack of these processes is not enough for a story; undefined when it is. */
export function lacks(feature: Feature, { components, replicas, nodes }: Partial<LocalStackOptions>): string | undefined {
  switch (feature) {
    case 'crash':
      return undefined;
    case 'webhook':
      return components?.includes('webhook') === true ? undefined : 'no webhook runs here';
    case 'replicas':
      return (replicas?.['snapshot-controller'] ?? 1) > 1 ? undefined : 'there is only one controller here';
    case 'nodes':
      return (nodes?.length ?? 1) > 1 ? undefined : 'there is only one node here';
  }
}

type StackOptions = Partial<Omit<LocalStackOptions, 'dir' | 'onTrouble'>>;

/** As a vendor installs it: controllers that wait for each other, and the webhook. */
export const PRODUCTION: StackOptions = { components: [...COMPONENTS, 'webhook'], replicas: { 'snapshot-controller': 2 } };

/** Two nodes, each with its own driver and sidecars. */
export const NODE_LOCAL: StackOptions = { nodes: ['worker-1', 'worker-2'] };

export interface EmbeddedCluster extends Cluster {
  readonly stack: LocalStack;
}

function folder(path: string): MountedVolume {
  return {
    write: async (name, data) => {
      const file = await open(join(path, name), 'w');
      await file.writeFile(data);
      await file.sync();
      await file.close();
    },
    read: (name) => readFile(join(path, name)),
  };
}

function device(path: string): MountedVolume {
  return {
    write: async (_name, data) => {
      const file = await open(path, 'r+');
      await file.write(data, 0, data.length, 0);
      await file.sync();
      await file.close();
    },
    read: async (_name, length) => {
      const file = await open(path, 'r');
      const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, 0);
      await file.close();
      return buffer.subarray(0, bytesRead);
    },
  };
}

/** @param options what runs, where it is not the usual one process of each */
export async function startEmbeddedCluster(onTrouble: (message: string) => void, options: StackOptions = {}): Promise<EmbeddedCluster> {
  const dir = await mkdtemp(join(tmpdir(), 'e2e-'));
  let failure: Error | undefined;
  const stack = await startLocalStack({ ...options, dir, onTrouble }, (error) => {
    failure = error;
    onTrouble(error.message);
  });
  const { client, layout } = stack;
  if (options.components?.includes('webhook') === true) await registerWebhook(client);
  return {
    kind: 'embedded',
    client,
    stack,
    driver: layout.driverName,
    namespace: 'kube-system',
    lacks: (feature) => lacks(feature, options),
    crash: (component) => Promise.resolve(stack.process(component).kill('SIGKILL')),
    crashReplica: (host) => Promise.resolve(stack.process(host as InstanceName).kill('SIGKILL')),
    fileSystemImage,
    mounted: async ({ namespace, name }, claim, mode) => {
      const pod = await until(client, pods, { namespace, name }, 'running', (object) => {
        if (failure !== undefined) throw failure;
        return object?.status?.phase === 'Running';
      });
      const bound = await client.get(persistentVolumeClaims, { namespace, name: claim });
      const [uid, volume, node] = [pod?.metadata.uid ?? '', bound.spec.volumeName ?? '', pod?.spec.nodeName];
      return mode === 'Block' ? device(publishedDevice(layout, uid, volume, node)) : folder(publishedPath(layout, uid, volume, node));
    },
    collect: async (target) => {
      await mkdir(target, { recursive: true });
      await cp(join(dir, 'logs'), join(target, 'logs'), { recursive: true });
      for (const what of ['volumesnapshots,volumesnapshotcontents,pvc,pv,pods', 'events']) {
        const { stdout } = await run('kubectl', ['--kubeconfig', stack.kubeconfig, 'get', what, '-A', '-o', 'yaml']).catch((error: Error) => ({
          stdout: error.message,
        }));
        await writeFile(join(target, `${what.split(',')[0] ?? ''}.yaml`), stdout);
      }
    },
    close: async () => {
      client.close();
      await stack.stop();
      await removeRemains(dir);
    },
  };
}
