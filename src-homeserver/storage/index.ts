/**
 * The storage: everything the node keeps, behind transactions over small repositories. `node:sqlite`, or a
 * PostgreSQL that several processes of one node share; nothing above this folder knows which.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { Kysely, sql } from 'kysely'
import { Accounts } from './accounts.ts'
import { Counters } from './counters.ts'
import type { Counted } from './counters.ts'
import { Devices } from './devices.ts'
import { Facts } from './facts.ts'
import { Federation } from './federation.ts'
import { Events } from './events.ts'
import { GroupCommit } from './group-commit.ts'
import type { BatchFrame } from './group-commit.ts'
import { Manifests } from './manifests.ts'
import { migrate, SCHEMA_VERSION } from './migrations.ts'
import { createOnceInDatabase, createOnceInMemory } from './once-names.ts'
import type { OnceNames, OnceOutcome } from './once-names.ts'
import { markIfElsewhere } from './place.ts'
import { isConflict, loadPg, openPostgres, translated } from './postgres.ts'
import { Prekeys } from './prekeys.ts'
import { Receipts } from './receipts.ts'
import { Rooms } from './rooms.ts'
import type { Db, Schema } from './schema.ts'
import { DATABASE_FILE, lockFolder, sqliteDialect } from './sqlite.ts'
import { payloads, Standing, WRITER_LOCK } from './standing.ts'
import type { News } from './standing.ts'
import { StorageError } from './storage-error.ts'
import { Streams } from './streams.ts'
import { ToDevice } from './to-device.ts'
import { Txns } from './txns.ts'
import { WindowRooms } from './window-rooms.ts'
import { Wraps } from './wraps.ts'

export { copyDatabase } from './copy.ts'
export { lockFolder } from './sqlite.ts'
export { endsTransaction, StorageError } from './storage-error.ts'
export type { Account } from './accounts.ts'
export type { Device, PairingStep } from './devices.ts'
export type { EventRow, NewEventRow, Span } from './events.ts'
export type { OutboxRow, RemoteInvite } from './federation.ts'
export type { StateChange } from './rooms.ts'
export type { Audience, StreamItem } from './streams.ts'
export type { ToDeviceRow } from './to-device.ts'
export type { WindowRoom } from './window-rooms.ts'

/** How often it is tried whether there is room again. */
const LOOK_MS = 2000
const PROBE_BYTES = 96 * 1024

/** The repositories as one transaction sees them. Never kept beyond it. */
export interface Tx {
  readonly accounts: Accounts
  readonly devices: Devices
  readonly manifests: Manifests
  readonly prekeys: Prekeys
  readonly rooms: Rooms
  readonly events: Events
  readonly wraps: Wraps
  readonly toDevice: ToDevice
  readonly receipts: Receipts
  readonly txns: Txns
  readonly streams: Streams
  readonly federation: Federation
  readonly windowRooms: WindowRooms
  readonly facts: Facts
  readonly counters: Counters
}

export interface Storage {
  /**
   * Names this data; part of every position token, so that another node's tokens, or those of data that was set
   * back, are known as such.
   */
  readonly id: string
  /** Several processes may work on the data: what one has in memory is not all that counts. */
  readonly shared: boolean
  /** Names this process among those that work on the data. */
  readonly process: string
  /** One consistent view. */
  read<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /**
   * Atomic, one at a time, durable when it resolves; a throw undoes everything. Waits only for the
   * database: anything slower inside would hold up everyone. `work` may be done again where others were in
   * its way, and leaves nothing behind but what it does to `tx`.
   */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /** Uses a name up until its time is over, whichever process is asked; durable when it resolves. */
  takeName(name: string, until: number, now: number): Promise<OnceOutcome>
  /** Counts for all processes together, outside of the order of writes. */
  count(name: string, windowMs: number, now: number): Promise<Counted>
  /** False, and nothing done, while something else, in any process, is at what `name` stands for. */
  alone(name: string, work: () => Promise<void>): Promise<boolean>
  /** Says something short to the other processes, if they can be reached now. */
  whisper(text: string): void
  /** How often a write was undone: what was remembered of one of them may never have been. */
  undone(): number
  /** Takes over the name that the data has by now. */
  reread(): Promise<void>
  close(): Promise<void>
}

export interface StorageOptions {
  readonly folder: string
  readonly serverName: string
  /** Of a PostgreSQL database; null: SQLite in the folder. */
  readonly database?: string | null
  /** Called with the accounts that have news, after the news is durable; null: perhaps any. */
  readonly onNews?: (members: ReadonlySet<string> | null) => void
  /** Called with the servers for which something waits, after it is durable; null: perhaps any. */
  readonly onOutbound?: (servers: ReadonlySet<string> | null) => void
  /** Another process has changed the signing key. */
  readonly onKeys?: () => void
  /** What another process has whispered. */
  readonly onWhisper?: (text: string) => void
  /** The database has gone (with the code that says how), or is there again. */
  readonly onState?: (state: 'up' | StorageError) => void
  /** The server is set up so that what it calls durable is not. */
  readonly onUnsafe?: () => void
  /** There is no room for more, or there is again. */
  readonly onRoom?: (room: boolean) => void
  /** Of the SQLite database; null: as much as there is. */
  readonly maxBytes?: number | null
  /** A tool beside a running node: without the lock on the folder. */
  readonly shared?: boolean
}

