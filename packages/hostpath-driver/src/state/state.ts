// What the driver knows, durably, in one SQLite file: volumes, snapshots, groups, and what is staged and
// published. Every change is one transaction, and on disk before it is answered (`durable`). An object is
// first written as an intent (`creating`), then its files are made, then it becomes `ready`: whatever dies in
// between, the next start sees what was going on.
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readdirSync, statSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

export type Phase = 'creating' | 'ready' | 'deleting';
export type AccessType = 'mount' | 'block';
/** Where the data is: a folder, an image served as a device, or an image with a file system in it. */
export type Backend = 'directory' | 'block' | 'image';

export interface VolumeRow {
  id: string;
  name: string;
  phase: Phase;
  access: AccessType;
  backend: Backend;
  sizeBytes: bigint;
  /** `snapshot:<id>`, `volume:<id>` or ''. */
  source: string;
  /** JSON of the class parameters, as given at creation. */
  parameters: string;
  kind: string;
  fsType: string;
  ephemeral: 0n | 1n;
  attachedReadonly: bigint;
  attached: bigint;
}

export interface SnapshotRow {
  id: string;
  name: string;
  phase: Phase;
  volumeId: string;
  access: AccessType;
  backend: Backend;
  fsType: string;
  sizeBytes: bigint;
  /** Unix time in nanoseconds. */
  createdNs: bigint;
  /** '' outside a group. */
  groupId: string;
}

export interface GroupRow {
  id: string;
  name: string;
  phase: Phase;
  /** JSON array of volume ids, in the order asked for. */
  volumeIds: string;
  createdNs: bigint;
}

export interface PublicationRow {
  volumeId: string;
  path: string;
  kind: 'staged' | 'published';
  /** JSON of what may not differ when the call is repeated. */
  args: string;
}

const SCHEMA = `
CREATE TABLE IF NOT EXISTS volumes (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, phase TEXT NOT NULL, access TEXT NOT NULL, backend TEXT NOT NULL,
  sizeBytes INTEGER NOT NULL, source TEXT NOT NULL, parameters TEXT NOT NULL, kind TEXT NOT NULL, fsType TEXT NOT NULL,
  ephemeral INTEGER NOT NULL, attachedReadonly INTEGER NOT NULL DEFAULT 0, attached INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX IF NOT EXISTS volumes_attached ON volumes (attached) WHERE attached = 1;
CREATE TABLE IF NOT EXISTS usage (kind TEXT PRIMARY KEY, bytes INTEGER NOT NULL) STRICT;
CREATE TRIGGER IF NOT EXISTS volume_added AFTER INSERT ON volumes BEGIN
  INSERT INTO usage VALUES (new.kind, new.sizeBytes) ON CONFLICT (kind) DO UPDATE SET bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER IF NOT EXISTS volume_grown AFTER UPDATE OF sizeBytes ON volumes BEGIN
  UPDATE usage SET bytes = bytes + new.sizeBytes - old.sizeBytes WHERE kind = new.kind;
END;
CREATE TRIGGER IF NOT EXISTS volume_removed AFTER DELETE ON volumes BEGIN
  UPDATE usage SET bytes = bytes - old.sizeBytes WHERE kind = old.kind;
END;
CREATE TABLE IF NOT EXISTS snapshots (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, phase TEXT NOT NULL, volumeId TEXT NOT NULL, access TEXT NOT NULL,
  backend TEXT NOT NULL, fsType TEXT NOT NULL, sizeBytes INTEGER NOT NULL, createdNs INTEGER NOT NULL, groupId TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS snapshots_by_volume ON snapshots (volumeId, id);
CREATE INDEX IF NOT EXISTS snapshots_by_group ON snapshots (groupId) WHERE groupId <> '';
CREATE TABLE IF NOT EXISTS groups (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, phase TEXT NOT NULL, volumeIds TEXT NOT NULL, createdNs INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS publications (volumeId TEXT NOT NULL, path TEXT NOT NULL, kind TEXT NOT NULL, args TEXT NOT NULL, PRIMARY KEY (volumeId, path)) STRICT;
`;

type Row = Record<string, SQLInputValue>;

export class StateError extends Error {
  override readonly name = 'StateError';
}

export class State {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #path: string;
  #changes = 0;
  #durableChanges = 0;
  #syncing: Promise<void> | undefined;
  #log: FileHandle | undefined;

