// A cluster with real nodes: any that a kubeconfig leads to. Data goes through `kubectl exec` in real pods.
import { execFile, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pods } from '@snapshot-stack/api-types';
import { createClient, loadConnection, type Client } from '@snapshot-stack/runtime';
import type { Cluster, Crashable, Feature, MountedVolume, PodRef } from './cluster.ts';
import { fileSystemImage } from './file-system-image.ts';
import { until } from './wait.ts';

const run = promisify(execFile);
const OUTPUT_BYTES_MAX = 256 * 2 ** 20;
export const DATA_PATH = '/data';
export const DEVICE_PATH = '/dev/volume';

const COMPONENT_LABEL = 'app.kubernetes.io/component';

/** The sidecars run in the driver's pods. */
function podComponent(component: Crashable): string {
  return component === 'snapshot-controller' ? component : 'hostpath-driver';
}

async function pipe(args: readonly string[], input: Buffer): Promise<Buffer> {
  const child = spawn('kubectl', [...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.end(input);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')} failed: ${Buffer.concat(err).toString('utf8').trim()}`);
  return Buffer.concat(out);
}

function volumeOf(exec: readonly string[], mode: 'Filesystem' | 'Block'): MountedVolume {
  const target = (name: string): string => (mode === 'Block' ? DEVICE_PATH : `${DATA_PATH}/${name}`);
  return {
    write: async (name, data) => void (await pipe([...exec, 'sh', '-c', `dd of=${target(name)} conv=notrunc,fsync`], data)),
    read: (name, length) => pipe([...exec, 'sh', '-c', mode === 'Block' ? `head -c ${length} ${DEVICE_PATH}` : `cat ${target(name)}`], Buffer.alloc(0)),
  };
}

/** What is found installed tells which stories can be told. */
async function missingFeatures(client: Client, namespace: string): Promise<Map<Feature, string>> {
  const missing = new Map<Feature, string>();
  const { items } = await client.list(pods, { namespace });
  const countOf = (component: string): number => items.filter(({ metadata }) => metadata.labels?.[COMPONENT_LABEL] === component).length;
  const needs: [Feature, string, number][] = [
    ['crash', 'snapshot-controller', 1],
    ['replicas', 'snapshot-controller', 2],
    ['webhook', 'snapshot-webhook', 1],
    ['nodes', 'hostpath-driver', 2],
  ];
  for (const [feature, component, count] of needs) {
    const found = countOf(component);
    if (found < count) missing.set(feature, `namespace ${namespace} has ${found} pods labelled ${COMPONENT_LABEL}=${component}, and the story needs ${count}`);
  }
  return missing;
}

/** @param namespace where our charts are installed */
export async function connectCluster(kind: 'kubeconfig' | 'kind', kubeconfig: string, driver: string, namespace: string): Promise<Cluster> {
  const client = createClient(await loadConnection({ kubeconfig }), { userAgent: 'e2e' });
  const base = kubeconfig === '' ? [] : ['--kubeconfig', kubeconfig];
  const missing = await missingFeatures(client, namespace);
  const deletePods = async (which: readonly string[]): Promise<void> => {
    await run('kubectl', [...base, 'delete', 'pods', '-n', namespace, '--grace-period=0', '--force', '--wait=false', ...which]);
  };
  return {
    kind,
    client,
    driver,
    namespace,
    lacks: (feature) => missing.get(feature),
    crash: (component) => deletePods(['-l', `${COMPONENT_LABEL}=${podComponent(component)}`]),
    crashReplica: (host) => deletePods([host]),
    fileSystemImage,
    mounted: async (pod: PodRef, _claim, mode) => {
      await until(client, pods, pod, 'running', (object) => object?.status?.phase === 'Running');
      return volumeOf([...base, 'exec', '-i', '-n', pod.namespace, pod.name, '--'], mode);
    },
    collect: async (dir) => {
      await mkdir(dir, { recursive: true });
      for (const what of ['volumesnapshots,volumesnapshotcontents,pvc,pv,pods', 'events']) {
        const { stdout } = await run('kubectl', [...base, 'get', what, '-A', '-o', 'yaml'], { maxBuffer: OUTPUT_BYTES_MAX });
        await writeFile(join(dir, `${what.split(',')[0] ?? ''}.yaml`), stdout);
      }
    },
    close: () => {
      client.close();
      return Promise.resolve();
    },
  };
}
