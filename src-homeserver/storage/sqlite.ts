/**
 * `node:sqlite` behind Kysely's SQLite dialect: connection settings, durability, and the lock that
 * keeps a second node out of the same data folder. It knows no table.
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { DatabaseSyncOptions, SQLInputValue, StatementSync } from 'node:sqlite'
import { SqliteAdapter, SqliteDialect } from 'kysely'
import type { Dialect, SqliteDatabase, SqliteStatement } from 'kysely'
import { StorageError } from './storage-error.ts'

/** In the data folder. */
export const DATABASE_FILE = 'node.sqlite'
const STATEMENT_CACHE = 500

/** Throws `StorageError`: `in_use` while another node runs on `folder`. */
export function lockFolder(folder: string): () => void {
  const lock = open(join(folder, 'node.lock'), {})
  try {
    // A file lock of the operating system: it ends with the process, however that ends.
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    const known = translated(error)
    throw known instanceof StorageError && known.code === 'full'
      ? known
      : new StorageError('in_use')
  }
  return () => lock.close()
}

function open(file: string, options: DatabaseSyncOptions): DatabaseSync {
  try {
    return new DatabaseSync(file, options)
  } catch (error) {
    throw translated(error)
  }
}

/** `maxBytes`: of the database, without its log; null: as much as there is. Throws `StorageError`. */
export function sqliteDialect(file: string, maxBytes: number | null = null): Dialect {
  const database = open(file, { timeout: 5000 })
  try {
    database.exec(`
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA foreign_keys = ON;
      PRAGMA trusted_schema = OFF;
      PRAGMA secure_delete = ON;
    `)
    if (maxBytes !== null)
      database.exec(
        `PRAGMA max_page_count = ${Math.max(1, Math.floor(maxBytes / pageBytes(database)))}`,
      )
  } catch (error) {
    database.close()
    throw translated(error)
  }
  return new NodeSqliteDialect({ database: new Adapter(database) })
}

function pageBytes(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA page_size').get()?.['page_size'] ?? 4096)
}

class NodeSqliteDialect extends SqliteDialect {
  override createAdapter(): SqliteAdapter {
    return new TransactionalDdl()
  }
}

class TransactionalDdl extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true
  }
}

class Adapter implements SqliteDatabase {
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, Statement>()

  constructor(database: DatabaseSync) {
    this.#database = database
  }

  prepare(sql: string): SqliteStatement {
    // A deferred transaction that turns into a writer may fail; an immediate one waits its turn.
    const text = sql === 'begin' ? 'begin immediate' : sql
    const known = this.#statements.get(text)
    if (known !== undefined) return known
    if (this.#statements.size >= STATEMENT_CACHE) this.#statements.clear()
    const statement = new Statement(this.#database, text)
    this.#statements.set(text, statement)
    return statement
  }

  close(): void {
    this.#statements.clear()
    this.#database.close()
  }
}

class Statement implements SqliteStatement {
  readonly reader: boolean
  readonly #statement: StatementSync
  readonly #database: DatabaseSync
  readonly #undoes: boolean

  constructor(database: DatabaseSync, text: string) {
    this.#database = database
    this.#statement = database.prepare(text)
    this.#undoes = text === 'rollback'
    this.reader = this.#statement.columns().length > 0
  }

  all(parameters: readonly unknown[]): unknown[] {
    try {
      return this.#statement.all(...parameters.map(input))
    } catch (error) {
      throw translated(error)
    }
  }

  run(parameters: readonly unknown[]): {
    changes: number | bigint
    lastInsertRowid: number | bigint
  } {
    // Where there was no room SQLite has undone the whole transaction by itself.
    if (this.#undoes && !this.#database.isTransaction) return { changes: 0, lastInsertRowid: 0 }
    try {
      return this.#statement.run(...parameters.map(input))
    } catch (error) {
      throw translated(error)
    }
  }

  iterate(parameters: readonly unknown[]): IterableIterator<unknown> {
    return this.#statement.iterate(...parameters.map(input))
  }
}

function input(value: unknown): SQLInputValue {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value
  throw new StorageError('bad_value')
}

/** SQLite's primary codes. */
const FULL = 13
const PASSING: ReadonlyMap<number, string> = new Map([
  [5, 'SQLITE_BUSY'],
  [6, 'SQLITE_LOCKED'],
  [10, 'SQLITE_IOERR'],
  [14, 'SQLITE_CANTOPEN'],
  [15, 'SQLITE_PROTOCOL'],
])
/** Of input and output, where the system says no more: over a quota, or beyond the size a file may have. */
const UNWRITTEN: ReadonlySet<number> = new Set([
  10 | (3 << 8), // WRITE
  10 | (6 << 8), // TRUNCATE
  10 | (19 << 8), // SHMSIZE
])

/** SQLite's own errors as the storage's. */
export function translated(error: unknown): unknown {
  if (!(error instanceof Error) || !('errcode' in error)) return error
  const code = Number(error.errcode)
  if ((code & 0xff) === FULL) return new StorageError('full', 'SQLITE_FULL')
  if (UNWRITTEN.has(code)) return new StorageError('full', 'SQLITE_IOERR')
  const passing = PASSING.get(code & 0xff)
  return passing === undefined ? error : new StorageError('unavailable', passing)
}
