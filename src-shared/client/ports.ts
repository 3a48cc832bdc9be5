/**
 * The engine's ports: everything the engine needs from the world. Clock, randomness, storage and
 * network always arrive as arguments, so that any run can be replayed from a seed and any crash placed.
 */

/** A record's address. `table` is one of the engine's table names; `key` is free text, blinded by the vault. */
export interface RecordKey {
  readonly table: string
  readonly key: string
}

export interface Batch {
  /** Unique; written in the same transaction, so that `wasCommitted` can answer after a lost port. */
  readonly id: string
  readonly puts: readonly (RecordKey & { readonly value: Uint8Array })[]
  readonly deletes: readonly RecordKey[]
}

/**
 * One writer. `commit` is atomic and durable when it resolves (strict durability); it is rejected with
 * `StoreError` otherwise. There are no interactive transactions and no range reads.
 */
export interface Store {
  read(keys: readonly RecordKey[]): Promise<(Uint8Array | null)[]>
  commit(batch: Batch): Promise<void>
  wasCommitted(id: string): Promise<boolean>
}

export type StoreErrorCode =
  /** The outcome is unknown: ask `wasCommitted`, then repeat or go on. */
  | 'lost'
  | 'full'
  /** A record does not open: changed, moved or from another vault. */
  | 'corrupted'
  | 'closed'

export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode
  constructor(code: StoreErrorCode) {
    super(`store: ${code}`)
    this.code = code
  }
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Path with query, e.g. `/_eccp/client/v1/sync?since=…`. */
  readonly path: string
  readonly token: string | null
  /** Canonical or ordinary JSON bytes; null for none. */
  readonly body: Uint8Array | null
  readonly timeoutMs: number
  /** Answers larger than this are refused. */
  readonly maxBytes: number
}

export interface HttpResponse {
  readonly status: number
  readonly body: Uint8Array
}

export type TransportErrorCode =
  'unreachable' | 'timeout' | 'certificate' | 'too_large' | 'cancelled'

/** No answer came, or none that may be read. Whether the request had an effect is unknown. */
export class TransportError extends Error {
  override readonly name = 'TransportError'
  readonly code: TransportErrorCode
  constructor(code: TransportErrorCode) {
    super(`transport: ${code}`)
    this.code = code
  }
}

export interface Cancel {
  readonly cancelled: boolean
  /** Called once, at most; returns the function that takes the listener back. */
  onCancel(listener: () => void): () => void
}

export interface LinkRequest {
  readonly path: string
  readonly token: string | null
  readonly subprotocol: string
  /** For opening. */
  readonly timeoutMs: number
  /** A larger frame ends the link. */
  readonly maxBytes: number
  /** A link on which nothing is heard for so long, pings included, is ended. */
  readonly silenceMs: number
}

/** A two-way link of text frames. */
export interface Link {
  send(text: string): void
  /** `onEnd` is not called for it. */
  close(): void
}

export interface LinkListener {
  onFrame(text: string): void
  /** Once. The close code of a WebSocket; 1006 where the connection broke. */
  onEnd(code: number): void
}

/** Bound to one homeserver. */
export interface Transport {
  request(request: HttpRequest, cancel?: Cancel): Promise<HttpResponse>
  /** Absent where there is none. Null: the other side does not want one. Throws `TransportError`. */
  link?(request: LinkRequest, listener: LinkListener, cancel?: Cancel): Promise<Link | null>
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls back after `ms`; returns the function that takes it back. */
  after(ms: number, callback: () => void): () => void
}

export interface Random {
  bytes(length: number): Uint8Array
}

/** One line for operators and developers: a closed event name and numbers or ids, never text or secrets. */
export interface Log {
  (event: string, fields?: Readonly<Record<string, string | number | boolean>>): void
}
