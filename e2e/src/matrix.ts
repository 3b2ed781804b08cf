// Runs the cells of the matrix against a cluster: restores, looks at what came out, and knows what must be refused.
import {
  Annotation,
  persistentVolumeClaims,
  pods,
  volumeSnapshotContents,
  volumeSnapshots,
  type TypedObjectReference,
  type VolumeMode,
} from '@snapshot-stack/api-types';
import { allCells, impossible, nameOf, type Cell, type CellOutcome } from './cell.ts';
import type { Cluster } from './cluster.ts';
import { CONTENT, FILE, Fixtures, NAMESPACE, SOURCE_MIB, claimObject, podObject, storageClassName, type Backend, type SnapshotKey } from './fixtures.ts';
import { eventAbout, until } from './wait.ts';

const LARGER_MIB = SOURCE_MIB * 2;
const SMALLER_MIB = SOURCE_MIB / 2;
const MIB = 2 ** 20;

export interface MatrixOptions {
  cluster: Cluster;
  /** Cells that run at once. */
  concurrency: number;
  filter: (cell: Cell) => boolean;
  /** Told of each outcome as it comes. */
  onOutcome?: (outcome: CellOutcome) => void;
  /** Where what is known of a failed cell is collected. */
  failureDir?: (cell: string) => string;
}

const other = (mode: VolumeMode): VolumeMode => (mode === 'Block' ? 'Filesystem' : 'Block');

function backendFor(mode: VolumeMode, convertible: boolean): Backend {
  if (mode === 'Block') return 'block';
  return convertible ? 'image' : 'directory';
}

class CellRun {
  readonly #cluster: Cluster;
  readonly #fixtures: Fixtures;
  readonly #cell: Cell;
  readonly #name: string;
  readonly #converts: boolean;
  readonly #mode: VolumeMode;

  constructor(cluster: Cluster, fixtures: Fixtures, cell: Cell, index: number) {
    this.#cluster = cluster;
    this.#fixtures = fixtures;
    this.#cell = cell;
    this.#name = `cell-${index}`;
    this.#converts = cell.conversion !== 'mode kept';
    this.#mode = this.#converts ? other(cell.mode) : cell.mode;
  }

  async run(): Promise<string> {
    const source = await this.#source();
    if (typeof source === 'string') return source;
    try {
      return await this.#restore(source);
    } finally {
      await this.#cleanUp();
    }
  }