  /** @throws StateError when another process uses the folder, or the file is damaged */
  constructor(dir: string) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    const path = join(dir, 'state.db');
    const fresh = !existsSync(path) || statSync(path).size === 0;
    const data = fresh ? dataIn(dir) : undefined;
    if (data !== undefined)
      throw new StateError(
        `the state file ${path} is missing or empty, but ${data} holds data. Nothing was changed. Restore the file from a copy, or move the data folder away to start empty: without the file nobody knows whose data that is`,
      );
    this.#path = path;
    this.#database = new DatabaseSync(path);
    try {
      // The lock is held for the life of the process and freed by the kernel however that ends.
      this.#database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;');
      if (!fresh) {
        const [check] = this.#database.prepare('PRAGMA quick_check(1)').all() as { quick_check: string }[];
        if (check?.quick_check !== 'ok') throw new Error(check?.quick_check ?? 'no answer from the check');
      }
      this.#database.exec(`BEGIN EXCLUSIVE; ${SCHEMA} COMMIT;`);
      syncFolder(dir); // that the log is there must not be lost either
    } catch (error) {
      this.#database.close();
      throw explain(path, error as Error);
    }
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      statement.setReadBigInts(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #one<R>(sql: string, ...values: SQLInputValue[]): R | undefined {
    return this.#prepare(sql).get(...values) as R | undefined;
  }

