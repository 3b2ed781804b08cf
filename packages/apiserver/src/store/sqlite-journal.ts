// Durability for the store, in one SQLite file: what was answered survives kill -9. Writes that come in the
// same turn of the event loop share one transaction, and so one fsync.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { parseJson, type KubeObject } from '@snapshot-stack/api-types';
import type { Change, Journal, Store } from './store.ts';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS objects (
  resource TEXT NOT NULL, key TEXT NOT NULL, revision INTEGER NOT NULL, json TEXT NOT NULL,
  PRIMARY KEY (resource, key)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL);
`;

interface Pending {
  resource: string;
  change: Change;
  resolve: () => void;
  reject: (error: Error) => void;
}

class SqliteJournal implements Journal {
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #delete: StatementSync;
  readonly #count: StatementSync;
  #pending: Pending[] = [];

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#put = database.prepare('INSERT INTO objects VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET revision = excluded.revision, json = excluded.json');
    this.#delete = database.prepare('DELETE FROM objects WHERE resource = ? AND key = ?');
    this.#count = database.prepare('INSERT INTO counter VALUES (1, ?) ON CONFLICT DO UPDATE SET revision = excluded.revision');
  }

  write(resource: string, change: Change): Promise<void> {
    if (this.#pending.length === 0) setImmediate(() => this.#commit());
    return new Promise((resolve, reject) => this.#pending.push({ resource, change, resolve, reject }));
  }

  #commit(): void {
    const batch = this.#pending;
    this.#pending = [];
    try {
      this.#database.exec('BEGIN');
      for (const { resource, change } of batch) {
        if (change.kind === 'put') this.#put.run(resource, change.entry.key, change.revision, change.entry.json);
        else this.#delete.run(resource, change.entry.key);
      }
      this.#count.run(batch.at(-1)?.change.revision ?? 0);
      this.#database.exec('COMMIT');
      for (const { resolve } of batch) resolve();
    } catch (error) {
      // A full disk, for example. Memory is ahead of the disk now, so nothing more may be answered from it.
      for (const { reject } of batch) reject(error as Error);
      throw error;
    }
  }

  close(): void {
    if (this.#pending.length > 0) this.#commit();
    this.#database.close();
  }
}

/**
 * Fills the store from `dir` (which is made if need be) and keeps it there from now on.
 * @throws Error naming the file when it cannot be opened or is no database
 */
export function makeDurable(store: Store, dir: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const path = join(dir, 'store.db');
  try {
    const database = new DatabaseSync(path);
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
    database.exec(SCHEMA);
    const counter = database.prepare('SELECT revision FROM counter').get() as { revision: number } | undefined;
    const rows = database.prepare('SELECT resource, key, revision, json FROM objects').all() as {
      resource: string;
      key: string;
      revision: number;
      json: string;
    }[];
    const objects = rows.map(({ resource, key, revision, json }) => ({ resource, key, revision, object: parseJson(json) as KubeObject }));
    store.restore(counter?.revision ?? 0, objects, new SqliteJournal(database));
  } catch (error) {
    throw new Error(`the data folder's ${path} cannot be used: ${(error as Error).message}; move it away to start empty, or restore it from a copy`, {
      cause: error,
    });
  }
}
