/**
 * `node:sqlite` behind Kysely's SQLite dialect: connection settings, durability, and the lock that
 * keeps a second node out of the same data folder. It knows no table.
 */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { SQLInputValue, StatementSync } from 'node:sqlite'
import { SqliteAdapter, SqliteDialect } from 'kysely'
import type { Dialect, SqliteDatabase, SqliteStatement } from 'kysely'
import { StorageError } from './storage-error.ts'

const STATEMENT_CACHE = 500

/** Throws `StorageError('in_use')` while another node runs on `folder`. */
export function lockFolder(folder: string): () => void {
  const lock = new DatabaseSync(join(folder, 'node.lock'))
  try {
    // A file lock of the operating system: it ends with the process, however that ends.
    lock.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch {
    lock.close()
    throw new StorageError('in_use')
  }
  return () => lock.close()
}

export function sqliteDialect(file: string): Dialect {
  const database = new DatabaseSync(file, { timeout: 5000 })
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    PRAGMA trusted_schema = OFF;
    PRAGMA secure_delete = ON;
  `)
  return new NodeSqliteDialect({ database: new Adapter(database) })
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
    const statement = new Statement(this.#database.prepare(text))
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

  constructor(statement: StatementSync) {
    this.#statement = statement
    this.reader = statement.columns().length > 0
  }

  all(parameters: readonly unknown[]): unknown[] {
    return this.#statement.all(...parameters.map(input))
  }

  run(parameters: readonly unknown[]): {
    changes: number | bigint
    lastInsertRowid: number | bigint
  } {
    return this.#statement.run(...parameters.map(input))
  }

  iterate(parameters: readonly unknown[]): IterableIterator<unknown> {
    return this.#statement.iterate(...parameters.map(input))
  }
}

function input(value: unknown): SQLInputValue {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value
  throw new StorageError('bad_value')
}
