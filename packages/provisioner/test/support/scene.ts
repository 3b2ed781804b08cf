// A small cluster for tests, all of it real and in this process: the embedded API server, what a cluster does around
// claims (binder, protection), the hostpath driver behind its socket, and the three components of the restore path,
// which can be stopped and started again at any moment.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  csiNodes,
  events,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  snapshotCrds,
  storageClasses,
  volumeSnapshotClasses,
  volumeSnapshots,
  type KubeObject,
  type PersistentVolume,
  type PersistentVolumeClaim,
  type Resource,
  type StorageClass,
  type VolumeSnapshot,
} from '@snapshot-stack/api-types';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import { connectCsi, type CsiConnection } from '@snapshot-stack/csi';
import { connectDriver as connectSnapshotterDriver, createSnapshotter } from '@snapshot-stack/csi-snapshotter';
import { startDevCluster, type DevCluster } from '@snapshot-stack/devcluster';
import { TOPOLOGY_KEY, flags as driverFlags, startDriver, type RunningDriver } from '@snapshot-stack/hostpath-driver';
import { checkOptions, connectDriver, createProvisioner, flags } from '@snapshot-stack/provisioner';
import {
  createClient,
  createLog,
  createMetrics,
  silentLog,
  systemClock,
  wrapClient,
  type Client,
  type ClientHooks,
  type Metrics,
} from '@snapshot-stack/runtime';
import { createSnapshotController } from '@snapshot-stack/snapshot-controller';

export const DRIVER = 'hostpath.csi.k8s.io';
const NODE = 'n';
const NAMESPACE = 'default';
const log = process.env['SCENE_LOG'] === undefined ? silentLog : createLog({ name: 'scene', level: 'debug' });
const work = { clock: systemClock, random: Math.random, log, workers: 4, retryStartMs: 20, retryMaxMs: 200, resyncMs: 0 };

export interface Running {
  readonly metrics: Metrics;
  /** Stops at once, as a process that dies: nothing in hand is ended. */
  stop(): Promise<void>;
}

export interface ProvisionerStart {
  args?: readonly string[];
  env?: Record<string, string>;
  socket?: string;
  /** Around each call that changes something at the driver. */
  csiHooks?: { before?(method: string): void; after?(method: string): void };
  hooks?: ClientHooks;
}

export interface ClaimWish {
  namespace?: string;
  storage?: string;
  storageClassName?: string;
  annotations?: Record<string, string>;
  from?: { kind: 'VolumeSnapshot' | 'PersistentVolumeClaim'; name: string; namespace?: string };
  spec?: Partial<PersistentVolumeClaim['spec']>;
}

export class Scene implements AsyncDisposable {
  readonly api: ApiServer;
  readonly client: Client;
  readonly csi: CsiConnection;
  readonly #dir: string;
  readonly #driver: RunningDriver;
  readonly #furtherDrivers: RunningDriver[] = [];
  readonly #running = new Set<Running>();
  readonly #end = new AbortController();
  #cluster: DevCluster | undefined;

