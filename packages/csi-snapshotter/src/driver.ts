// The driver's side of a content: the calls that concern one snapshot, with their deadline.
import { ControllerServiceCapability_RPC_Type as Ability, CsiError, type CsiConnection, type Snapshot } from '@snapshot-stack/csi';
import type { Int64 } from '@snapshot-stack/api-types';
import { systemClock, type Clock } from '@snapshot-stack/runtime';
import type { DriverAbilities } from './content/decide.ts';

/** A snapshot as the driver tells of it. */
export interface DriverSnapshot {
  handle: string;
  /** Nanoseconds since 1970; undefined when the driver gave no time. */
  creationTime: Int64 | undefined;
  /** Undefined when unknown. */
  sizeBytes: Int64 | undefined;
  ready: boolean;
  groupHandle: string | undefined;
}

export interface CreateSnapshotInput {
  name: string;
  volumeHandle: string;
  parameters: Readonly<Record<string, string>>;
  secrets: Readonly<Record<string, string>>;
}

/** All calls throw CsiError. */
export interface Driver {
  readonly name: string;
  readonly abilities: DriverAbilities;
  createSnapshot(input: CreateSnapshotInput, signal: AbortSignal): Promise<DriverSnapshot>;
  deleteSnapshot(handle: string, secrets: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void>;
  getSnapshot(handle: string, secrets: Readonly<Record<string, string>>, signal: AbortSignal): Promise<DriverSnapshot | undefined>;
  findInList(handle: string, secrets: Readonly<Record<string, string>>, signal: AbortSignal): Promise<DriverSnapshot | undefined>;
}

// A listing of one snapshot is one page; a driver that ignores the filter may have more, but not forever.
const PAGES_MAX = 10_000;
const LISTINGS_MAX = 3;
// A driver that is upgraded between two calls goes unnoticed for no longer than this.
const KNOWN_MS = 60_000;

export class UnusableDriverError extends Error {
  override readonly name = 'UnusableDriverError';
}

/**
 * Asks the driver who it is and what it can do.
 * @throws UnusableDriverError when it cannot take snapshots
 */
export async function connectDriver(csi: CsiConnection, timeoutMs: number, signal: AbortSignal, clock: Clock = systemClock): Promise<Driver> {
  const { name, abilities } = await introduce(csi, timeoutMs, signal);
  return new CsiDriver(csi, name, abilities, timeoutMs, clock);
}

async function introduce(csi: CsiConnection, timeoutMs: number, signal: AbortSignal): Promise<{ name: string; abilities: DriverAbilities }> {
  const options = { timeoutMs, signal };
  const { name } = await csi.identity.getPluginInfo({}, options);
  if (name === '') throw new UnusableDriverError('the CSI driver gives no name in GetPluginInfo');
  const { capabilities } = await csi.controller.controllerGetCapabilities({}, options);
  const types = new Set(capabilities.map(({ type }) => type?.value.type));
  if (!types.has(Ability.CREATE_DELETE_SNAPSHOT)) {
    throw new UnusableDriverError(`CSI driver ${name} does not support the capability CREATE_DELETE_SNAPSHOT; this sidecar has nothing to do`);
  }
  return { name, abilities: { getSnapshot: types.has(Ability.GET_SNAPSHOT), listSnapshots: types.has(Ability.LIST_SNAPSHOTS) } };
}

type Controller = CsiConnection['controller'];

class CsiDriver implements Driver {
  readonly name: string;
  readonly #csi: CsiConnection;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  #abilities: DriverAbilities;
  /** When the driver is to be asked again who it is: after a lost connection at once, for it may be a newer one. */
  #knownUntil: number;

  constructor(csi: CsiConnection, name: string, abilities: DriverAbilities, timeoutMs: number, clock: Clock) {
    this.#csi = csi;
    this.name = name;
    this.#abilities = abilities;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
    this.#knownUntil = clock.now() + KNOWN_MS;
  }

  get abilities(): DriverAbilities {
    return this.#abilities;
  }

