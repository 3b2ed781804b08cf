// A small cluster for tests: the embedded API server over HTTPS, a driver behind its socket, and controller and
// sidecar as they run in production, which can be stopped and started again at any moment.
import { fileURLToPath } from 'node:url';
import { startApiServer, type ApiServer } from '@snapshot-stack/apiserver';
import {
  Annotation,
  persistentVolumeClaims,
  persistentVolumes,
  volumeSnapshotClasses,
  volumeSnapshotContents,
  volumeSnapshots,
  type KubeObject,
  type PersistentVolumeClaim,
  type Resource,
  type VolumeSnapshot,
  type VolumeSnapshotClass,
  type VolumeSnapshotContent,
} from '@snapshot-stack/api-types';
import { connectCsi } from '@snapshot-stack/csi';
import { connectDriver, createSnapshotter, type Snapshotter } from '@snapshot-stack/csi-snapshotter';
import { createClient, createLog, createMetrics, silentLog, systemClock, wrapClient, type Client, type ClientHooks, type Ref } from '@snapshot-stack/runtime';
import { createSnapshotController, type SnapshotController } from '@snapshot-stack/snapshot-controller';
import { InspectableDriver, type InspectableDriverOptions } from './inspectable-driver.ts';

export interface Running<T> {
  readonly part: T;
  /** Stops at once, as a process that dies: nothing in hand is ended. */
  stop(): Promise<void>;
}

export interface SceneOptions extends InspectableDriverOptions {
  retryStartMs?: number;
  retryMaxMs?: number;
}

const NAMESPACE = 'default';
const crds = fileURLToPath(new URL('../../../api-types/crds', import.meta.url));
const log = process.env['SCENE_LOG'] === undefined ? silentLog : createLog({ name: 'scene', level: 'debug' });

export class Scene implements AsyncDisposable {
  readonly api: ApiServer;
  readonly client: Client;
  readonly driver: InspectableDriver;
  readonly #options: SceneOptions;
  readonly #running = new Set<Running<unknown>>();

  private constructor(api: ApiServer, driver: InspectableDriver, options: SceneOptions) {
    this.api = api;
    this.driver = driver;
    this.#options = options;
    this.client = createClient(api.adminConnection, { userAgent: 'user/1' });
  }

  static async start(options: SceneOptions = {}): Promise<Scene> {
    const api = await startApiServer({ crds: [crds] });
    const driver = new InspectableDriver(options);
    await driver.start();
    return new Scene(api, driver, options);
  }

  get #common(): { workers: number; retryStartMs: number; retryMaxMs: number; resyncMs: number } {
    return { workers: 4, retryStartMs: this.#options.retryStartMs ?? 20, retryMaxMs: this.#options.retryMaxMs ?? 200, resyncMs: 0 };
  }

  startController(
    hooks: ClientHooks = {},
    wrap: (client: Client) => Client = (client) => client,
    more: { distributed?: boolean } = {},
  ): Running<SnapshotController> {
    const client = createClient(this.api.adminConnection, { userAgent: 'snapshot-controller/test' });
    const part = createSnapshotController({
      client: wrap(wrapClient(client, hooks)),
      clock: systemClock,
      random: Math.random,
      log,
      metrics: createMetrics(),
      distributed: more.distributed ?? false,
      recordVolumeMode: true,
      ...this.#common,
    });
    return this.#run(part, () => client.close());
  }