  /** What to restore from; a sentence when the snapshot itself had to be refused, and was. */
  async #source(): Promise<TypedObjectReference | string> {
    const cell = this.#cell;
    const backend = backendFor(cell.mode, this.#converts);
    if (cell.source === 'clone') {
      const name = await this.#fixtures.sourceClaim(cell.mode, backend, this.#converts);
      return { kind: 'PersistentVolumeClaim', name };
    }
    const key: SnapshotKey = {
      provisioning: cell.provisioning,
      policy: cell.policy,
      snapshotClass: cell.snapshotClass,
      mode: cell.mode,
      backend,
      convertible: this.#converts,
    };
    const name = await this.#fixtures.snapshot(key);
    const ref = { name, namespace: NAMESPACE };
    const { client } = this.#cluster;
    if (cell.snapshotClass === 'no class' && cell.provisioning === 'dynamic') {
      const refused = await until(client, volumeSnapshots, ref, 'refused', (object) => /default/.test(object?.status?.error?.message ?? ''));
      return `refused as it must be: ${refused?.status?.error?.message ?? ''}`;
    }
    const ready = await until(client, volumeSnapshots, ref, 'ready', (object) => object?.status?.readyToUse === true);
    const contentName = ready?.status?.boundVolumeSnapshotContentName ?? '';
    await this.#checkContent(contentName);
    if (cell.conversion === 'converted with leave')
      return { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name: await this.#allowed(key, contentName) };
    return { apiGroup: 'snapshot.storage.k8s.io', kind: 'VolumeSnapshot', name };
  }

  async #checkContent(name: string): Promise<void> {
    const content = await this.#cluster.client.get(volumeSnapshotContents, { name });
    if (content.spec.deletionPolicy !== this.#cell.policy) throw new Error(`content ${name} has policy ${content.spec.deletionPolicy}`);
    if (content.spec.sourceVolumeMode !== this.#cell.mode) throw new Error(`content ${name} says sourceVolumeMode ${String(content.spec.sourceVolumeMode)}`);
  }

  /** A snapshot of the same kind whose content carries leave to convert it; cells without leave use one that does not. */
  async #allowed(key: SnapshotKey, contentName: string): Promise<string> {
    const { client } = this.#cluster;
    const content = await client.get(volumeSnapshotContents, { name: contentName });
    const name = `${content.spec.volumeSnapshotRef.name ?? ''}-leave`;
    await this.#fixtures.apply(volumeSnapshotContents, {
      metadata: { name, annotations: { [Annotation.allowVolumeModeChange]: 'true' } },
      spec: {
        deletionPolicy: 'Retain',
        driver: this.#cluster.driver,
        source: { snapshotHandle: content.status?.snapshotHandle ?? '' },
        sourceVolumeMode: key.mode,
        volumeSnapshotRef: { name, namespace: NAMESPACE },
      },
    });
    await this.#fixtures.apply(volumeSnapshots, { metadata: { name, namespace: NAMESPACE }, spec: { source: { volumeSnapshotContentName: name } } });
    await until(client, volumeSnapshots, { name, namespace: NAMESPACE }, 'ready', (object) => object?.status?.readyToUse === true);
    return name;
  }

  async #restore(dataSource: TypedObjectReference): Promise<string> {
    const { size, binding, conversion } = this.#cell;
    const mib = size === 'larger' ? LARGER_MIB : size === 'too small' ? SMALLER_MIB : SOURCE_MIB;
    const className = storageClassName(backendFor(this.#mode, this.#converts), binding);
    const ref = { name: this.#name, namespace: NAMESPACE };
    await this.#fixtures.apply(persistentVolumeClaims, claimObject(this.#name, this.#mode, className, mib, dataSource));
    await this.#fixtures.apply(pods, podObject(this.#name, this.#name, this.#mode));
    if (size === 'too small' || conversion === 'converted without') {
      const expected =
        conversion === 'converted without' && size === 'too small'
          ? /at least|allow-volume-mode-change/
          : size === 'too small'
            ? /needs at least/
            : /allow-volume-mode-change/;
      const said = await eventAbout(this.#cluster.client, ref, expected);
      return `refused as it must be: ${said}`;
    }
    const volume = await this.#cluster.mounted(ref, this.#name, this.#mode);
    await this.#compare(volume, mib);
    return 'what came out is what went in';
  }

  async #compare(volume: { read(name: string, length: number): Promise<Buffer> }, mib: number): Promise<void> {
    const { client } = this.#cluster;
    const claim = await client.get(persistentVolumeClaims, { name: this.#name, namespace: NAMESPACE });
    const capacity = claim.status?.capacity?.['storage'];
    if (capacity !== `${mib}Mi`) throw new Error(`the claim's capacity is ${String(capacity)}, not ${mib}Mi`);
    if (this.#converts && this.#mode === 'Block') {
      // The device holds the file system's bytes, and somewhere in them the file's.
      const bytes = await volume.read(FILE, SOURCE_MIB * MIB);
      if (!bytes.includes(CONTENT)) throw new Error('the device does not hold the bytes of the file');
      return;
    }
    const bytes = await volume.read(FILE, CONTENT.length);
    if (!bytes.equals(CONTENT)) throw new Error(`${bytes.length} bytes came out, and they are not the ${CONTENT.length} that went in`);
  }

  async #cleanUp(): Promise<void> {
    const { client } = this.#cluster;
    const ref = { name: this.#name, namespace: NAMESPACE };
    await client.delete(pods, ref, { gracePeriodSeconds: 0 }).catch(() => {});
    await client.delete(persistentVolumeClaims, ref).catch(() => {});
  }
}

/** Default classes are the cluster's, not a cell's: cells that agree on one run together. */
function phases(cells: readonly Cell[]): { policy: Cell['policy'] | undefined; cells: Cell[] }[] {
  return [
    {
      policy: 'Delete' as const,
      cells: cells.filter((cell) => cell.snapshotClass === 'named class' || (cell.snapshotClass === 'default class' && cell.policy === 'Delete')),
    },
    { policy: 'Retain' as const, cells: cells.filter((cell) => cell.snapshotClass === 'default class' && cell.policy === 'Retain') },
    { policy: undefined, cells: cells.filter((cell) => cell.snapshotClass === 'no class') },
  ];
}

export async function runMatrix(options: MatrixOptions): Promise<CellOutcome[]> {
  const { cluster, concurrency, filter, onOutcome = () => {} } = options;
  const fixtures = new Fixtures(cluster);
  await fixtures.classes();
  const outcomes = new Map<string, CellOutcome>();
  const record = (outcome: CellOutcome): void => {
    outcomes.set(outcome.name, outcome);
    onOutcome(outcome);
  };
  const cells = allCells().filter(filter);
  for (const cell of cells) {
    const reason = impossible(cell);
    if (reason !== undefined) record({ name: nameOf(cell), result: 'impossible', ms: 0, detail: reason });
  }
  let index = 0;
  for (const phase of phases(cells.filter((cell) => impossible(cell) === undefined))) {
    if (phase.cells.length === 0) continue;
    await fixtures.setDefaultClass(phase.policy);
    const queue = [...phase.cells];
    const work = async (): Promise<void> => {
      for (let cell = queue.shift(); cell !== undefined; cell = queue.shift()) {
        const start = performance.now();
        const name = nameOf(cell);
        const took = (): number => Math.round(performance.now() - start);
        try {
          const detail = await new CellRun(cluster, fixtures, cell, index++).run();
          record({ name, result: 'passed', ms: took(), detail });
        } catch (error) {
          const dir = options.failureDir?.(name);
          if (dir !== undefined) await cluster.collect(dir);
          record({ name, result: 'failed', ms: took(), detail: (error as Error).message });
        }
      }
    };
    await Promise.all(Array.from({ length: concurrency }, work));
  }
  return cells.map((cell) => outcomes.get(nameOf(cell)) as CellOutcome);
}