  /** One call; after a lost connection, and now and then, the driver is first asked again who it is. */
  async #call<T>(signal: AbortSignal, run: (controller: Controller, options: { timeoutMs: number; signal: AbortSignal }) => Promise<T>): Promise<T> {
    try {
      if (this.#clock.now() >= this.#knownUntil) await this.#meetAgain(signal);
      return await run(this.#csi.controller, { timeoutMs: this.#timeoutMs, signal });
    } catch (error) {
      if (CsiError.from(error).code === 'UNAVAILABLE') this.#knownUntil = 0;
      throw error;
    }
  }

  async #meetAgain(signal: AbortSignal): Promise<void> {
    const { name, abilities } = await introduce(this.#csi, this.#timeoutMs, signal);
    // Nothing was asked of the other driver, so that the call may be repeated: UNAVAILABLE says just that.
    if (name !== this.name) throw new CsiError('UNAVAILABLE', `the driver on the socket is ${name} now, and was ${this.name}; restart the sidecar`);
    this.#abilities = abilities;
    this.#knownUntil = this.#clock.now() + KNOWN_MS;
  }

  async createSnapshot({ name, volumeHandle, parameters, secrets }: CreateSnapshotInput, signal: AbortSignal): Promise<DriverSnapshot> {
    const request = { name, sourceVolumeId: volumeHandle, parameters: { ...parameters }, secrets: { ...secrets } };
    const { snapshot } = await this.#call(signal, (controller, options) => controller.createSnapshot(request, options));
    return understood(snapshot, 'CreateSnapshot');
  }

  async deleteSnapshot(handle: string, secrets: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    try {
      await this.#call(signal, (controller, options) => controller.deleteSnapshot({ snapshotId: handle, secrets: { ...secrets } }, options));
    } catch (error) {
      // The specification wants OK for an unknown snapshot; what is not there is deleted either way.
      if (CsiError.from(error).code !== 'NOT_FOUND') throw error;
    }
  }

  async getSnapshot(handle: string, secrets: Readonly<Record<string, string>>, signal: AbortSignal): Promise<DriverSnapshot | undefined> {
    try {
      const { snapshot } = await this.#call(signal, (controller, options) => controller.getSnapshot({ snapshotId: handle, secrets: { ...secrets } }, options));
      return understood(snapshot, 'GetSnapshot');
    } catch (error) {
      if (CsiError.from(error).code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  async findInList(handle: string, secrets: Readonly<Record<string, string>>, signal: AbortSignal): Promise<DriverSnapshot | undefined> {
    for (let listing = 1; ; listing++) {
      try {
        return await this.#listOnce(handle, secrets, signal);
      } catch (error) {
        // ABORTED says that the token is no longer valid: the listing starts anew. Source: CSI spec, ListSnapshots.
        if (CsiError.from(error).code !== 'ABORTED' || listing >= LISTINGS_MAX) throw error;
      }
    }
  }

  async #listOnce(handle: string, secrets: Readonly<Record<string, string>>, signal: AbortSignal): Promise<DriverSnapshot | undefined> {
    let startingToken = '';
    for (let page = 0; page < PAGES_MAX; page++) {
      const request = { snapshotId: handle, startingToken, secrets: { ...secrets } };
      const { entries, nextToken } = await this.#call(signal, (controller, options) => controller.listSnapshots(request, options));
      const entry = entries.find(({ snapshot }) => snapshot?.snapshotId === handle);
      if (entry !== undefined) return understood(entry.snapshot, 'ListSnapshots');
      if (nextToken === '') return undefined;
      startingToken = nextToken;
    }
    throw new CsiError('INTERNAL', `ListSnapshots of snapshot ${handle} did not end after ${PAGES_MAX} pages`);
  }
}

function understood(snapshot: Snapshot | undefined, call: string): DriverSnapshot {
  if (snapshot === undefined || snapshot.snapshotId === '') throw new CsiError('INTERNAL', `the driver answered ${call} without a snapshot id`);
  const { creationTime, sizeBytes } = snapshot;
  return {
    handle: snapshot.snapshotId,
    creationTime: creationTime === undefined ? undefined : int64(creationTime.seconds * 1_000_000_000n + BigInt(creationTime.nanos)),
    sizeBytes: sizeBytes > 0n ? int64(sizeBytes) : undefined,
    ready: snapshot.readyToUse,
    groupHandle: snapshot.groupSnapshotId === '' ? undefined : snapshot.groupSnapshotId,
  };
}

/** A number where that is exact, as parseJson gives, so that answers and cached objects compare. */
function int64(value: bigint): Int64 {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
