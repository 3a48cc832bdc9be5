/**
 * What changed, gathered and told to the host. Parts of the engine say what they touched after a commit;
 * views are built once per burst, in order, and the last ones are kept for the host's synchronous reads.
 */
import type {
  AccountView,
  Alert,
  Pairing,
  RoomSummary,
  TimelineItem,
} from '../../view-model/index.ts'
import type { EngineChange, SignedOutReason } from '../engine-types.ts'
import type { Log } from '../ports.ts'
import type { StoredMessage } from '../timeline/stored-item.ts'

/** Builds views from committed records. */
export interface ViewSource {
  account(): Promise<AccountView>
  /** Null: not in the list. */
  room(room: string): Promise<RoomSummary | null>
  rooms(): Promise<readonly RoomSummary[]>
  alerts(): Promise<readonly Alert[]>
  pairings(): Promise<readonly Pairing[]>
  /** Null: no longer there. */
  item(room: string, touched: TouchedItem): Promise<TimelineItem | null>
  roomsOf(member: string): Promise<readonly string[]>
  senderName(message: StoredMessage): Promise<string>
}

export interface TouchedItem {
  readonly key: string
  /** Where known. */
  readonly envelope: string | null
}

interface Notification {
  readonly room: string
  readonly message: StoredMessage
  readonly mention: boolean
}

interface Dirty {
  account: boolean
  alerts: boolean
  pairings: boolean
  readonly rooms: Set<string>
  readonly details: Set<string>
  readonly members: Set<string>
  readonly items: Map<string, TouchedItem>
  reset: boolean
  /** The newest of each room. */
  readonly notifications: Map<string, Notification>
}

/** More items than this are told as a reset. */
const MAX_UPSERTS = 200

export class Publisher {
  readonly #log: Log
  readonly #listeners = new Set<(change: EngineChange) => void>()
  readonly #summaries = new Map<string, RoomSummary>()
  #source: ViewSource | null = null
  #account: AccountView | null = null
  #alerts: readonly Alert[] = []
  #pairings: readonly Pairing[] = []
  #watched: string | null = null
  #dirty = clean()
  #flushing: Promise<void> | null = null

  constructor(log: Log) {
    this.#log = log
  }

  /** Loads what the host may ask for at once. */
  async open(source: ViewSource): Promise<void> {
    this.#source = source
    this.#account = await source.account()
    for (const summary of await source.rooms()) this.#summaries.set(summary.id, summary)
    this.#alerts = await source.alerts()
    this.#pairings = await source.pairings()
  }

