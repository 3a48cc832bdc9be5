/**
 * PostgreSQL behind Kysely's dialect: connections, what a server must be to hold this data, and what its
 * errors mean. It knows no table.
 */
import { CompiledQuery, Kysely, PostgresDialect, PostgresQueryCompiler, sql } from 'kysely'
import type { QueryCompiler } from 'kysely'
import type pg from 'pg'
import type { ClientConfig, Pool } from 'pg'
import type { Db, Schema } from './schema.ts'
import { StorageError } from './storage-error.ts'

const OLDEST = 150_000
const CONNECTIONS = 10
const CONNECT_MS = 5000
/** Longer than what the server allows a statement, so that its own word comes first. */
const QUERY_MS = 70_000
const INT8 = 20
const TEXT = 25

type Pg = typeof pg

/** Loaded only where there is a PostgreSQL to speak to. */
export async function loadPg(): Promise<Pg> {
  return (await import('pg')).default
}

export function connectionConfig({ types }: Pg, url: string): ClientConfig {
  const parsers = new Map<number, (text: string) => unknown>([
    [INT8, Number],
    [TEXT, unescaped],
  ])
  return {
    connectionString: url,
    application_name: 'eccp-node',
    connectionTimeoutMillis: CONNECT_MS,
    query_timeout: QUERY_MS,
    keepAlive: true,
    types: {
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        parsers.get(oid) ??
        (types.getTypeParser(oid, format as 'text') as (text: string) => unknown),
    } as NonNullable<ClientConfig['types']>,
  }
}

export interface ServerFacts {
  /** Data that the server calls safe may not be. */
  readonly unsafe: boolean
}

export interface OpenPostgres {
  readonly db: Db
  readonly facts: ServerFacts
}

/** Throws `StorageError` for a server or database that can't hold the data. */
export async function openPostgres(driver: Pg, url: string): Promise<OpenPostgres> {
  const pool = new driver.Pool({ ...connectionConfig(driver, url), max: CONNECTIONS })
  // An idle connection that breaks is replaced; one in use fails its query. Neither ends the process.
  pool.on('error', () => undefined)
  pool.on('connect', (client) => client.on('error', () => undefined))
  const db = new Kysely<Schema>({ dialect: new Dialect(pool) })
  try {
    return { db, facts: await examine(db) }
  } catch (error) {
    await db.destroy()
    throw translated(error)
  }
}

class Dialect extends PostgresDialect {
  constructor(pool: Pool) {
    super({
      pool,
      // A process that stops in the middle of a write must not hold up the others for ever.
      async onCreateConnection(connection) {
        await connection.executeQuery(
          CompiledQuery.raw(
            `select set_config('statement_timeout', '60s', false),
                    set_config('idle_in_transaction_session_timeout', '30s', false),
                    set_config('synchronous_commit',
                      case when current_setting('synchronous_commit') = 'off' then 'on'
                      else current_setting('synchronous_commit') end, false)`,
          ),
        )
      },
    })
  }

  override createQueryCompiler(): QueryCompiler {
    return new Compiler()
  }
}

class Compiler extends PostgresQueryCompiler {
  protected override addParameter(parameter: unknown): void {
    super.addParameter(typeof parameter === 'string' ? escaped(parameter) : parameter)
  }
}

/** PostgreSQL's text has no U+0000, the protocol's has. Order and equality stay what they are. */
export function escaped(text: string): string {
  return text.includes('\0') || text.includes('\x01')
    ? text.replaceAll('\x01', '\x011').replaceAll('\0', '\x010')
    : text
}

export function unescaped(text: string): string {
  return text.includes('\x01') ? text.replaceAll('\x010', '\0').replaceAll('\x011', '\x01') : text
}

async function examine(db: Db): Promise<ServerFacts> {
  const { rows } = await sql<{ version: string; encoding: string; fsync: string }>`
    select current_setting('server_version_num') as version,
           current_setting('server_encoding') as encoding,
           current_setting('fsync') as fsync`.execute(db)
  const [row] = rows
  if (row === undefined || Number(row.version) < OLDEST)
    throw new StorageError('old_database', row?.version)
  if (row.encoding !== 'UTF8') throw new StorageError('bad_encoding', row.encoding)
  return { unsafe: row.fsync === 'off' }
}

const NET_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

const DISK_FULL = '53100'

/** Connection lost, resources short, shutting down or starting up, read-only after a failover, timed out. */
const PASSING = /^(?:08|53|57P|57014|25P03|25006)/

/** What pg itself says where no server has answered. */
const SILENCE =
  /^(?:Connection terminated|timeout exceeded|timeout expired|Query read timeout|Client has encountered|Client was closed|Cannot use a pool)/

/** The database's view of an error; null for one that is not the database's. */
function databaseFailure(error: unknown): StorageError | null {
  if (!(error instanceof Error) || error instanceof StorageError) return null
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (NET_CODES.has(code)) return new StorageError('unavailable', code)
  if ('severity' in error && code === DISK_FULL) return new StorageError('full', code)
  if ('severity' in error)
    return new StorageError(PASSING.test(code) ? 'unavailable' : 'refused', code)
  return SILENCE.test(error.message) ? new StorageError('unavailable', 'connection lost') : null
}

/** Errors of the database as the storage's own: its messages may quote what was stored. */
export function translated(error: unknown): unknown {
  return databaseFailure(error) ?? error
}

/** The database undid the transaction because of others; the same work may succeed now. */
export function isConflict(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && (error.code === '40001' || error.code === '40P01')
  )
}
