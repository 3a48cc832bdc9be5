/**
 * What several processes on one PostgreSQL say to each other and keep from doing twice: one standing
 * connection that hears notifications and holds locks. When it breaks its locks are free, and it comes back
 * by itself; what was said meanwhile is lost, so everyone is told to look for themselves.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Client } from 'pg'
import { connectionConfig, loadPg, translated } from './postgres.ts'
import { StorageError } from './storage-error.ts'

/** A notification holds less than 8000 bytes. */
const MAX_PAYLOAD = 7000
const FIRST_RETRY_MS = 100
const MAX_RETRY_MS = 2000

/** What a write means to whoever waits, here or in another process. */
export interface News {
  /** Accounts with something new. */
  readonly members: readonly string[]
  /** Servers for which something waits. */
  readonly servers: readonly string[]
  /** The signing key has changed. */
  readonly keys: boolean
}

export interface StandingOptions {
  readonly url: string
  /** Common to all who share the data. */
  readonly channel: string
  /** Version of the schema that this process understands. */
  readonly schemaVersion: number
  readonly onNews: (news: News) => void
  readonly onWhisper: (text: string) => void
  /** The connection is there again: anything may have happened. */
  readonly onGap: () => void
  /** It is gone, or there again. `StorageError('newer_schema')`: for good. */
  readonly onState: (state: 'up' | StorageError) => void
}

/** Held by every process while it runs; whoever changes the schema must have it alone. */
export const SCHEMA_LOCK = lockNumber('schema')
/** Held by whoever writes, until its transaction ends. */
export const WRITER_LOCK = lockNumber('writer')

export function lockNumber(name: string): string {
  return createHash('sha256').update(`eccp lock ${name}`).digest().readBigInt64BE().toString()
}

/** Texts for `pg_notify`, each short enough. `sender` hears nothing of them. */
export function payloads(sender: string, { members, servers, keys }: News): string[] {
  const out: string[] = []
  const begin = (): { s: string; m: string[]; o: string[]; k?: true } => ({
    s: sender,
    m: [],
    o: [],
  })
  let next = begin()
  let size = 100
  const flush = (): void => {
    out.push(JSON.stringify(next))
    next = begin()
    size = 100
  }
  const put = (list: 'm' | 'o', text: string): void => {
    if (size + text.length + 3 > MAX_PAYLOAD) flush()
    next[list].push(text)
    size += text.length + 3
  }
  for (const member of members) put('m', member)
  for (const server of servers) put('o', server)
  if (keys) next.k = true
  if (size > 100 || keys) flush()
  return out
}

export class Standing {
  readonly sender = randomBytes(9).toString('base64url')
  readonly #options: StandingOptions
  readonly #held = new Set<string>()
  #client: Client | null = null
  #retry: NodeJS.Timeout | null = null
  #retryMs = FIRST_RETRY_MS
  #closed = false

  constructor(options: StandingOptions) {
    this.#options = options
  }

  /** Throws `StorageError`. */
  async open(): Promise<void> {
    this.#client = await this.#connect()
  }

  /** Heard by the other processes that listen now, or by nobody. */
  whisper(text: string): void {
    const payload = JSON.stringify({ s: this.sender, w: text })
    if (payload.length > MAX_PAYLOAD) return
    this.#client
      ?.query('select pg_notify($1, $2)', [this.#options.channel, payload])
      .catch(() => undefined)
  }

  /** False, and nothing done, while this or another process is at what `name` stands for. */
  async alone(name: string, work: () => Promise<void>): Promise<boolean> {
    const client = this.#client
    if (client === null) throw new StorageError('unavailable', 'connection lost')
    if (this.#held.has(name)) return false
    this.#held.add(name)
    const number = lockNumber(`alone/${name}`)
    try {
      if (!(await ask(client, 'select pg_try_advisory_lock($1) as yes', [number]))) return false
      try {
        await work()
      } finally {
        // A connection that broke has let go of it already.
        await ask(client, 'select pg_advisory_unlock($1) as yes', [number]).catch(() => false)
      }
      return true
    } finally {
      this.#held.delete(name)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    if (this.#retry !== null) clearTimeout(this.#retry)
    const client = this.#client
    this.#client = null
    await client?.end().catch(() => undefined)
  }

  async #connect(): Promise<Client> {
    const { url, channel, schemaVersion, onNews, onWhisper } = this.#options
    const pg = await loadPg()
    const client = new pg.Client(connectionConfig(pg, url))
    client.on('error', () => this.#lost(client))
    client.on('end', () => this.#lost(client))
    client.on('notification', ({ payload }) => {
      const heard = read(payload ?? '', this.sender)
      if (typeof heard === 'string') onWhisper(heard)
      else if (heard !== null) onNews(heard)
    })
    try {
      await client.connect()
      await client.query('select pg_advisory_lock_shared($1)', [SCHEMA_LOCK])
      const { rows } = await client.query<{ value: string }>(
        `select value from meta where key = 'schema_version'`,
      )
      if (Number(rows[0]?.value) !== schemaVersion) throw new StorageError('newer_schema')
      await client.query(`listen "${channel}"`)
      return client
    } catch (error) {
      await client.end().catch(() => undefined)
      throw translated(error)
    }
  }

  #lost(client: Client): void {
    if (this.#client !== client) return
    this.#client = null
    if (this.#closed) return
    this.#options.onState(new StorageError('unavailable', 'connection lost'))
    this.#again()
  }

  #again(): void {
    this.#retry = setTimeout(() => void this.#reconnect(), this.#retryMs)
    this.#retryMs = Math.min(MAX_RETRY_MS, this.#retryMs * 2)
  }

  async #reconnect(): Promise<void> {
    try {
      const client = await this.#connect()
      if (this.#closed) {
        await client.end()
        return
      }
      this.#client = client
      this.#retryMs = FIRST_RETRY_MS
      this.#options.onState('up')
      this.#options.onGap()
    } catch (error) {
      if (this.#closed) return
      if (error instanceof StorageError && error.code === 'newer_schema')
        this.#options.onState(error)
      else this.#again()
    }
  }
}

async function ask(client: Client, text: string, values: unknown[]): Promise<boolean> {
  const { rows } = await client.query<{ yes: boolean }>(text, values)
  return rows[0]?.yes === true
}

interface Said {
  readonly s: string
  readonly m: string[]
  readonly o: string[]
  readonly k?: true
  readonly w?: string
}

/** Null for one's own, and for what nobody here has written; a text for what was whispered. */
function read(payload: string, own: string): News | string | null {
  try {
    const { s, m, o, k, w } = JSON.parse(payload) as Said
    if (s === own) return null
    return w ?? { members: m, servers: o, keys: k === true }
  } catch {
    return null
  }
}