  private constructor(dir: string, api: ApiServer, driver: RunningDriver) {
    this.#dir = dir;
    this.api = api;
    this.#driver = driver;
    this.client = createClient(api.adminConnection, { userAgent: 'user/1' });
    this.csi = connectCsi({ endpoint: this.#socket });
  }

  get #socket(): string {
    return join(this.#dir, 'csi.sock');
  }

  /** With API server, driver, the cluster around claims, and the classes `sc` and `disk`. */
  static async start({ crds = [], driverArgs = [] }: { crds?: object[]; driverArgs?: string[] } = {}): Promise<Scene> {
    const dir = await mkdtemp(join(tmpdir(), 'provisioner-scene-'));
    const api = await startApiServer({ crds: [...snapshotCrds(), ...crds] });
    const args = [`--endpoint=unix://${join(dir, 'csi.sock')}`, `--nodeid=${NODE}`, `--statedir=${join(dir, 'state')}`, `--drivername=${DRIVER}`];
    const driver = await startDriver(driverFlags.parse([...args, '--enable-controller-modify-volume', ...driverArgs], {}), log);
    const scene = new Scene(dir, api, driver);
    await scene.#startCluster();
    await scene.client.create(storageClasses, { metadata: { name: 'sc' }, provisioner: DRIVER });
    await scene.client.create(volumeSnapshotClasses, { metadata: { name: 'disk' }, driver: DRIVER, deletionPolicy: 'Delete' });
    return scene;
  }

  async #startCluster(): Promise<void> {
    const client = createClient(this.api.adminConnection, { userAgent: 'cluster/1' });
    const { signal } = this.#end;
    const root = join(this.#dir, 'kubelet');
    this.#cluster = await startDevCluster({ client, log, nodeName: NODE, root, csiEndpoints: [`unix://${this.#socket}`], signal });
    void this.#cluster.stopped.then(() => client.close());
    await this.#cluster.ready;
  }

  /** A further node with a driver of its own, and nothing else. Resolves with its socket. */
  async addNode(name: string, driverArgs: readonly string[] = []): Promise<string> {
    const socket = join(this.#dir, `${name}.sock`);
    const args = [`--endpoint=unix://${socket}`, `--nodeid=${name}`, `--statedir=${join(this.#dir, name)}`, `--drivername=${DRIVER}`];
    this.#furtherDrivers.push(await startDriver(driverFlags.parse([...args, ...driverArgs], {}), log));
    await this.client.create(nodes, { metadata: { name, labels: { [TOPOLOGY_KEY]: name } } });
    const drivers = [{ name: DRIVER, nodeID: name, topologyKeys: [TOPOLOGY_KEY] }];
    await this.client.create(csiNodes, { metadata: { name }, spec: { drivers } });
    return socket;
  }

  /** The controller and the sidecar that make snapshots. */
  async startSnapshots(): Promise<void> {
    const controller = createClient(this.api.adminConnection, { userAgent: 'snapshot-controller/test' });
    const metrics = createMetrics();
    this.#run(createSnapshotController({ ...work, client: controller, metrics, distributed: false, recordVolumeMode: true }), metrics, () =>
      controller.close(),
    );
    const sidecar = createClient(this.api.adminConnection, { userAgent: 'csi-snapshotter/test' });
    const csi = connectCsi({ endpoint: this.#socket });
    const driver = await connectSnapshotterDriver(csi, 5_000, this.#end.signal);
    const own = createMetrics();
    const naming = { prefix: 'snapshot', uuidLength: -1 };
    this.#run(createSnapshotter({ ...work, client: sidecar, driver, metrics: own, naming, extraCreateMetadata: false, node: undefined }), own, () => {
      sidecar.close();
      csi.close();
    });
  }

  async startProvisioner({ args = [], env = {}, hooks = {}, socket = this.#socket, csiHooks = {} }: ProvisionerStart = {}): Promise<Running> {
    const client = createClient(this.api.adminConnection, { userAgent: 'csi-provisioner/test' });
    const csi = connectCsi({ endpoint: socket });
    const options = checkOptions(flags.parse(['--retry-interval-start=20ms', '--retry-interval-max=200ms', '--worker-threads=4', ...args], {}), env);
    const driver = await connectDriver(csi, 5_000, this.#end.signal, options.node !== undefined);
    const metrics = createMetrics();
    const hooked = { ...driver, csi: { ...csi, controller: withHooks(csi, csiHooks) } };
    const parts = { client: wrapClient(client, hooks), driver: hooked, options, clock: systemClock, random: Math.random, log, metrics, host: 'test' };
    return this.#run(createProvisioner(parts), metrics, () => {
      client.close();
      csi.close();
    });
  }

  #run(part: { run(signal: AbortSignal): Promise<void> }, metrics: Metrics, close: () => void): Running {
    const abort = new AbortController();
    const ended = part.run(abort.signal);
    const running: Running = {
      metrics,
      stop: async () => {
        this.#running.delete(running);
        abort.abort(new Error('stopped by the test'));
        close();
        await ended.catch(() => {});
      },
    };
    this.#running.add(running);
    return running;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running].map((running) => running.stop()));
    this.#end.abort(new Error('the test has ended'));
    await this.#cluster?.stopped;
    this.client.close();
    this.csi.close();
    await Promise.all([this.#driver, ...this.#furtherDrivers].map((driver) => driver.close()));
    await this.api.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }

  addClass(name: string, more: Partial<StorageClass> = {}): Promise<StorageClass> {
    return this.client.create(storageClasses, { provisioner: DRIVER, ...more, metadata: { name } });
  }

  addClaim(name: string, { namespace = NAMESPACE, storage = '1Mi', storageClassName = 'sc', annotations, from, spec }: ClaimWish = {}) {
    const group = from?.kind === 'VolumeSnapshot' ? { apiGroup: 'snapshot.storage.k8s.io' } : {};
    return this.client.create(persistentVolumeClaims, {
      metadata: { name, namespace, ...(annotations === undefined ? {} : { annotations }) },
      spec: {
        accessModes: ['ReadWriteOnce'],
        storageClassName,
        resources: { requests: { storage } },
        ...(from === undefined ? {} : { dataSourceRef: { ...group, ...from } }),
        ...spec,
      },
    });
  }

  /** A snapshot of a bound claim, once it is ready. */
  async snapshotOf(claim: string, name: string): Promise<VolumeSnapshot> {
    const spec = { source: { persistentVolumeClaimName: claim }, volumeSnapshotClassName: 'disk' };
    await this.client.create(volumeSnapshots, { metadata: { name, namespace: NAMESPACE }, spec });
    return this.until(volumeSnapshots, name, ({ status }) => status?.readyToUse === true);
  }

  untilBound(name: string, namespace = NAMESPACE): Promise<PersistentVolumeClaim> {
    return this.until(persistentVolumeClaims, name, ({ status }) => status?.phase === 'Bound', namespace);
  }

  find<T extends KubeObject>(resource: Resource<T>, name: string, namespace = NAMESPACE): Promise<T | undefined> {
    return this.client.find(resource, resource.namespaced ? { name, namespace } : { name });
  }

  delete(resource: Resource, name: string, namespace = NAMESPACE): Promise<void> {
    return this.client.delete(resource, resource.namespaced ? { name, namespace } : { name });
  }

  /** The object once it is as wanted. @throws Error with its last state after 30 s */
  async until<T extends KubeObject>(resource: Resource<T>, name: string, wanted: (object: T) => boolean, namespace = NAMESPACE): Promise<T> {
    let last: T | undefined;
    const isAsWanted = await waitFor(async () => {
      last = await this.find(resource, name, namespace);
      return last !== undefined && wanted(last);
    });
    if (!isAsWanted || last === undefined) throw new Error(`${resource.kind} ${name} did not become as wanted; it is ${JSON.stringify(last)}`);
    return last;
  }

  async untilGone(resource: Resource, name: string, namespace = NAMESPACE): Promise<void> {
    if (await waitFor(async () => (await this.find(resource, name, namespace)) === undefined)) return;
    throw new Error(`${resource.kind} ${name} is still there: ${JSON.stringify(await this.find(resource, name, namespace))}`);
  }

  /** The message of the first event of this reason about an object of this name that says what is wanted. */
  async untilEvent(name: string, reason: string, saying: RegExp): Promise<string> {
    let seen: string[] = [];
    let found: string | undefined;
    await waitFor(async () => {
      const { items } = await this.client.list(events);
      seen = items.filter((event) => event.involvedObject.name === name && event.reason === reason).map(({ message = '' }) => message);
      found = seen.find((message) => saying.test(message));
      return found !== undefined;
    });
    if (found === undefined) throw new Error(`no event ${reason} about ${name} says ${String(saying)}; there are ${JSON.stringify(seen)}`);
    return found;
  }

  async volumesAtDriver(): Promise<string[]> {
    const { entries } = await this.csi.controller.listVolumes({}, { timeoutMs: 5_000 });
    return entries.map(({ volume }) => volume?.volumeId ?? '').sort();
  }

  /** The driver's volumes and the cluster's are the same ones. */
  async handles(): Promise<string[]> {
    const { items } = await this.client.list(persistentVolumes);
    return items.map(({ spec }: PersistentVolume) => spec.csi?.volumeHandle ?? '').sort();
  }
}

function withHooks({ controller }: CsiConnection, { before, after }: NonNullable<ProvisionerStart['csiHooks']>): CsiConnection['controller'] {
  return {
    ...controller,
    createVolume: async (request, options) => {
      before?.('createVolume');
      const answer = await controller.createVolume(request, options);
      after?.('createVolume');
      return answer;
    },
    deleteVolume: async (request, options) => {
      before?.('deleteVolume');
      const answer = await controller.deleteVolume(request, options);
      after?.('deleteVolume');
      return answer;
    },
  };
}

/** Whether it became true within 15 s. */
export async function waitFor(isSo: () => Promise<boolean> | boolean, timeoutMs = 30_000): Promise<boolean> {
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    if (await isSo()) return true;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return false;
}