  #all<R>(sql: string, ...values: SQLInputValue[]): R[] {
    return this.#prepare(sql).all(...values) as R[];
  }

  #write(sql: string, ...values: SQLInputValue[]): void {
    this.#prepare(sql).run(...values);
    this.#changes++;
  }

  /**
   * Resolves when all changes so far are on disk. A commit itself does not wait for the disk: while a copy keeps that
   * busy, the wait would hold up every other call. Changes made at the same time share one wait.
   */
  async durable(): Promise<void> {
    const wanted = this.#changes;
    while (this.#durableChanges < wanted) {
      this.#syncing ??= this.#sync().finally(() => (this.#syncing = undefined));
      await this.#syncing;
    }
  }

  async #sync(): Promise<void> {
    const upTo = this.#changes;
    // SQLite's locks are on state.db: another descriptor of the log beside it does not disturb them.
    this.#log ??= await open(`${this.#path}-wal`, 'r');
    await this.#log.datasync();
    this.#durableChanges = upTo;
  }

  #insert(table: string, row: object): void {
    const columns = Object.keys(row);
    this.#write(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`, ...Object.values(row as Row));
  }

  /** Runs `change` in one transaction: all of it happens, or none. */
  atomically(change: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      change();
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  volume(id: string): VolumeRow | undefined {
    return this.#one('SELECT * FROM volumes WHERE id = ?', id);
  }

  volumeByName(name: string): VolumeRow | undefined {
    return this.#one('SELECT * FROM volumes WHERE name = ?', name);
  }

  /** Ready volumes after the given id, in the order of their ids. */
  volumesAfter(id: string, limit: number): VolumeRow[] {
    return this.#all("SELECT * FROM volumes WHERE id > ? AND phase = 'ready' ORDER BY id LIMIT ?", id, limit);
  }

  /** Volumes whose data is an image that is staged or published somewhere. */
  imagesInUse(): VolumeRow[] {
    return this.#all("SELECT * FROM volumes WHERE backend <> 'directory' AND id IN (SELECT volumeId FROM publications)");
  }

  volumesIn(phase: Phase): VolumeRow[] {
    return this.#all('SELECT * FROM volumes WHERE phase = ?', phase);
  }

  addVolume(row: Omit<VolumeRow, 'attached' | 'attachedReadonly'>): void {
    this.#insert('volumes', row);
  }

  setVolume(id: string, change: Partial<VolumeRow>): void {
    this.#update('volumes', id, change);
  }

  removeVolume(id: string): void {
    this.#write('DELETE FROM volumes WHERE id = ?', id);
  }

  /** Bytes promised to all volumes of a kind; counted as they come and go, so asking costs the same however many there are. */
  usedBytes(kind: string): bigint {
    return this.#one<{ used: bigint }>('SELECT bytes AS used FROM usage WHERE kind = ?', kind)?.used ?? 0n;
  }

  attachedCount(): bigint {
    return this.#one<{ n: bigint }>('SELECT COUNT(*) AS n FROM volumes WHERE attached = 1')?.n ?? 0n;
  }

  snapshot(id: string): SnapshotRow | undefined {
    return this.#one('SELECT * FROM snapshots WHERE id = ?', id);
  }

  snapshotByName(name: string): SnapshotRow | undefined {
    return this.#one('SELECT * FROM snapshots WHERE name = ?', name);
  }

  /** Ready snapshots after the given id, of one volume or (with '') of all. */
  snapshotsAfter(id: string, limit: number, volumeId: string): SnapshotRow[] {
    if (volumeId === '') return this.#all("SELECT * FROM snapshots WHERE id > ? AND phase = 'ready' ORDER BY id LIMIT ?", id, limit);
    return this.#all("SELECT * FROM snapshots WHERE volumeId = ? AND id > ? AND phase = 'ready' ORDER BY id LIMIT ?", volumeId, id, limit);
  }

  snapshotsIn(phase: Phase): SnapshotRow[] {
    return this.#all('SELECT * FROM snapshots WHERE phase = ?', phase);
  }

  snapshotsOfGroup(groupId: string): SnapshotRow[] {
    return this.#all('SELECT * FROM snapshots WHERE groupId = ?', groupId);
  }

  addSnapshot(row: SnapshotRow): void {
    this.#insert('snapshots', row);
  }

  setSnapshot(id: string, change: Partial<SnapshotRow>): void {
    this.#update('snapshots', id, change);
  }

  removeSnapshot(id: string): void {
    this.#write('DELETE FROM snapshots WHERE id = ?', id);
  }

  group(id: string): GroupRow | undefined {
    return this.#one('SELECT * FROM groups WHERE id = ?', id);
  }

  groupByName(name: string): GroupRow | undefined {
    return this.#one('SELECT * FROM groups WHERE name = ?', name);
  }

  groupsNot(phase: Phase): GroupRow[] {
    return this.#all('SELECT * FROM groups WHERE phase <> ?', phase);
  }

  addGroup(row: GroupRow): void {
    this.#insert('groups', row);
  }

  setGroup(id: string, change: Partial<GroupRow>): void {
    this.#update('groups', id, change);
  }

  removeGroup(id: string): void {
    this.#write('DELETE FROM groups WHERE id = ?', id);
  }

  publications(volumeId: string): PublicationRow[] {
    return this.#all('SELECT * FROM publications WHERE volumeId = ?', volumeId);
  }

  addPublication(row: PublicationRow): void {
    this.#write('INSERT OR REPLACE INTO publications (volumeId, path, kind, args) VALUES (?, ?, ?, ?)', row.volumeId, row.path, row.kind, row.args);
  }

  removePublication(volumeId: string, path: string): void {
    this.#write('DELETE FROM publications WHERE volumeId = ? AND path = ?', volumeId, path);
  }

  /** Ids of everything, for finding files that nobody owns. */
  allIds(): Set<string> {
    const rows = this.#all<{ id: string }>('SELECT id FROM volumes UNION ALL SELECT id FROM snapshots');
    return new Set(rows.map(({ id }) => id));
  }

  #update(table: string, id: string, change: object): void {
    const columns = Object.keys(change);
    this.#write(`UPDATE ${table} SET ${columns.map((column) => `${column} = ?`).join(', ')} WHERE id = ?`, ...Object.values(change as Row), id);
  }

  /** Everything is on disk afterwards. */
  close(): void {
    void this.#log?.close();
    this.#database.close();
  }
}

function syncFolder(dir: string): void {
  const folder = openSync(dir, 'r');
  fsyncSync(folder);
  closeSync(folder);
}

/** The first of our data folders that is not empty. */
function dataIn(dir: string): string | undefined {
  return ['volumes', 'snapshots'].map((name) => join(dir, name)).find((folder) => existsSync(folder) && readdirSync(folder).length > 0);
}

function explain(path: string, error: Error): StateError {
  if (/locked|busy/i.test(error.message))
    return new StateError(`another process uses ${path}; stop it first: two drivers on one data folder would destroy each other's work`, { cause: error });
  return new StateError(
    `the state file ${path} cannot be used (${error.message}). Nothing was changed. Restore it from a copy, or move the data folder away to start empty: without it the volumes beside it belong to nobody`,
    { cause: error },
  );
}
