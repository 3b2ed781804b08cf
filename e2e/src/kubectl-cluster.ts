// A cluster with real nodes: any that a kubeconfig leads to. Data goes through `kubectl exec` in real pods.
import { execFile, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { pods } from '@snapshot-stack/api-types';
import { createClient, loadConnection } from '@snapshot-stack/runtime';
import type { Cluster, MountedVolume, PodRef } from './cluster.ts';
import { fileSystemImage } from './file-system-image.ts';
import { until } from './wait.ts';

const run = promisify(execFile);
const OUTPUT_BYTES_MAX = 256 * 2 ** 20;
export const DATA_PATH = '/data';
export const DEVICE_PATH = '/dev/volume';

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

export async function connectCluster(kind: 'kubeconfig' | 'kind', kubeconfig: string, driver: string): Promise<Cluster> {
  const client = createClient(await loadConnection({ kubeconfig }), { userAgent: 'e2e' });
  const base = kubeconfig === '' ? [] : ['--kubeconfig', kubeconfig];
  return {
    kind,
    client,
    driver,
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
