/**
 * The sealed records behind a message port that may break at any time: the window's process can crash,
 * the browser be killed. Requests under way are then rejected as `lost` and the next one opens a new
 * port. Owns numbering, timeouts and reopening; knows neither windows nor what the records mean.
 */
import type { SealedBatch, VaultFailure, VaultReply, VaultRequest } from './port-messages.ts'
import { vaultReady } from './port-messages.ts'

export type RecordFailure =
  | VaultFailure
  /** The port went away first; whether something was written is unknown. */
  | 'lost'
  | 'closed'

export class RecordStoreError extends Error {
  override readonly name = 'RecordStoreError'
  readonly code: RecordFailure
  constructor(code: RecordFailure) {
    super(`record store: ${code}`)
    this.code = code
  }
}

/** Sealed records under blinded keys. All methods reject with `RecordStoreError`. */
export interface RecordStore {
  get(keys: readonly string[]): Promise<(Uint8Array | null)[]>
  apply(batch: SealedBatch): Promise<void>
  hasCommit(id: string): Promise<boolean>
  /** Deletes everything. */
  erase(): Promise<void>
  close(): Promise<void>
}

export interface RecordPort {
  post(message: VaultRequest): void
  /** At most one listener each, set right after opening. */
  onMessage(listener: (message: unknown) => void): void
  onLost(listener: () => void): void
  close(): void
}

/** Opens the window (again) and hands out its port. */
type OpenPort = () => Promise<RecordPort>

export interface RecordLinkOptions {
  readonly open: OpenPort
  /** A request that takes longer counts as lost, as does a window that does not come up. */
  readonly timeoutMs?: number
  readonly onLost?: () => void
}

// `Omit` does not distribute over a union.
type Unnumbered<R> = R extends VaultRequest ? Omit<R, 'n'> : never

interface Connection {
  readonly port: RecordPort
  readonly pending: Map<number, Waiting>
  lost: boolean
}

interface Waiting {
  resolve(value: unknown): void
  reject(error: RecordStoreError): void
}

function isReply(message: unknown): message is VaultReply {
  return typeof message === 'object' && message !== null && 'n' in message && 'ok' in message
}

function isRecordList(value: unknown, length: number): value is (Uint8Array | null)[] {
  return (
    Array.isArray(value) &&
    value.length === length &&
    value.every((item) => item === null || item instanceof Uint8Array)
  )
}

export function createRecordLink(options: RecordLinkOptions): RecordStore {
  const timeoutMs = options.timeoutMs ?? 30_000
  let connecting: Promise<Connection> | null = null
  let current: Connection | null = null
  let closed = false
  let next = 0

  const lose = (connection: Connection): void => {
    if (connection.lost) return
    connection.lost = true
    if (current === connection) {
      current = null
      connecting = null
    }
    connection.port.close()
    for (const waiting of connection.pending.values()) {
      waiting.reject(new RecordStoreError(closed ? 'closed' : 'lost'))
    }
    connection.pending.clear()
    if (!closed) options.onLost?.()
  }

  const settle = (connection: Connection, message: VaultReply): void => {
    const waiting = connection.pending.get(message.n)
    connection.pending.delete(message.n)
    if (message.ok) waiting?.resolve(message.value)
    else waiting?.reject(new RecordStoreError(message.failure))
  }

  const connect = async (): Promise<Connection> => {
    const port = await options.open()
    const connection: Connection = { port, pending: new Map(), lost: false }
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => lose(connection), timeoutMs)
      connection.pending.set(-1, {
        resolve: () => resolve(),
        reject,
      })
      const started = (): void => {
        clearTimeout(timer)
        connection.pending.delete(-1)
        resolve()
      }
      port.onLost(() => {
        clearTimeout(timer)
        lose(connection)
      })
      port.onMessage((message) => {
        if (message === vaultReady) started()
        else if (isReply(message)) settle(connection, message)
      })
    })
    if (closed) lose(connection)
    current = connection
    return connection
  }

  const connected = (): Promise<Connection> => {
    if (closed) return Promise.reject(new RecordStoreError('closed'))
    if (current !== null) return Promise.resolve(current)
    if (connecting === null) {
      const attempt = connect().catch((error: unknown) => {
        if (connecting === attempt) connecting = null
        throw error instanceof RecordStoreError ? error : new RecordStoreError('lost')
      })
      connecting = attempt
    }
    return connecting
  }

  const request = async (message: Unnumbered<VaultRequest>): Promise<unknown> => {
    const connection = await connected()
    if (connection.lost) throw new RecordStoreError(closed ? 'closed' : 'lost')
    const n = next++
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => lose(connection), timeoutMs)
      const ended = (): void => clearTimeout(timer)
      connection.pending.set(n, {
        resolve(value) {
          ended()
          resolve(value)
        },
        reject(error) {
          ended()
          reject(error)
        },
      })
      connection.port.post({ ...message, n })
    })
  }

  return {
    async get(keys) {
      if (keys.length === 0) return []
      const value = await request({ op: 'get', keys })
      if (!isRecordList(value, keys.length)) throw new RecordStoreError('failed')
      return value
    },
    async apply(batch) {
      await request({ op: 'apply', batch })
    },
    async hasCommit(id) {
      return (await request({ op: 'hasCommit', id })) === true
    },
    async erase() {
      await request({ op: 'erase' })
    },
    async close() {
      closed = true
      const open = current ?? (await connecting?.catch(() => null))
      if (open !== null && open !== undefined) lose(open)
    },
  }
}
