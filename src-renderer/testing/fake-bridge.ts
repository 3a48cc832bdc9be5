/**
 * An in-memory stand-in for main, for the gallery and the tests of the store core. It keeps rooms,
 * answers every call, and pretends that the other side receives and reads what is sent. Not shipped.
 */
import type {
  AppState,
  Bridge,
  CallInput,
  CallName,
  CallOutput,
  CallResult,
  EventName,
  EventPayload,
  IpcErrorCode,
  Settings,
} from '../../src-shared/ipc/index.ts'
import type {
  AccountView,
  Alert,
  MessageItem,
  Pairing,
  TimelineItem,
} from '../../src-shared/view-model/index.ts'
import { account as anna, freshId, me, message, minute } from './fake-people.ts'
import { fakeWorld, type FakeRoom } from './fake-world.ts'

class FakeError extends Error {
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

type Handlers = { [N in CallName]: (input: CallInput<N>) => CallOutput<N> }
type Listener = (payload: never) => void

const fakeWords =
  'harbor maple violin amber cactus ribbon orbit velvet spoon meadow lantern copper tiger mosaic pepper glacier whistle canyon saddle feather umbrella magnet pillow river'.split(
    ' ',
  )

export interface FakeBridge extends Bridge {
  emit<N extends EventName>(name: N, payload: EventPayload<N>): void
  /** A message from somebody else arrives. */
  receive(room: string, item: TimelineItem): void
  changeAccount(patch: Partial<AccountView>): void
  /** The next call of this name fails once. */
  failNext(name: CallName, code: IpcErrorCode): void
  readonly rooms: Map<string, FakeRoom>
  readonly log: { name: CallName; input: unknown }[]
}

export function createFakeBridge(options: FakeOptions = {}): FakeBridge {
  const now = options.now ?? (() => Date.now())
  const pace = options.pace ?? 700
  const rooms = new Map((options.rooms ?? fakeWorld(now())).map((fake) => [fake.summary.id, fake]))
  const listeners = new Map<EventName, Set<Listener>>()
  const failures = new Map<CallName, IpcErrorCode>()
  const drafts = new Map<string, { text: string; replyTo: string | null }>([
    ['!lab:lab.example', { text: 'What if we meet at ', replyTo: null }],
  ])
  const log: { name: CallName; input: unknown }[] = []
  let account: AccountView = { ...anna, ...options.account }
  let pairings = [...(options.pairings ?? [])]
  let settings: Settings = {
    theme: 'system',
    notifications: 'full',
    sendReadReceipts: true,
    confirmLinks: true,
    ...options.settings,
  }
  let app: AppState = {
    stage: 'ready',
    problem: null,
    keychain: 'available',
    personalNode: { state: 'running', url: 'http://127.0.0.1:8008', serverName: 'home.example' },
    developmentShell: false,
    version: '0.1.0',
    accounts: [account],
    ...options.app,
  }

  function emit<N extends EventName>(name: N, payload: EventPayload<N>): void {
    for (const listener of listeners.get(name) ?? []) listener(payload as never)
  }
  function changeApp(patch: Partial<AppState>): void {
    app = { ...app, ...patch }
    emit('app.state', app)
  }
  function changeAccount(patch: Partial<AccountView>): void {
    account = { ...account, ...patch }
    app = { ...app, accounts: [account] }
    emit('account', account)
  }
  function roomOf(id: string): FakeRoom {
    const found = rooms.get(id)
    if (!found) throw new FakeError('unknown_room')
    return found
  }
  function changeRoom(id: string, patch: Partial<FakeRoom['summary']>): null {
    const fake = roomOf(id)
    fake.summary = { ...fake.summary, ...patch }
    emit('rooms', { account: me, changed: [fake.summary], removed: [] })
    return null
  }
  function put(id: string, item: TimelineItem): void {
    const fake = roomOf(id)
    const at = fake.items.findIndex(({ key }) => key === item.key)
    if (at < 0) fake.items.push(item)
    else fake.items[at] = item
    emit('timeline', { account: me, room: id, upserts: [item], removed: [], reset: false })
    if (item.kind !== 'message') return
    changeRoom(id, {
      lastActivity: item.time,
      preview: { sender: item.senderName, text: item.text, mine: item.mine, kind: 'text' },
    })
  }
  function find(id: string, envelope: string): MessageItem {
    const found = roomOf(id).items.find(
      (item) => item.kind === 'message' && item.envelope === envelope,
    )
    if (found?.kind !== 'message') throw new FakeError('bad_input')
    return found
  }
  function deliver(id: string, item: MessageItem): void {
    if (pace === 0 || account.connection.state !== 'online') return
    const others = roomOf(id)
      .members.filter((each) => !each.me)
      .map((each) => each.name)
    const steps: Partial<MessageItem>[] = [
      { delivery: 'sending' },
      { delivery: 'sent', envelope: item.key },
      { delivery: 'delivered', envelope: item.key, deliveredTo: others },
      { delivery: 'read', envelope: item.key, deliveredTo: others },
    ]
    steps.forEach((step, index) =>
      setTimeout(() => put(id, { ...item, ...step }), pace * (index + 1)),
    )
  }

  const handlers: Handlers = {
    'app.state': () => app,
    'app.setPassphrase': () => (changeApp({ stage: 'ready' }), null),
    'app.unlock': ({ passphrase }) => {
      if (passphrase !== 'open sesame') throw new FakeError('wrong_passphrase')
      changeApp({ stage: 'ready' })
      return null
    },
    'app.lock': () => (changeApp({ stage: 'locked' }), null),
    'app.startFreshSessions': () => (changeApp({ stage: 'ready', problem: null }), null),
    'app.settings': () => settings,
    'app.setSettings': (patch) => {
      const given = Object.entries(patch).filter(([, value]) => value !== undefined)
      settings = { ...settings, ...Object.fromEntries(given) }
      return settings
    },
    'app.openExternal': () => null,
    'app.copyText': () => null,
    'app.openSecondProfile': () => null,
    'account.prepare': () => ({ ticket: 'ticket', words: fakeWords, confirm: [2, 10, 19] }),
    'account.checkServer': ({ server }) => {
      if (!server.includes('.')) throw new FakeError('not_a_homeserver')
      const registration = server.startsWith('closed') ? 'closed' : 'open'
      return { url: `https://${server}`, serverName: server, registration }
    },
    'account.create': ({ name, displayName }) => {
      if (name === 'taken') throw new FakeError('name_taken')
      account = { ...account, userId: `@${name}:home.example`, displayName, state: 'ready' }
      changeApp({ stage: 'ready', accounts: [account] })
      return account
    },
    'account.signIn': ({ password }) => {
      if (password === 'wrong') throw new FakeError('wrong_password')
      account = { ...account, state: 'pending_approval', connection: { state: 'online' } }
      pairings = [pairing('new_device', now())]
      changeApp({ stage: 'ready', accounts: [account] })
      return account
    },
    'account.signOut': () => (changeApp({ stage: 'onboarding', accounts: [] }), null),
    'account.setDisplayName': ({ displayName }) => (changeAccount({ displayName }), null),
    'account.devices': () => [
      ownDevice(account.device, account.deviceName, true, now()),
      ownDevice('anna-phone-00002', 'Anna’s old tablet', false, now() - 3 * 60 * minute),
    ],
    'account.removeDevice': () => null,
    'account.pairings': () => pairings,
    'account.answerPairing': ({ device, same }) => {
      const step = same ? 'approved' : 'refused'
      pairings = pairings.map((each) => (each.device === device ? { ...each, step } : each))
      emit('pairings', { account: me, pairings })
      return null
    },
    'account.invitationLink': () => ({ link: 'https://privchat.example/invite#anna-8f2k' }),
    'account.retryNow': () => (changeAccount({ connection: { state: 'online' } }), null),
    'rooms.list': () => {
      if ((options.alerts?.length ?? 0) > 0) {
        setTimeout(() => emit('alerts', { account: me, alerts: [...(options.alerts ?? [])] }), 0)
      }
      return [...rooms.values()].map((fake) => fake.summary)
    },
    'rooms.details': ({ room }) => {
      const fake = roomOf(room)
      return {
        id: room,
        summary: fake.summary,
        members: fake.members,
        historyVisibility: 'joined',
        joinRule: 'invite',
        servers: fake.servers,
        hasBots: fake.hasBots ?? false,
        hasBridges: fake.hasBridges ?? false,
        can: { send: true, invite: true, kick: true, rename: true, redactOthers: false },
      }
    },
    'rooms.lookUp': ({ who }) => {
      const name = who.replace(/^@/, '').replace(/:.*$/, '')
      if (name === 'nobody') throw new FakeError('unknown_user')
      const userId = who.includes(':') ? who : `@${name}:home.example`
      return { userId, name, server: 'home.example', known: false, existingRoom: null }
    },
    'rooms.startDirect': ({ who }) => ({ room: addRoom(who, 'direct') }),
    'rooms.createGroup': ({ name }) => ({ room: addRoom(name, 'group'), notInvited: [] }),
    'rooms.invite': () => null,
    'rooms.accept': ({ room }) => changeRoom(room, { membership: 'join', memberCount: 2 }),
    'rooms.decline': ({ room }) => {
      rooms.delete(room)
      emit('rooms', { account: me, changed: [], removed: [room] })
      return null
    },
    'rooms.leave': ({ room }) => {
      const leavingAt = now() + 8_000
      changeRoom(room, { leavingAt })
      return { leavingAt }
    },
    'rooms.undoLeave': ({ room }) => changeRoom(room, { leavingAt: null }),
    'rooms.rename': ({ room, name }) => changeRoom(room, { name }),
    'rooms.removeMember': () => null,
    'rooms.markRead': ({ room }) => changeRoom(room, { unread: 0, mentions: 0 }),
    'rooms.markMemberSeen': ({ room, member }) => {
      const fake = roomOf(room)
      const found = fake.members.find((each) => each.id === member)
      if (!found) throw new FakeError('bad_input')
      found.changed = false
      emit('details', { account: me, room })
      return found
    },
    'timeline.page': ({ room, before, limit }) => {
      const { items } = roomOf(room)
      const end = before === null ? items.length : Number(before)
      const start = Math.max(0, end - limit)
      return { room, items: items.slice(start, end), older: start > 0 ? String(start) : null }
    },
    'timeline.watch': () => null,
    'message.send': ({ room, text, replyTo, clientKey }) => {
      const answered = replyTo === null ? null : find(room, replyTo)
      const item = message('me', now(), text, {
        key: clientKey,
        envelope: null,
        delivery: 'queued',
        deliveredTo: [],
        quote: answered && {
          envelope: replyTo ?? '',
          sender: answered.sender,
          senderName: answered.senderName,
          text: answered.text,
          missing: false,
        },
      })
      put(room, item)
      deliver(room, item)
      return { key: clientKey }
    },
    'message.edit': ({ room, envelope, text }) => (
      put(room, { ...find(room, envelope), text, edited: true }),
      null
    ),
    'message.delete': ({ room, envelope }) => (
      put(room, { ...find(room, envelope), text: '', deleted: true, reactions: [] }),
      null
    ),
    'message.react': ({ room, envelope, emoji, on }) => {
      const item = find(room, envelope)
      const others = item.reactions.filter((each) => each.emoji !== emoji)
      const old = item.reactions.find((each) => each.emoji === emoji)
      const members = (old?.members ?? []).filter((each) => each !== me)
      if (on) members.push(me)
      const reactions = members.length > 0 ? [...others, { emoji, members, mine: on }] : others
      put(room, { ...item, reactions })
      return null
    },
    'message.retry': ({ room, key }) => {
      const item = roomOf(room).items.find((each) => each.key === key)
      if (item?.kind === 'message') {
        put(room, { ...item, delivery: 'sending', failure: null })
        deliver(room, { ...item, failure: null })
      }
      return null
    },
    'message.cancel': ({ room, key }) => {
      const fake = roomOf(room)
      fake.items = fake.items.filter((item) => item.key !== key)
      emit('timeline', { account: me, room, upserts: [], removed: [key], reset: false })
      return null
    },
    'draft.get': ({ room }) => drafts.get(room) ?? { text: '', replyTo: null },
    'draft.set': ({ room, text, replyTo }) => {
      drafts.set(room, { text, replyTo })
      return changeRoom(room, { hasDraft: text !== '' })
    },
    'alert.dismiss': () => null,
  }

  function addRoom(name: string, kind: 'direct' | 'group'): string {
    const id = `!${freshId()}:home.example`
    const [template] = fakeWorld(now())
    if (!template) throw new FakeError('internal')
    const summary = { ...template.summary, id, kind, name, preview: null, lastActivity: now() }
    rooms.set(id, { ...template, summary, items: [] })
    emit('rooms', { account: me, changed: [summary], removed: [] })
    return id
  }

  return {
    rooms,
    log,
    emit,
    changeAccount,
    receive: put,
    failNext: (name, code) => failures.set(name, code),
    async call<N extends CallName>(name: N, input: CallInput<N>): Promise<CallResult<N>> {
      log.push({ name, input })
      const failure = failures.get(name)
      failures.delete(name)
      await Promise.resolve()
      try {
        if (failure) throw new FakeError(failure)
        return { ok: true, value: handlers[name](input) }
      } catch (error) {
        return { ok: false, error: { code: error instanceof FakeError ? error.code : 'internal' } }
      }
    },
    on(name, listener) {
      const set = listeners.get(name) ?? new Set<Listener>()
      listeners.set(name, set)
      const entry: Listener = (payload) => listener(payload)
      set.add(entry)
      return () => set.delete(entry)
    },
  }
}

export function pairing(side: Pairing['side'], requestedAt: number): Pairing {
  return {
    device: 'anna-new-00000003',
    deviceName: 'Anna’s new laptop',
    side,
    step: 'compare',
    code: '482 7913',
    requestedAt,
  }
}

function ownDevice(id: string, name: string, current: boolean, lastSeen: number) {
  return {
    id,
    name,
    addedAtHeight: 0,
    status: 'active' as const,
    verified: true,
    keyDigest: '3f1a 90c4 7be2 d015',
    current,
    lastSeen,
  }
}
