/**
 * The storage: everything the node keeps, behind transactions over small repositories. `node:sqlite`
 * today; nothing above this folder knows.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import { Kysely } from 'kysely'
import { Accounts } from './accounts.ts'
import { Devices } from './devices.ts'
import { Federation } from './federation.ts'
import { Events } from './events.ts'
import { GroupCommit } from './group-commit.ts'
import { Manifests } from './manifests.ts'
import { migrate } from './migrations.ts'
import { Prekeys } from './prekeys.ts'
import { Receipts } from './receipts.ts'
import { Rooms } from './rooms.ts'
import type { Db, Schema } from './schema.ts'
import { lockFolder, sqliteDialect } from './sqlite.ts'
import { StorageError } from './storage-error.ts'
import { Streams } from './streams.ts'
import { ToDevice } from './to-device.ts'
import { Txns } from './txns.ts'
import { WindowRooms } from './window-rooms.ts'
import { Wraps } from './wraps.ts'

export { lockFolder } from './sqlite.ts'
export { StorageError } from './storage-error.ts'
export type { Account } from './accounts.ts'
export type { Device, PairingStep } from './devices.ts'
export type { EventRow, NewEventRow, Span } from './events.ts'
export type { OutboxRow } from './federation.ts'
export type { Audience, StreamItem } from './streams.ts'
export type { ToDeviceRow } from './to-device.ts'
export type { WindowRoom } from './window-rooms.ts'

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
}

export interface Storage {
  /** Names this data; part of every position token, so that another node's tokens are known as such. */
  readonly id: string
  /** One consistent view. */
  read<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /**
   * Atomic, one at a time, durable when it resolves; a throw undoes everything. Waits only for the
   * database: anything slower inside would hold up everyone.
   */
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /** How often a write was undone: what was remembered of one of them may never have been. */
  undone(): number
  close(): Promise<void>
}

export interface StorageOptions {
  readonly folder: string
  readonly serverName: string
  /** Called with the accounts that have news, after the news is durable. */
  readonly onNews?: (members: ReadonlySet<string>) => void
  /** Called with the servers for which something waits, after it is durable. */
  readonly onOutbound?: (servers: ReadonlySet<string>) => void
  /** A tool beside a running node: without the lock on the folder. */
  readonly shared?: boolean
}

/** Throws `StorageError`. */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 })
  const unlock = options.shared === true ? () => undefined : lockFolder(options.folder)
  try {
    const db = new Kysely<Schema>({ dialect: sqliteDialect(join(options.folder, 'node.sqlite')) })
    try {
      await migrate(db)
      const id = await identify(db, options.serverName)
      return new SqlStorage(db, id, unlock, options)
    } catch (error) {
      await db.destroy()
      throw error
    }
  } catch (error) {
    unlock()
    throw error
  }
}

class SqlStorage implements Storage {
  readonly id: string
  readonly #db: Db
  readonly #writes: GroupCommit
  readonly #unlock: () => void
  readonly #options: StorageOptions

  constructor(db: Db, id: string, unlock: () => void, options: StorageOptions) {
    this.#db = db
    this.#writes = new GroupCommit(db)
    this.id = id
    this.#unlock = unlock
    this.#options = options
  }

  async read<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.#db.transaction().execute((db) => work(repositories(db)))
  }

  async write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    let woken: ReadonlySet<string> = new Set()
    let outbound: ReadonlySet<string> = new Set()
    const result = await this.#writes.write((db) => {
      const tx = repositories(db)
      woken = tx.streams.woken
      outbound = tx.federation.outbound
      return work(tx)
    })
    if (woken.size > 0) this.#options.onNews?.(woken)
    if (outbound.size > 0) this.#options.onOutbound?.(outbound)
    return result
  }

  undone(): number {
    return this.#writes.undone
  }

  async close(): Promise<void> {
    await this.#writes.idle()
    await this.#db.destroy()
    this.#unlock()
  }
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
  }
}

/** The server name is part of every id ever made here: data and name belong together. */
async function identify(db: Db, serverName: string): Promise<string> {
  const known = await db.selectFrom('meta').selectAll().execute()
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
  await db.insertInto('meta').values(rows).execute()
  return made
}