/** Throws `StorageError`. */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 })
  return options.database === undefined || options.database === null
    ? openOnSqlite(options)
    : openOnPostgres(options, options.database)
}

async function openOnSqlite(options: StorageOptions): Promise<Storage> {
  const unlock = options.shared === true ? () => undefined : lockFolder(options.folder)
  try {
    const db = new Kysely<Schema>({
      dialect: sqliteDialect(join(options.folder, DATABASE_FILE), options.maxBytes),
    })
    try {
      await migrate(db)
      const id = await identify(db, options.serverName)
      const storage = new SqlStorage({ db, id, unlock, options, standing: null })
      await storage.reread()
      return storage
    } catch (error) {
      await db.destroy()
      throw error
    }
  } catch (error) {
    unlock()
    throw error
  }
}

async function openOnPostgres(options: StorageOptions, url: string): Promise<Storage> {
  const { db, facts } = await openPostgres(await loadPg(), url)
  let standing: Standing | null = null
  let storage: SqlStorage | null = null
  try {
    await migrate(db)
    const id = await identify(db, options.serverName)
    await markIfElsewhere(db)
    standing = new Standing({
      url,
      channel: channelOf(id),
      schemaVersion: SCHEMA_VERSION,
      onNews: (news) => tell(options, news),
      onWhisper: (text) => options.onWhisper?.(text),
      onGap: () => tellAll(options),
      onState(state) {
        if (state !== 'up' && state.code === 'newer_schema') storage?.refuse(state)
        options.onState?.(state)
      },
    })
    await standing.open()
    if (facts.unsafe) options.onUnsafe?.()
    storage = new SqlStorage({ db, id, unlock: () => undefined, options, standing })
    await storage.reread()
    return storage
  } catch (error) {
    await standing?.close()
    await db.destroy()
    throw translated(error)
  }
}

interface Parts {
  readonly db: Db
  readonly id: string
  readonly unlock: () => void
  readonly options: StorageOptions
  /** Null: this process is the only one. */
  readonly standing: Standing | null
}

class SqlStorage implements Storage {
  #id: string
  readonly shared: boolean
  readonly process: string
  readonly #parts: Parts
  readonly #writes: GroupCommit
  readonly #names: OnceNames
  readonly #alone = new Set<string>()
  #refused: StorageError | null = null
  /** Runs while there is no room. */
  #looking: NodeJS.Timeout | null = null

  constructor(parts: Parts) {
    const { db, id, standing } = parts
    this.#parts = parts
    this.#id = id
    this.shared = standing !== null
    this.process = standing?.sender ?? ''
    this.#writes = new GroupCommit(db, standing === null ? onlyProcess : oneOfSeveral(id, standing))
    this.#names = standing === null ? createOnceInMemory() : createOnceInDatabase(db)
  }

  get id(): string {
    return this.#id
  }

  async reread(): Promise<void> {
    this.#id = (await this.read((tx) => tx.facts.get('data_id'))) ?? this.#parts.id
  }

  /** From here on everything fails with `error`. */
  refuse(error: StorageError): void {
    this.#refused = error
  }

