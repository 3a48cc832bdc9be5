/** What the fake remembers, and the few ways in which it changes. */
import type {
  AppState,
  EventName,
  EventPayload,
  IpcErrorCode,
  Settings,
} from '../../src-shared/ipc/index.ts'
import type {
  AccountView,
  Alert,
  Member,
  MessageItem,
  Pairing,
  TimelineItem,
} from '../../src-shared/view-model/index.ts'
import { account as anna, freshId, me } from './fake-people.ts'
import { fakeWorld, type FakeRoom } from './fake-world.ts'

export class FakeError extends Error {
  readonly code: IpcErrorCode
  constructor(code: IpcErrorCode) {
    super(code)
    this.code = code
  }
}

export interface FakeOptions {
  readonly now?: () => number
  readonly rooms?: readonly FakeRoom[]
  readonly app?: Partial<AppState>
  readonly account?: Partial<AccountView>
  readonly settings?: Partial<Settings>
  readonly pairings?: readonly Pairing[]
  readonly alerts?: readonly Alert[]
  /** Milliseconds between the steps of a pretended delivery; 0 sends without steps. */
  readonly pace?: number
}

type Listener = (payload: never) => void

export class FakeState {
  readonly now: () => number
  readonly pace: number
  readonly rooms: Map<string, FakeRoom>
  readonly drafts = new Map<string, { text: string; replyTo: string | null }>([
    ['!lab:lab.example', { text: 'What if we meet at ', replyTo: null }],
  ])
  readonly alerts: readonly Alert[]
  account: AccountView
  app: AppState
  settings: Settings
  pairings: Pairing[]
  readonly #listeners = new Map<EventName, Set<Listener>>()

  constructor(options: FakeOptions) {
    this.now = options.now ?? (() => Date.now())
    this.pace = options.pace ?? 700
    const rooms = options.rooms ?? fakeWorld(this.now())
    this.rooms = new Map(rooms.map((fake) => [fake.summary.id, fake]))
    this.alerts = options.alerts ?? []
    this.account = { ...anna, ...options.account }
    this.pairings = [...(options.pairings ?? [])]
    this.settings = {
      theme: 'system',
      notifications: 'full',
      sendReadReceipts: true,
      sendTyping: true,
      confirmLinks: true,
      ...options.settings,
    }
    this.app = {
      stage: 'ready',
      problem: null,
      keychain: 'available',
      personalNode: { state: 'running', url: 'http://127.0.0.1:8008', serverName: 'home.example' },
      developmentShell: false,
      version: '0.1.0',
      accounts: [this.account],
      ...options.app,
    }
  }

  on<N extends EventName>(name: N, listener: (payload: EventPayload<N>) => void): () => void {
    const set = this.#listeners.get(name) ?? new Set<Listener>()
    this.#listeners.set(name, set)
    const entry: Listener = (payload) => listener(payload)
    set.add(entry)
    return () => set.delete(entry)
  }
  emit<N extends EventName>(name: N, payload: EventPayload<N>): void {
    for (const listener of this.#listeners.get(name) ?? []) listener(payload as never)
  }

  changeApp(patch: Partial<AppState>): void {
    this.app = { ...this.app, ...patch }
    this.emit('app.state', this.app)
  }
  changeAccount(patch: Partial<AccountView>): void {
    this.account = { ...this.account, ...patch }
    this.app = { ...this.app, accounts: [this.account] }
    this.emit('account', this.account)
  }

  roomOf(id: string): FakeRoom {
    const found = this.rooms.get(id)
    if (!found) throw new FakeError('unknown_room')
    return found
  }
  changeRoom(id: string, patch: Partial<FakeRoom['summary']>): null {
    const fake = this.roomOf(id)
    fake.summary = { ...fake.summary, ...patch }
    this.emit('rooms', { account: me, changed: [fake.summary], removed: [] })
    return null
  }
  dropRoom(id: string): null {
    this.rooms.delete(id)
    this.emit('rooms', { account: me, changed: [], removed: [id] })
    return null
  }
  changeMember(id: string, member: string, patch: Partial<Member>): null {
    const fake = this.roomOf(id)
    fake.members = fake.members.map((each) =>
      each.id === member
        ? { ...each, ...patch, can: { ...each.can, unban: patch.membership === 'ban' } }
        : each,
    )
    this.emit('details', { account: me, room: id })
    return null
  }
  addRoom(name: string, kind: 'direct' | 'group'): string {
    const id = `!${freshId()}:home.example`
    const [template] = fakeWorld(this.now())
    if (!template) throw new FakeError('internal')
    const summary = { ...template.summary, id, kind, name, preview: null, lastActivity: this.now() }
    this.rooms.set(id, { ...template, summary, items: [] })
    this.emit('rooms', { account: me, changed: [summary], removed: [] })
    return id
  }

  /** Inserts or replaces an item and tells the window. */
  put(id: string, item: TimelineItem): void {
    const fake = this.roomOf(id)
    const at = fake.items.findIndex(({ key }) => key === item.key)
    if (at < 0) fake.items.push(item)
    else fake.items[at] = item
    this.emit('timeline', { account: me, room: id, upserts: [item], removed: [], reset: false })
    if (item.kind !== 'message') return
    this.changeRoom(id, {
      lastActivity: item.time,
      preview: { sender: item.senderName, text: item.text, mine: item.mine, kind: 'text' },
    })
  }
  find(id: string, envelope: string): MessageItem {
    const found = this.roomOf(id).items.find(
      (item) => item.kind === 'message' && item.envelope === envelope,
    )
    if (found?.kind !== 'message') throw new FakeError('bad_input')
    return found
  }
  /** Pretends that the message leaves, arrives and is read, step by step. */
  deliver(id: string, item: MessageItem): void {
    if (this.pace === 0 || this.account.connection.state !== 'online') return
    const others = this.roomOf(id)
      .members.filter((each) => !each.me)
      .map((each) => each.name)
    const steps: Partial<MessageItem>[] = [
      { delivery: 'sending' },
      { delivery: 'sent', envelope: item.key },
      { delivery: 'delivered', envelope: item.key, deliveredTo: others },
      { delivery: 'read', envelope: item.key, deliveredTo: others },
    ]
    steps.forEach((step, index) =>
      setTimeout(() => this.put(id, { ...item, ...step }), this.pace * (index + 1)),
    )
  }
}
