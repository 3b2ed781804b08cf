// An API server with a dev cluster beside it, in this process, for one test file.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startApiServer } from '@snapshot-stack/apiserver';
import { namespaces, type KubeObject, type Resource } from '@snapshot-stack/api-types';
import { createClient, silentLog, type Client, type Ref } from '@snapshot-stack/runtime';
import { pathsBelow, startDevCluster, type Paths } from '@snapshot-stack/devcluster';

export interface TestCluster {
  readonly client: Client;
  readonly directory: string;
  readonly paths: Paths;
  readonly socket: string;
  /** Starts the dev cluster; the answer ends it as a kill would: what is mounted stays. */
  startAgent(): Promise<() => Promise<void>>;
  /** Starts the dev cluster as a process of its own, ready when this resolves. */
  spawnAgent(): Promise<ChildProcess>;
  namespace(): Promise<string>;
  stop(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
const FLAGS = ['--conditions=@snapshot-stack/source', '--disable-warning=ExperimentalWarning'];
let serial = 0;

/** As `kill -9`: nothing in the process gets to run any more. */
export async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

export async function startTestCluster(): Promise<TestCluster> {
  const api = await startApiServer({});
  const directory = await mkdtemp(join(tmpdir(), 'devcluster-'));
  const newClient = () => createClient(api.adminConnection, { userAgent: 'devcluster-test/1' });
  const client = newClient();
  const root = join(directory, 'kubelet');
  const socket = join(directory, 'csi.sock');
  const agents = new Set<() => Promise<void>>();
  const children = new Set<ChildProcess>();
  const kubeconfig = join(directory, 'kubeconfig');
  await writeFile(kubeconfig, api.kubeconfig);
  return {
    client,
    directory,
    paths: pathsBelow(root),
    socket,
    async startAgent() {
      const abort = new AbortController();
      const own = newClient();
      const agent = await startDevCluster({ client: own, log: silentLog, nodeName: 'a', root, csiEndpoints: [socket], signal: abort.signal });
      const end = async () => {
        agents.delete(end);
        abort.abort(new Error('the test ends the agent'));
        await agent.stopped;
        own.close();
      };
      agents.add(end);
      await agent.ready;
      return end;
    },
    async spawnAgent() {
      const child = spawn(process.execPath, [...FLAGS, MAIN, `--kubeconfig=${kubeconfig}`, '--node-name=a', `--root=${root}`, `--csi-endpoint=${socket}`], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      children.add(child);
      child.once('exit', () => children.delete(child));
      const said = once(child.stdout, 'data').then(([chunk]) => String(chunk));
      const ended = once(child, 'exit').then(([code]) => `exit ${code}`);
      const line = await Promise.race([said, ended]);
      if (line !== 'ready a\n') throw new Error(`the agent did not become ready: ${line}`);
      return child;
    },
    async namespace() {
      const name = `n${++serial}`;
      await client.create(namespaces, { metadata: { name } });
      return name;
    },
    async stop() {
      for (const end of agents) await end();
      for (const child of children) await kill(child);
      client.close();
      await api.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const PATIENCE_MS = 10_000;

/** Waits until the answer is true; fails with what was seen last. */
export async function until(what: string, check: () => unknown): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  let last: unknown;
  do {
    last = await check();
    if (last === true) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  } while (Date.now() < end);
  throw new Error(`waited in vain for ${what}; at last: ${JSON.stringify(last)}`);
}

/** Waits until the object is as wished, and gives it. */
export async function eventually<T extends KubeObject>(client: Client, resource: Resource<T>, ref: Ref, isSo: (object: T) => boolean): Promise<T> {
  let found: T | undefined;
  await until(`${resource.kind} ${ref.name}`, async () => {
    found = await client.find(resource, ref);
    return found !== undefined && isSo(found) ? true : found;
  });
  return found as T;
}

export async function gone(client: Client, resource: Resource, ref: Ref): Promise<void> {
  await until(`${resource.kind} ${ref.name} to be gone`, async () => {
    const found = await client.find(resource, ref);
    return found === undefined ? true : found.metadata;
  });
}
