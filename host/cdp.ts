/**
 * The DevTools protocol over Chromium's debugging pipe: NUL-separated JSON on two
 * descriptors, one connection, flat sessions. Knows nothing of windows or Electron.
 */
import type { Readable, Writable } from 'node:stream'

export type CdpParams = Record<string, unknown>
export type CdpListener = (params: CdpParams) => void

export class CdpError extends Error {
  readonly code: 'closed' | 'protocol'
  constructor(code: 'closed' | 'protocol', message: string) {
    super(message)
    this.name = 'CdpError'
    this.code = code
  }
}

interface Pending {
  method: string
  resolve(result: CdpParams): void
  reject(error: Error): void
}

interface Incoming {
  id?: number
  method?: string
  params?: CdpParams
  result?: CdpParams
  error?: { message: string }
  sessionId?: string
}

/** One flat session. The browser's own session has the id `''`. */
export class CdpSession {
  readonly id: string
  readonly #connection: CdpConnection
  readonly #listeners = new Map<string, Set<CdpListener>>()

  constructor(connection: CdpConnection, id: string) {
    this.#connection = connection
    this.id = id
  }

  /** Sends a command. Rejects with CdpError; `closed` when Chromium or the target is gone. */
  send(method: string, params: CdpParams = {}): Promise<CdpParams> {
    return this.#connection.send(this.id, method, params)
  }

  /** Sends a command whose failure does not matter (the target may be gone). */
  post(method: string, params: CdpParams = {}): void {
    this.send(method, params).catch(() => {})
  }

  on(method: string, listener: CdpListener): void {
    let set = this.#listeners.get(method)
    if (set === undefined) this.#listeners.set(method, (set = new Set()))
    set.add(listener)
  }

  dispatch(method: string, params: CdpParams): void {
    for (const listener of this.#listeners.get(method) ?? []) listener(params)
  }
}

export class CdpConnection {
  readonly browser: CdpSession
  readonly #output: Writable
  readonly #sessions = new Map<string, CdpSession>()
  readonly #pending = new Map<number, Pending & { session: string }>()
  readonly #closers: (() => void)[] = []
  readonly #trace: ((line: string) => void) | null
  #lastId = 0
  #closed = false

  /** `trace` sees every message, in clear. */
  constructor(input: Readable, output: Writable, trace: ((line: string) => void) | null = null) {
    this.#output = output
    this.#trace = trace
    this.browser = this.session('')
    let parts: Buffer[] = []
    input.on('data', (chunk: Buffer) => {
      let start = 0
      for (;;) {
        const end = chunk.indexOf(0, start)
        if (end === -1) break
        parts.push(chunk.subarray(start, end))
        const text = parts.length === 1 ? String(parts[0]) : Buffer.concat(parts).toString()
        parts = []
        start = end + 1
        this.#trace?.(`< ${text}`)
        this.#receive(JSON.parse(text) as Incoming)
      }
      if (start < chunk.length) parts.push(chunk.subarray(start))
    })
    input.on('close', () => this.#close())
    input.on('error', () => this.#close())
    output.on('error', () => this.#close())
  }

  get closed(): boolean {
    return this.#closed
  }

  onClose(listener: () => void): void {
    this.#closers.push(listener)
  }

  /** The session of that id, made on first use. */
  session(id: string): CdpSession {
    let session = this.#sessions.get(id)
    if (session === undefined) this.#sessions.set(id, (session = new CdpSession(this, id)))
    return session
  }

  /** Forgets a session whose target is gone; its open commands fail. */
  drop(id: string): void {
    this.#sessions.delete(id)
    for (const [key, pending] of this.#pending) {
      if (pending.session !== id) continue
      this.#pending.delete(key)
      pending.reject(new CdpError('closed', `${pending.method}: target closed`))
    }
  }

  send(sessionId: string, method: string, params: CdpParams): Promise<CdpParams> {
    if (this.#closed) return Promise.reject(new CdpError('closed', `${method}: Chromium is gone`))
    const id = ++this.#lastId
    const message = sessionId === '' ? { id, method, params } : { id, method, params, sessionId }
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { method, resolve, reject, session: sessionId })
      const text = JSON.stringify(message)
      this.#trace?.(`> ${text}`)
      this.#output.write(`${text}\0`)
    })
  }

  #receive(message: Incoming): void {
    if (message.id !== undefined) {
      const pending = this.#pending.get(message.id)
      this.#pending.delete(message.id)
      if (message.error === undefined) pending?.resolve(message.result ?? {})
      else pending?.reject(new CdpError('protocol', `${pending.method}: ${message.error.message}`))
      return
    }
    if (message.method === undefined) return
    this.#sessions.get(message.sessionId ?? '')?.dispatch(message.method, message.params ?? {})
  }

  #close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const { method, reject } of this.#pending.values()) {
      reject(new CdpError('closed', `${method}: Chromium is gone`))
    }
    this.#pending.clear()
    for (const closer of this.#closers) closer()
  }
}