  async read<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.#refused !== null) throw this.#refused
    const begin = this.#parts.db.transaction()
    // Otherwise every statement would see what has come since the one before.
    const transaction = this.shared
      ? begin.setIsolationLevel('repeatable read').setAccessMode('read only')
      : begin
    try {
      return await transaction.execute((db) => work(repositories(db)))
    } catch (error) {
      throw translated(error)
    }
  }

  async write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    if (this.#refused !== null) throw this.#refused
    try {
      const { value, news } = await this.#writes.write(async (db) => {
        const tx = repositories(db)
        return { value: await work(tx), news: newsOf(tx) }
      })
      // This process has what it has changed: only others read the key anew.
      tell(this.#parts.options, { ...news, keys: false })
      return value
    } catch (error) {
      const known = translated(error)
      if (known instanceof StorageError && known.code === 'full') this.#room(false)
      // It may be durable all the same, with nobody told.
      if (known instanceof StorageError && known.code === 'unavailable')
        tellAll(this.#parts.options)
      throw known
    }
  }

  #room(room: boolean): void {
    if (room === (this.#looking === null)) return
    if (this.#looking !== null) clearInterval(this.#looking)
    this.#looking = room ? null : setInterval(() => void this.#look(), LOOK_MS).unref()
    this.#parts.options.onRoom?.(room)
  }

  /** Little writes may go through all the while; it takes one of some size to tell. */
  async #look(): Promise<void> {
    const text = randomBytes(PROBE_BYTES).toString('base64url')
    await this.write((tx) => tx.facts.probe(text)).then(
      () => this.#room(true),
      () => undefined,
    )
  }

  async takeName(name: string, until: number, now: number): Promise<OnceOutcome> {
    try {
      return await this.#names.take(name, until, now)
    } catch (error) {
      throw translated(error)
    }
  }

  async count(name: string, windowMs: number, now: number): Promise<Counted> {
    try {
      return await new Counters(this.#parts.db).count(name, windowMs, now)
    } catch (error) {
      throw translated(error)
    }
  }

  async alone(name: string, work: () => Promise<void>): Promise<boolean> {
    const { standing } = this.#parts
    if (standing !== null) return standing.alone(name, work)
    if (this.#alone.has(name)) return false
    this.#alone.add(name)
    try {
      await work()
      return true
    } finally {
      this.#alone.delete(name)
    }
  }

  whisper(text: string): void {
    this.#parts.standing?.whisper(text)
  }

  undone(): number {
    return this.#writes.undone
  }

  async close(): Promise<void> {
    if (this.#looking !== null) clearInterval(this.#looking)
    await this.#writes.idle()
    await this.#parts.standing?.close()
    await this.#parts.db.destroy()
    this.#parts.unlock()
  }
}

const onlyProcess: BatchFrame = {
  begin: async () => undefined,
  end: async () => undefined,
  isConflict: () => false,
}

/**
 * One writer on the whole database: positions become visible in their order, and what a write has read can't
 * change under it. Taken before anything is read, so each statement sees all that was written before.
 */
function oneOfSeveral(id: string, standing: Standing): BatchFrame {
  return {
    async begin(db) {
      await sql`select pg_advisory_xact_lock(${WRITER_LOCK}::bigint)`.execute(db)
    },
    async end(db, news) {
      const all = merged(news as readonly News[])
      for (const text of payloads(standing.sender, all))
        await sql`select pg_notify(${channelOf(id)}, ${text})`.execute(db)
    },
    isConflict,
  }
}

function channelOf(id: string): string {
  return `eccp_${id}`
}

function newsOf({ streams, federation, facts }: Tx): News {
  return { members: [...streams.woken], servers: [...federation.outbound], keys: facts.changed }
}

function merged(news: readonly News[]): News {
  return {
    members: [...new Set(news.flatMap(({ members }) => members))],
    servers: [...new Set(news.flatMap(({ servers }) => servers))],
    keys: news.some(({ keys }) => keys),
  }
}

function tell(options: StorageOptions, { members, servers, keys }: News): void {
  if (members.length > 0) options.onNews?.(new Set(members))
  if (servers.length > 0) options.onOutbound?.(new Set(servers))
  if (keys) options.onKeys?.()
}

function repositories(db: Db): Tx {
  return {
    accounts: new Accounts(db),
    devices: new Devices(db),
    manifests: new Manifests(db),
    prekeys: new Prekeys(db),
    rooms: new Rooms(db),
    events: new Events(db),
    wraps: new Wraps(db),
    toDevice: new ToDevice(db),
    receipts: new Receipts(db),
    txns: new Txns(db),
    streams: new Streams(db),
    federation: new Federation(db),
    windowRooms: new WindowRooms(db),
    facts: new Facts(db),
    counters: new Counters(db),
  }
}

/** Something may have happened. */
function tellAll(options: StorageOptions): void {
  options.onNews?.(null)
  options.onOutbound?.(null)
  options.onKeys?.()
}

/** The server name is part of every id ever made here: data and name belong together. */
async function identify(db: Db, serverName: string): Promise<string> {
  for (;;) {
    const id = await identifyOnce(db, serverName)
    if (id !== null) return id
  }
}

/** Null where a name was written just now: it is read again, since another process may have been quicker. */
async function identifyOnce(db: Db, serverName: string): Promise<string | null> {
  return db.transaction().execute(async (tx) => {
    const known = await tx.selectFrom('meta').selectAll().execute()
    const value = (key: string): string | undefined => known.find((row) => row.key === key)?.value
    const name = value('server_name')
    if (name !== undefined && name !== serverName) throw new StorageError('other_server')
    const id = value('storage_id')
    if (name !== undefined && id !== undefined) return id
    const made = randomBytes(6).toString('base64url')
    const rows = [
      { key: 'server_name', value: serverName },
      { key: 'storage_id', value: made },
    ]
    await tx
      .insertInto('meta')
      .values(rows)
      // Another process was quicker.
      .onConflict((c) => c.column('key').doNothing())
      .execute()
    return null
  })
}
