/**
 * Events on their way to the renderer: gathered for a moment and sent as one message, in order, because
 * each crossing costs more than what it carries. Of events that replace each other only the last is kept.
 */
import { events } from '../../src-shared/ipc/index.ts'
import type { EventName, EventPayload } from '../../src-shared/ipc/index.ts'

export interface SentEvent {
  readonly name: EventName
  readonly payload: unknown
}

const WAIT_MS = 8
/** Each of these carries the whole of what it tells. */
const REPLACING: ReadonlySet<EventName> = new Set<EventName>(['app.state', 'settings'])
const REPLACING_BY_ACCOUNT: ReadonlySet<EventName> = new Set<EventName>([
  'account',
  'pairings',
  'alerts',
])

function replaces(event: SentEvent, older: SentEvent): boolean {
  if (event.name !== older.name) return false
  if (REPLACING.has(event.name)) return true
  if (!REPLACING_BY_ACCOUNT.has(event.name)) return false
  const [a, b] = [event.payload, older.payload] as { account: string }[]
  return a?.account === b?.account
}

export class EventQueue {
  readonly #send: (batch: readonly SentEvent[]) => void
  #waiting: SentEvent[] = []
  #timer: NodeJS.Timeout | null = null

  constructor(send: (batch: readonly SentEvent[]) => void) {
    this.#send = send
  }

  push<N extends EventName>(name: N, payload: EventPayload<N>): void {
    const event: SentEvent = { name, payload: events[name].parse(payload) }
    this.#waiting = this.#waiting.filter((older) => !replaces(event, older))
    this.#waiting.push(event)
    this.#timer ??= setTimeout(() => this.flush(), WAIT_MS)
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    const batch = this.#waiting
    this.#waiting = []
    if (batch.length > 0) this.#send(batch)
  }

  /** Forgets what has not left, as when its receiver is gone. */
  clear(): void {
    this.#waiting = []
    this.flush()
  }
}
