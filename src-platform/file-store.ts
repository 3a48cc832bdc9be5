/**
 * The Store port over one `node:sqlite` file, for programs without a browser: bots, bridges, tests, load
 * generators. Records are sealed like the desktop's vault seals them. There is no rollback detection and
 * one process may hold the file at a time.
 */
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from '../src-shared/client/index.ts'
import type { Random, Store } from '../src-shared/client/index.ts'
import type { Crypto } from '../src-shared/protocol/index.ts'
import { createRecordSealing } from './record-sealing.ts'

export interface FileStoreOptions {
  /** File path, or `:memory:`. */
  readonly path: string
  readonly crypto: Crypto
  readonly random: Random
  /** 32 bytes, kept by the caller. */
  readonly key: Uint8Array
  /** Commit ids to remember for `wasCommitted`. */
  readonly keepCommits?: number
}

export interface FileStore extends Store {
  close(): void
}

/** SQLite's result codes for a disk that is full and a file that is not a database. */
const SQLITE_FULL = 13
const SQLITE_CORRUPT = 11
const SQLITE_NOTADB = 26

function storeError(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  const code =
    error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
      ? error.errcode & 0xff
      : 0
  if (code === SQLITE_FULL) return new StoreError('full')
  if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) return new StoreError('corrupted')
  return new StoreError('lost')
}

function openDatabase(path: string): DatabaseSync {
  const database = new DatabaseSync(path)
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA locking_mode = EXCLUSIVE;
    CREATE TABLE IF NOT EXISTS records (k TEXT PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS commits (n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL);
  `)
  return database
}

export function createFileStore(options: FileStoreOptions): FileStore {
  const keepCommits = options.keepCommits ?? 256
  const sealing = createRecordSealing(options.crypto, options.random, options.key)
  const database = openDatabase(options.path)
  const select = database.prepare('SELECT v FROM records WHERE k = ?')
  const upsert = database.prepare('INSERT OR REPLACE INTO records (k, v) VALUES (?, ?)')
  const remove = database.prepare('DELETE FROM records WHERE k = ?')
  const note = database.prepare('INSERT INTO commits (id) VALUES (?)')
  const prune = database.prepare('DELETE FROM commits WHERE n <= ?')
  const seek = database.prepare('SELECT n FROM commits WHERE id = ?')
  let closed = false

  const guarded = async <T>(work: () => T): Promise<T> => {
    if (closed) throw new StoreError('closed')
    try {
      return work()
    } catch (error) {
      throw storeError(error)
    }
  }

  return {
    read: (keys) =>
      guarded(() =>
        keys.map((key) => {
          const sealed = select.get(sealing.blind(key))?.['v']
          if (!(sealed instanceof Uint8Array)) return null
          const opened = sealing.open(key, sealed)
          if (opened === null) throw new StoreError('corrupted')
          return opened.value
        }),
      ),
    commit: (batch) =>
      guarded(() => {
        const id = sealing.blindCommit(batch.id)
        if (seek.get(id) !== undefined) return
        const puts = batch.puts.map(
          (put) => [sealing.blind(put), sealing.seal(put, put.value)] as const,
        )
        database.exec('BEGIN IMMEDIATE')
        try {
          for (const key of batch.deletes) remove.run(sealing.blind(key))
          for (const [k, v] of puts) upsert.run(k, v)
          const { lastInsertRowid } = note.run(id)
          prune.run(Number(lastInsertRowid) - keepCommits)
          database.exec('COMMIT')
        } catch (error) {
          if (database.isTransaction) database.exec('ROLLBACK')
          throw error
        }
      }),
    wasCommitted: (id) => guarded(() => seek.get(sealing.blindCommit(id)) !== undefined),
    close() {
      if (closed) return
      closed = true
      database.close()
    },
  }
}
