// The whole stack as separate processes on one machine, for the demo, the benchmarks and e2e. A component
// that dies is started again, as kubelet would do it, a bounded number of times.
import { existsSync } from 'node:fs';
import { once } from 'node:events';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { createClient, loadConnection, type Client, type Connection } from '@snapshot-stack/runtime';
import {
  COMPONENTS,
  commandOf,
  environmentOf,
  instancesOf,
  paths,
  type ComponentName,
  type Instance,
  type InstanceName,
  type StackLayout,
} from './components.ts';
import { ManagedProcess, tailOf, type ProcessExit } from './managed-process.ts';

const RESTARTS_MAX = 5;
const READY_WITHIN_MS = 20_000;
const STOP_GRACE_MS = 5_000;
const POLL_MS = 20;
const KILLED_RESTART_MS = 100;

export interface LocalStackOptions extends Partial<Omit<StackLayout, 'dir'>> {
  dir: string;
  /** The components to run; all of them when left out. */
  components?: readonly ComponentName[];
  /** The processes outlive this one. */
  detached?: boolean;
  /** Told of every unexpected end and what is done about it. */
  onTrouble?: (message: string) => void;
}

export class LocalStackError extends Error {
  override readonly name = 'LocalStackError';
}

function describeExit(exit: ProcessExit): string {
  return exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`;
}

/** Restarts happen only while the stack is up: not before the API server is ready, not while all is being stopped. */
interface Supervision {
  up: boolean;
  failed: (error: LocalStackError) => void;
}

export class LocalStack {
  readonly layout: StackLayout;
  readonly client: Client;
  readonly connection: Connection;
  readonly #processes: ReadonlyMap<InstanceName, ManagedProcess>;
  readonly #supervision: Supervision;

  constructor(layout: StackLayout, connection: Connection, processes: ReadonlyMap<InstanceName, ManagedProcess>, supervision: Supervision) {
    this.layout = layout;
    this.connection = connection;
    this.client = createClient(connection, { userAgent: 'local-stack' });
    this.#processes = processes;
    this.#supervision = supervision;
  }

  get kubeconfig(): string {
    return paths.kubeconfig(this.layout);
  }

  /** Process → pid of those that run now. */
  pids(): Map<InstanceName, number> {
    const running = [...this.#processes].flatMap(([name, process]) => (process.pid === undefined ? [] : [[name, process.pid] as const]));
    return new Map(running);
  }

  process(name: InstanceName): ManagedProcess {
    const found = this.#processes.get(name);
    if (found === undefined) throw new LocalStackError(`this stack runs no ${name}; it was started with ${[...this.#processes.keys()].join(', ')}`);
    return found;
  }

  /** Stops a process and starts another program in its place, with the same flags; undefined for our own. */
  async replace(instance: Instance, program: readonly [string, ...string[]] | undefined): Promise<void> {
    const process = this.process(instance.name);
    await process.stop(STOP_GRACE_MS);
    const { [instance.component]: _before, ...others } = this.layout.programs;
    this.layout.programs = program === undefined ? others : { ...others, [instance.component]: program };
    process.start(commandOf(instance, this.layout));
  }

  /** Stops all processes, last started first, so that each can still say goodbye to those it depends on. */
  async stop(): Promise<void> {
    this.#supervision.up = false;
    for (const process of [...this.#processes.values()].toReversed()) await process.stop(STOP_GRACE_MS);
  }

  /** Lets the processes of a detached stack live on. */
  abandon(): void {
    this.#supervision.up = false;
    for (const process of this.#processes.values()) process.abandon();
  }
}

/** Where a published filesystem volume shows up for a pod; as kubelet lays it out. */
export function publishedPath(layout: StackLayout, podUid: string, volumeName: string, node?: string): string {
  return `${paths.kubeletRoot(layout, node)}/pods/${podUid}/volumes/kubernetes.io~csi/${volumeName}/mount`;
}

/** Where a published block volume's device shows up for a pod. */
export function publishedDevice(layout: StackLayout, podUid: string, volumeName: string, node?: string): string {
  return `${paths.kubeletRoot(layout, node)}/plugins/kubernetes.io/csi/volumeDevices/publish/${volumeName}/${podUid}`;
}

/** A start script per process, so that one that was killed can be started again by hand. */
async function writeScripts(layout: StackLayout, instances: readonly Instance[]): Promise<void> {
  await mkdir(`${layout.dir}/bin`, { recursive: true });
  for (const instance of instances) {
    const environment = Object.entries(environmentOf(instance)).map(([name, value]) => `${name}=${value}`);
    const words = ['env', ...environment, ...commandOf(instance, layout)].map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`);
    const script = paths.script(layout, instance.name);
    await writeFile(script, `#!/bin/sh\n# Starts ${instance.name} again, with the same flags.\nexec ${words.join(' ')}\n`);
    await chmod(script, 0o755);
  }
}

function manage(instance: Instance, layout: StackLayout, options: LocalStackOptions, supervision: Supervision): ManagedProcess {
  const { name } = instance;
  let restarts = 0;
  const process = new ManagedProcess({
    name,
    command: commandOf(instance, layout),
    env: environmentOf(instance),
    logPath: paths.log(layout, name),
    detached: options.detached ?? false,
    onUnexpectedExit: (exit) => {
      if (!supervision.up) return;
      const how = `${name} ended with ${describeExit(exit)}`;
      if (exit.signal !== 'SIGKILL' && restarts >= RESTARTS_MAX) {
        supervision.failed(new LocalStackError(`${how} for the ${restarts + 1}th time; its last words:\n${tailOf(paths.log(layout, name))}`));
        return;
      }
      const isKilled = exit.signal === 'SIGKILL';
      if (!isKilled) restarts++;
      options.onTrouble?.(`${how}; starting it again`);
      // Who is killed did nothing wrong: kubelet waits longer and longer only for what fails by itself.
      setTimeout(() => supervision.up && process.start(), isKilled ? KILLED_RESTART_MS : Math.min(2_000, 100 * 2 ** restarts));
    },
  });
  return process;
}

/** Waits for the API server's kubeconfig and its ready line; says why when it ends before that. */
async function apiServerReady(layout: StackLayout, apiserver: ManagedProcess): Promise<void> {
  const log = paths.log(layout, 'apiserver');
  let ended: ProcessExit | undefined;
  void apiserver.exited().then((exit) => (ended = exit));
  const deadline = Date.now() + READY_WITHIN_MS;
  while (Date.now() < deadline) {
    if (existsSync(log) && /^ready https:/m.test(await readFile(log, 'utf8'))) return;
    if (ended !== undefined) throw new LocalStackError(`the API server did not start: ${tailOf(log) || describeExit(ended)}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new LocalStackError(`the API server was not ready within ${READY_WITHIN_MS / 1000} s; its last words:\n${tailOf(log)}`);
}

/** A port that is free now. The API server keeps it over restarts, since everybody else knows it by its address. */
async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

/**
 * Starts the stack. The API server is ready on return; the others come up by themselves and may be used at
 * once, since everything is asked for through the API.
 * @param onFailure called when a component keeps dying; the stack is then of no use any more
 * @throws LocalStackError when the API server does not start, with its own reason
 */
export async function startLocalStack(options: LocalStackOptions, onFailure: (error: LocalStackError) => void): Promise<LocalStack> {
  const layout: StackLayout = {
    dir: options.dir,
    stateDir: options.stateDir ?? `${options.dir}/state`,
    port: options.port || (await freePort()),
    webhookPort: options.webhookPort || (await freePort()),
    nodes: options.nodes ?? ['laptop'],
    driverName: options.driverName ?? 'hostpath.csi.k8s.io',
    replicas: options.replicas ?? {},
    extraFlags: options.extraFlags ?? {},
    programs: options.programs ?? {},
  };
  for (const node of layout.nodes) {
    await mkdir(dirname(paths.socket(layout, node)), { recursive: true, mode: 0o700 });
    await mkdir(paths.kubeletRoot(layout, node), { recursive: true });
    await mkdir(paths.stateDir(layout, node), { recursive: true, mode: 0o700 });
  }
  const instances = instancesOf(layout, options.components ?? COMPONENTS);
  await writeScripts(layout, instances);
  const supervision: Supervision = { up: false, failed: onFailure };
  const processes = new Map(instances.map((instance) => [instance.name, manage(instance, layout, options, supervision)]));
  try {
    const apiserver = processes.get('apiserver');
    apiserver?.start();
    // The driver needs no API server: it starts meanwhile.
    processes.get('hostpath-driver')?.start();
    if (apiserver !== undefined) await apiServerReady(layout, apiserver);
    const connection = await loadConnection({ kubeconfig: paths.kubeconfig(layout) });
    supervision.up = true;
    for (const process of processes.values()) process.start();
    return new LocalStack(layout, connection, processes, supervision);
  } catch (error) {
    for (const process of processes.values()) await process.stop(STOP_GRACE_MS);
    throw error;
  }
}