  async startSidecar(
    hooks: ClientHooks = {},
    more: { node?: string; extraCreateMetadata?: boolean; timeoutMs?: number; wrap?: (client: Client) => Client; socket?: string } = {},
  ): Promise<Running<Snapshotter>> {
    const client = createClient(this.api.adminConnection, { userAgent: 'csi-snapshotter/test' });
    const csi = connectCsi({ endpoint: more.socket ?? this.driver.socket });
    const driver = await connectDriver(csi, more.timeoutMs ?? 5_000, new AbortController().signal);
    const part = createSnapshotter({
      client: (more.wrap ?? ((each) => each))(wrapClient(client, hooks)),
      driver,
      clock: systemClock,
      random: Math.random,
      log,
      metrics: createMetrics(),
      naming: { prefix: 'snapshot', uuidLength: -1 },
      extraCreateMetadata: more.extraCreateMetadata ?? false,
      node: more.node,
      ...this.#common,
    });
    return this.#run(part, () => {
      client.close();
      csi.close();
    });
  }

  async startBoth(): Promise<void> {
    this.startController();
    await this.startSidecar();
  }

  #run<T extends { run(signal: AbortSignal): Promise<void> }>(part: T, close: () => void): Running<T> {
    const abort = new AbortController();
    const ended = part.run(abort.signal);
    const running: Running<T> = {
      part,
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
    this.client.close();
    await this.driver.stop();
    await this.api.stop();
  }

  addClass(name: string, more: Partial<VolumeSnapshotClass> & { isDefault?: boolean } = {}): Promise<VolumeSnapshotClass> {
    const { isDefault = false, ...fields } = more;
    const metadata = { name, ...(isDefault ? { annotations: { [Annotation.isDefaultClass]: 'true' } } : {}) };
    return this.client.create(volumeSnapshotClasses, { driver: this.driver.name, deletionPolicy: 'Delete', ...fields, metadata });
  }

  /** A claim and its volume, bound to each other as the binder leaves them. */
  async addBoundClaim(name: string, volume: { driver?: string; handle?: string } = {}): Promise<PersistentVolumeClaim> {
    const claim = await this.addClaim(name);
    await this.bind(claim, volume);
    return this.get(persistentVolumeClaims, name);
  }

  addClaim(name: string, spec: Partial<PersistentVolumeClaim['spec']> = {}): Promise<PersistentVolumeClaim> {
    return this.client.create(persistentVolumeClaims, {
      metadata: { name, namespace: NAMESPACE },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
    });
  }

  async bind(claim: PersistentVolumeClaim, { driver = this.driver.name, handle }: { driver?: string; handle?: string } = {}): Promise<void> {
    const { name = '', uid } = claim.metadata;
    await this.client.create(persistentVolumes, {
      metadata: { name: `pv-${name}` },
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        volumeMode: 'Filesystem',
        claimRef: { kind: 'PersistentVolumeClaim', namespace: NAMESPACE, name, ...(uid === undefined ? {} : { uid }) },
        csi: { driver, volumeHandle: handle ?? `volume-${name}` },
      },
    });
    await this.client.patch(persistentVolumeClaims, { name, namespace: NAMESPACE }, { kind: 'merge', body: { spec: { volumeName: `pv-${name}` } } });
    await this.client.patch(
      persistentVolumeClaims,
      { name, namespace: NAMESPACE },
      { kind: 'merge', body: { status: { phase: 'Bound' } } },
      { subresource: 'status' },
    );
  }

  snapshotOf(claim: string, name: string, className?: string): Promise<VolumeSnapshot> {
    const spec = { source: { persistentVolumeClaimName: claim }, ...(className === undefined ? {} : { volumeSnapshotClassName: className }) };
    return this.client.create(volumeSnapshots, { metadata: { name, namespace: NAMESPACE }, spec });
  }

  snapshotFrom(content: string, name: string): Promise<VolumeSnapshot> {
    return this.client.create(volumeSnapshots, { metadata: { name, namespace: NAMESPACE }, spec: { source: { volumeSnapshotContentName: content } } });
  }

  addContent(name: string, snapshotName: string, handle: string, more: Partial<VolumeSnapshotContent['spec']> = {}): Promise<VolumeSnapshotContent> {
    return this.client.create(volumeSnapshotContents, {
      metadata: { name },
      spec: {
        deletionPolicy: 'Delete',
        driver: this.driver.name,
        source: { snapshotHandle: handle },
        volumeSnapshotRef: { name: snapshotName, namespace: NAMESPACE },
        ...more,
      },
    });
  }

  delete(resource: Resource, name: string): Promise<void> {
    return this.client.delete(resource, refOf(resource, name));
  }

  get<T extends KubeObject>(resource: Resource<T>, name: string): Promise<T> {
    return this.client.get(resource, refOf(resource, name));
  }

  /** The object once it is as wanted. @throws Error with its last state after `timeoutMs` */
  async until<T extends KubeObject>(resource: Resource<T>, name: string, wanted: (object: T) => boolean, timeoutMs = 15_000): Promise<T> {
    let last: T | undefined;
    await waitFor(async () => {
      last = await this.client.find(resource, refOf(resource, name));
      return last !== undefined && wanted(last);
    }, timeoutMs).catch(() => {
      throw new Error(
        `${resource.plural} ${name} did not become as wanted; it is ${JSON.stringify(last, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value), 1)}`,
      );
    });
    return last as T;
  }

  untilReady(name: string): Promise<VolumeSnapshot> {
    return this.until(volumeSnapshots, name, ({ status }) => status?.readyToUse === true);
  }

  async untilGone(resource: Resource, name: string, timeoutMs = 15_000): Promise<void> {
    await waitFor(async () => (await this.client.find(resource, refOf(resource, name))) === undefined, timeoutMs).catch(async () => {
      throw new Error(
        `${resource.plural} ${name} did not go; it is ${JSON.stringify(await this.client.find(resource, refOf(resource, name)), (_k, v: unknown) => (typeof v === 'bigint' ? String(v) : v), 1)}`,
      );
    });
  }
}

function refOf(resource: Resource, name: string): Ref {
  return { name, ...(resource.namespaced ? { namespace: NAMESPACE } : {}) };
}

export async function waitFor(condition: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`not so after ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