  subscribe(listener: (change: EngineChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get accountView(): AccountView | null {
    return this.#account
  }
  get summaries(): RoomSummary[] {
    return [...this.#summaries.values()]
  }
  get currentAlerts(): Alert[] {
    return [...this.#alerts]
  }
  get currentPairings(): Pairing[] {
    return [...this.#pairings]
  }
  get watched(): string | null {
    return this.#watched
  }

  watch(room: string | null): void {
    this.#watched = room
    this.#dirty.items.clear()
    this.#dirty.reset = false
  }

  account(): void {
    this.#dirty.account = true
    this.#schedule()
  }

  alerts(): void {
    this.#dirty.alerts = true
    this.#schedule()
  }

  pairings(): void {
    this.#dirty.pairings = true
    this.#schedule()
  }

  room(room: string): void {
    this.#dirty.rooms.add(room)
    this.#schedule()
  }

  details(room: string): void {
    this.#dirty.details.add(room)
    this.#schedule()
  }

  /** Someone's name or keys changed. */
  member(member: string): void {
    this.#dirty.members.add(member)
    this.#schedule()
  }

  item(room: string, key: string, envelope: string | null = null): void {
    if (room !== this.#watched) return
    const before = this.#dirty.items.get(key)
    this.#dirty.items.set(key, { key, envelope: envelope ?? before?.envelope ?? null })
    this.#schedule()
  }

  /** At the end of the stored timeline: told after all that was put there before. */
  newItem(room: string, key: string, envelope: string | null): void {
    // It may have been touched while it waited in the outbox.
    this.#dirty.items.delete(key)
    this.item(room, key, envelope)
  }

  timelineReset(room: string): void {
    if (room !== this.#watched) return
    this.#dirty.reset = true
    this.#schedule()
  }

  notify(room: string, message: StoredMessage, mention: boolean): void {
    this.#dirty.notifications.set(room, { room, message, mention })
    this.#schedule()
  }

  /** Told as it is; nobody asks for it later. */
  typing(room: string, names: readonly string[]): void {
    this.#emit({ kind: 'typing', room, names: [...names] })
  }

  signedOut(reason: SignedOutReason): void {
    this.#emit({ kind: 'signed_out', reason })
  }

  /** Resolves when everything touched so far has been told. */
  async settled(): Promise<void> {
    while (this.#flushing !== null) await this.#flushing
  }

  #schedule(): void {
    if (this.#source === null) return
    const source = this.#source
    this.#flushing ??= this.#flushAll(source).finally(() => (this.#flushing = null))
  }

  async #flushAll(source: ViewSource): Promise<void> {
    // Whatever one commit touched is told together.
    await Promise.resolve()
    while (isDirty(this.#dirty)) {
      const dirty = this.#dirty
      this.#dirty = clean()
      try {
        await this.#flush(source, dirty)
      } catch (error) {
        this.#log('view.failed', { error: error instanceof Error ? error.name : 'unknown' })
      }
    }
  }

  async #flush(source: ViewSource, dirty: Dirty): Promise<void> {
    for (const member of dirty.members)
      for (const room of await source.roomsOf(member)) {
        dirty.rooms.add(room)
        dirty.details.add(room)
        if (room === this.#watched) dirty.reset = true
      }
    await this.#flushRooms(source, dirty.rooms)
    await this.#flushTimeline(source, dirty)
    for (const room of dirty.details) this.#emit({ kind: 'details', room })
    if (dirty.account) {
      this.#account = await source.account()
      this.#emit({ kind: 'account', view: this.#account })
    }
    if (dirty.alerts) {
      this.#alerts = await source.alerts()
      this.#emit({ kind: 'alerts', alerts: [...this.#alerts] })
    }
    if (dirty.pairings) {
      this.#pairings = await source.pairings()
      this.#emit({ kind: 'pairings', pairings: [...this.#pairings] })
    }
    for (const { room, message, mention } of dirty.notifications.values()) {
      const roomName = this.#summaries.get(room)?.name ?? ''
      const sender = await source.senderName(message)
      this.#emit({ kind: 'notify', room, roomName, sender, text: message.text, mention })
    }
  }

  async #flushRooms(source: ViewSource, rooms: ReadonlySet<string>): Promise<void> {
    const changed: RoomSummary[] = []
    const removed: string[] = []
    for (const room of rooms) {
      const summary = await source.room(room)
      if (summary !== null) {
        this.#summaries.set(room, summary)
        changed.push(summary)
      } else if (this.#summaries.delete(room)) removed.push(room)
    }
    if (changed.length + removed.length > 0) this.#emit({ kind: 'rooms', changed, removed })
  }

  async #flushTimeline(source: ViewSource, dirty: Dirty): Promise<void> {
    const room = this.#watched
    if (room === null || (!dirty.reset && dirty.items.size === 0)) return
    if (dirty.reset || dirty.items.size > MAX_UPSERTS) {
      this.#emit({ kind: 'timeline', room, upserts: [], removed: [], reset: true })
      return
    }
    const upserts: TimelineItem[] = []
    const removed: string[] = []
    for (const touched of dirty.items.values()) {
      const item = await source.item(room, touched)
      // Touched again since: told in its turn, with what was put before it meanwhile.
      if (this.#dirty.items.has(touched.key)) continue
      if (item === null) removed.push(touched.key)
      else upserts.push(item)
    }
    if (room === this.#watched)
      this.#emit({ kind: 'timeline', room, upserts, removed, reset: false })
  }

  #emit(change: EngineChange): void {
    for (const listener of [...this.#listeners]) listener(change)
  }
}

function clean(): Dirty {
  return {
    account: false,
    alerts: false,
    pairings: false,
    rooms: new Set(),
    details: new Set(),
    members: new Set(),
    items: new Map(),
    reset: false,
    notifications: new Map(),
  }
}

function isDirty(dirty: Dirty): boolean {
  return (
    dirty.account ||
    dirty.alerts ||
    dirty.pairings ||
    dirty.reset ||
    dirty.rooms.size > 0 ||
    dirty.details.size > 0 ||
    dirty.members.size > 0 ||
    dirty.items.size > 0 ||
    dirty.notifications.size > 0
  )
}
