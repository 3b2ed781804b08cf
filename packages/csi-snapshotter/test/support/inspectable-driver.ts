// A real CSI server over a unix socket whose backing store a test can look into, slow down and make fail: for what
// the hostpath driver, which is fast and does not fail, cannot be made to do.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ControllerServiceCapability_RPC_Type as Ability,
  CsiError,
  serveCsi,
  type CreateSnapshotRequest,
  type CsiServer,
  type Snapshot,
} from '@snapshot-stack/csi';

export interface StoredSnapshot {
  id: string;
  name: string;
  volume: string;
  /** How many more questions are answered with "not ready". */
  readyAfter: number;
  creationNanos: bigint;
}

export interface InspectableDriverOptions {
  name?: string;
  listSnapshots?: boolean;
  getSnapshot?: boolean;
  createDeleteSnapshot?: boolean;
  /** New snapshots are ready after so many questions. */
  readyAfter?: number;
  /** Entries per page of a listing. */
  pageSize?: number;
}

export class InspectableDriver {
  readonly name: string;
  readonly snapshots = new Map<string, StoredSnapshot>();
  /** Every call that has arrived: method, and the snapshot's name or id. */
  readonly calls: { method: string; about: string; parameters?: Record<string, string>; secrets?: Record<string, string> }[] = [];
  /** Called when a call has arrived and before anything is done; may throw a CsiError or wait. */
  before: (method: string, about: string) => Promise<void> | void = () => {};
  /** Called when the effect is there and before it is answered. */
  after: (method: string, about: string) => Promise<void> | void = () => {};
  options: InspectableDriverOptions;
  #server: CsiServer | undefined;
  #dir = '';
  #serial = 0;
  readonly #creating = new Set<string>();

  constructor(options: InspectableDriverOptions = {}) {
    this.options = options;
    this.name = options.name ?? 'inspectable.csi.example.com';
  }

  get socket(): string {
    return join(this.#dir, 'csi.sock');
  }

  count(method: string): number {
    return this.calls.filter((call) => call.method === method).length;
  }

  async start(): Promise<void> {
    if (this.#dir === '') this.#dir = await mkdtemp(join(tmpdir(), 'inspectable-driver-'));
    const { listSnapshots = true, getSnapshot = false, createDeleteSnapshot = true } = this.options;
    const abilities = [
      ...(createDeleteSnapshot ? [Ability.CREATE_DELETE_SNAPSHOT] : []),
      ...(listSnapshots ? [Ability.LIST_SNAPSHOTS] : []),
      ...(getSnapshot ? [Ability.GET_SNAPSHOT] : []),
    ];
    this.#server = await serveCsi({
      endpoint: `unix://${this.socket}`,
      identity: {
        getPluginInfo: () => Promise.resolve({ name: this.options.name ?? this.name, vendorVersion: '1' }),
        probe: () => Promise.resolve({}),
      },
      controller: {
        controllerGetCapabilities: () => Promise.resolve({ capabilities: abilities.map((type) => ({ type: { $case: 'rpc' as const, value: { type } } })) }),
        createSnapshot: async (request) => this.#create(request),
        deleteSnapshot: async ({ snapshotId, secrets }) => {
          await this.#around('DeleteSnapshot', snapshotId, () => void this.snapshots.delete(snapshotId), { secrets });
          return {};
        },
        getSnapshot: async ({ snapshotId }) => {
          const snapshot = await this.#around('GetSnapshot', snapshotId, () => this.#look(snapshotId));
          if (snapshot === undefined) throw new CsiError('NOT_FOUND', `no snapshot ${snapshotId}`);
          return { snapshot };
        },
        listSnapshots: async ({ snapshotId, startingToken, secrets }) => {
          return this.#around('ListSnapshots', snapshotId, () => this.#list(snapshotId, Number(startingToken || '0')), { secrets });
        },
      },
    });
  }

  /** As after an upgrade: the same snapshots on the same socket, with other abilities. */
  async restart(options: InspectableDriverOptions, meanwhile: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    await this.#server?.close(100);
    await meanwhile();
    this.options = options;
    await this.start();
  }

  async stop(): Promise<void> {
    await this.#server?.close(100);
    await rm(this.#dir, { recursive: true, force: true });
  }

  /** Calls of the same name never overlap: the specification's answer to the second is ABORTED. */
  async #create({ name, sourceVolumeId, parameters, secrets }: CreateSnapshotRequest): Promise<{ snapshot: Snapshot }> {
    if (this.#creating.has(name)) throw new CsiError('ABORTED', `an operation on ${name} is pending`);
    this.#creating.add(name);
    try {
      return { snapshot: await this.#around('CreateSnapshot', name, () => this.#cut(name, sourceVolumeId), { parameters, secrets }) };
    } finally {
      this.#creating.delete(name);
    }
  }

  #cut(name: string, volume: string): Snapshot {
    const known = [...this.snapshots.values()].find((each) => each.name === name);
    if (known !== undefined && known.volume !== volume) throw new CsiError('ALREADY_EXISTS', `${name} is a snapshot of ${known.volume}`);
    const id = known?.id ?? `id-${++this.#serial}`;
    if (known === undefined) {
      this.snapshots.set(id, { id, name, volume, readyAfter: this.options.readyAfter ?? 0, creationNanos: 1_795_412_439_123_456_789n });
      return this.#tell(id);
    }
    return this.#look(id) ?? this.#tell(id);
  }

  #look(id: string): Snapshot | undefined {
    const stored = this.snapshots.get(id);
    if (stored === undefined) return undefined;
    if (stored.readyAfter > 0) stored.readyAfter--;
    return this.#tell(id);
  }

  #tell(id: string): Snapshot {
    const { volume, readyAfter, creationNanos } = this.snapshots.get(id)!;
    const creationTime = { seconds: creationNanos / 1_000_000_000n, nanos: Number(creationNanos % 1_000_000_000n) };
    return { snapshotId: id, sourceVolumeId: volume, sizeBytes: 1n << 30n, creationTime, readyToUse: readyAfter === 0, groupSnapshotId: '' };
  }

  /** As drivers that ignore the filter do: everything, in pages. */
  #list(snapshotId: string, start: number): { entries: { snapshot: Snapshot }[]; nextToken: string } {
    if (this.options.pageSize === undefined) {
      const found = this.#look(snapshotId);
      return { entries: found === undefined ? [] : [{ snapshot: found }], nextToken: '' };
    }
    const ids = [...this.snapshots.keys()].slice(start, start + this.options.pageSize);
    const next = start + this.options.pageSize;
    return { entries: ids.map((id) => ({ snapshot: this.#tell(id) })), nextToken: next < this.snapshots.size ? String(next) : '' };
  }

  async #around<T>(
    method: string,
    about: string,
    run: () => T,
    extra: { parameters?: Record<string, string>; secrets?: Record<string, string> } = {},
  ): Promise<T> {
    this.calls.push({ method, about, ...extra });
    await this.before(method, about);
    const result = run();
    await this.after(method, about);
    return result;
  }
}
