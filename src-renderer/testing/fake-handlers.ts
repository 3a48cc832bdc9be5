/** How the fake answers each call. Deterministic; names such as `taken` and `nobody` make it refuse. */
import type { CallInput, CallName, CallOutput } from '../../src-shared/ipc/index.ts'
import type { OwnDevice, Pairing } from '../../src-shared/view-model/index.ts'
import { me, message, minute } from './fake-people.ts'
import { FakeError, type FakeState } from './fake-state.ts'

type Handlers = { [N in CallName]: (input: CallInput<N>) => CallOutput<N> }
type AccountCall = Extract<CallName, `app.${string}` | `account.${string}`>

const fakeWords =
  'harbor maple violin amber cactus ribbon orbit velvet spoon meadow lantern copper tiger mosaic pepper glacier whistle canyon saddle feather umbrella magnet pillow river'.split(
    ' ',
  )

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

function ownDevice(id: string, name: string, current: boolean, lastSeen: number): OwnDevice {
  return {
    id,
    name,
    addedAtHeight: 0,
    status: 'active',
    verified: true,
    keyDigest: '3f1a 90c4 7be2 d015',
    current,
    lastSeen,
  }
}

function accountHandlers(fake: FakeState): Pick<Handlers, AccountCall> {
  return {
    'app.state': () => fake.app,
    'app.setPassphrase': () => (fake.changeApp({ stage: 'ready' }), null),
    'app.unlock': ({ passphrase }) => {
      if (passphrase !== 'open sesame') throw new FakeError('wrong_passphrase')
      fake.changeApp({ stage: 'ready' })
      return null
    },
    'app.lock': () => (fake.changeApp({ stage: 'locked' }), null),
    'app.checkAgain': () => null,
    'app.startFreshSessions': () => (fake.changeApp({ stage: 'ready', problem: null }), null),
    'app.startOver': () => (fake.changeApp({ stage: 'onboarding', problem: null }), null),
    'app.settings': () => fake.settings,
    'app.setSettings': (patch) => {
      const given = Object.entries(patch).filter(([, value]) => value !== undefined)
      fake.settings = { ...fake.settings, ...Object.fromEntries(given) }
      return fake.settings
    },
    'app.openExternal': () => null,
    'app.copyText': () => null,
    'app.openSecondProfile': () => null,
    'app.readyToClose': () => null,
    'account.prepare': () => ({ ticket: 'ticket', words: fakeWords, confirm: [2, 10, 19] }),
    'account.checkServer': ({ server }) => {
      if (!server.includes('.')) throw new FakeError('not_a_homeserver')
      const registration = server.startsWith('closed')
        ? 'closed'
        : server.startsWith('token')
          ? 'token'
          : 'open'
      return { url: `https://${server}`, serverName: server, registration }
    },
    'account.create': ({ name, displayName }) => {
      if (name === 'taken') throw new FakeError('name_taken')
      fake.account = {
        ...fake.account,
        userId: `@${name}:home.example`,
        displayName,
        state: 'ready',
      }
      fake.changeApp({ stage: 'ready', accounts: [fake.account] })
      return fake.account
    },
    'account.signIn': ({ password }) => {
      if (password === 'wrong') throw new FakeError('wrong_password')
      fake.account = { ...fake.account, state: 'pending_approval', connection: { state: 'online' } }
      fake.pairings = [pairing('new_device', fake.now())]
      fake.changeApp({ stage: 'ready', accounts: [fake.account] })
      return fake.account
    },
    'account.signOut': () => (fake.changeApp({ stage: 'onboarding', accounts: [] }), null),
    'account.setDisplayName': ({ displayName }) => (fake.changeAccount({ displayName }), null),
    'account.devices': () => [
      ownDevice(fake.account.device, fake.account.deviceName, true, fake.now()),
      ownDevice('anna-phone-00002', 'Anna’s old tablet', false, fake.now() - 3 * 60 * minute),
    ],
    'account.removeDevice': () => null,
    'account.pairings': () => fake.pairings,
    'account.alerts': () => [...fake.alerts],
    'account.answerPairing': ({ device, same }) => {
      const step = same ? 'approved' : 'refused'
      fake.pairings = fake.pairings.map((each) =>
        each.device === device ? { ...each, step } : each,
      )
      fake.emit('pairings', { account: me, pairings: fake.pairings })
      return null
    },
    'account.invitationLink': () => ({ link: 'https://privchat.example/invite#anna-8f2k' }),
    'account.retryNow': () => (fake.changeAccount({ connection: { state: 'online' } }), null),
  }
}

function roomHandlers(fake: FakeState): Omit<Handlers, AccountCall> {
  return {
    'rooms.list': () => {
      if (fake.alerts.length > 0) {
        setTimeout(() => fake.emit('alerts', { account: me, alerts: [...fake.alerts] }), 0)
      }
      return [...fake.rooms.values()].map((held) => held.summary)
    },
    'rooms.details': ({ room }) => {
      const held = fake.roomOf(room)
      return {
        id: room,
        summary: held.summary,
        members: held.members,
        historyVisibility: 'joined',
        joinRule: held.joinRule ?? 'invite',
        servers: held.servers,
        silentServers: held.silentServers ?? [],
        hasBots: held.hasBots ?? false,
        hasBridges: held.hasBridges ?? false,
        can: { send: true, invite: true, rename: true, setJoinRule: true, redactOthers: false },
      }
    },
    'rooms.lookUp': ({ who }) => {
      const name = who.replace(/^@/, '').replace(/:.*$/, '')
      if (name === 'nobody') throw new FakeError('unknown_user')
      const userId = who.includes(':') ? who : `@${name}:home.example`
      return { userId, name, server: 'home.example', known: false, existingRoom: null }
    },
    'rooms.startDirect': ({ who }) => ({ room: fake.addRoom(who, 'direct') }),
    'rooms.createGroup': ({ name }) => ({ room: fake.addRoom(name, 'group'), notInvited: [] }),
    'rooms.invite': () => null,
    'rooms.accept': ({ room }) => fake.changeRoom(room, { membership: 'join', memberCount: 2 }),
    'rooms.decline': ({ room }) => fake.dropRoom(room),
    'rooms.leave': ({ room }) => {
      const leavingAt = fake.now() + 8_000
      fake.changeRoom(room, { leavingAt })
      return { leavingAt }
    },
    'rooms.undoLeave': ({ room }) => fake.changeRoom(room, { leavingAt: null }),
    'rooms.rename': ({ room, name }) => fake.changeRoom(room, { name }),
    'rooms.removeMember': () => null,
    'rooms.ban': ({ room, member }) => fake.changeMember(room, member, { membership: 'ban' }),
    'rooms.unban': ({ room, member }) => fake.changeMember(room, member, { membership: 'leave' }),
    'rooms.answerKnock': ({ room, member, letIn }) =>
      fake.changeMember(room, member, { membership: letIn ? 'invite' : 'leave' }),
    'rooms.setJoinRule': ({ room, rule }) => {
      fake.roomOf(room).joinRule = rule
      fake.emit('details', { account: me, room })
      return null
    },
    'rooms.setRole': ({ room, member, role }) => fake.changeMember(room, member, { role }),
    'rooms.link': ({ room }) => ({ link: `eccp:room/${room}?via=home.example` }),
    'rooms.lookUpRoom': ({ link }) => {
      if (link.includes('nowhere')) throw new FakeError('unknown_room')
      return {
        room: '!boats:lab.example',
        name: 'Boats and tides',
        topic: 'When the water is high enough',
        server: 'lab.example',
        joinRule: 'knock',
        standing: 'none',
      }
    },
    'rooms.enter': () => {
      const room = fake.addRoom('Boats and tides', 'group')
      fake.changeRoom(room, { membership: 'knock' })
      return { room, joined: false }
    },
    'rooms.withdrawKnock': ({ room }) => fake.dropRoom(room),
    'rooms.forget': ({ room }) => fake.dropRoom(room),
    'rooms.writing': () => null,
    'rooms.markRead': ({ room }) => fake.changeRoom(room, { unread: 0, mentions: 0 }),
    'rooms.markMemberSeen': ({ room, member }) => {
      const held = fake.roomOf(room)
      const found = held.members.find((each) => each.id === member)
      if (!found) throw new FakeError('bad_input')
      found.changed = false
      fake.emit('details', { account: me, room })
      return found
    },
    'timeline.page': ({ room, before, limit }) => {
      const { items } = fake.roomOf(room)
      const end = before === null ? items.length : Number(before)
      const start = Math.max(0, end - limit)
      return { room, items: items.slice(start, end), older: start > 0 ? String(start) : null }
    },
    'timeline.watch': () => null,
    'message.send': ({ room, text, replyTo, clientKey }) => {
      const answered = replyTo === null ? null : fake.find(room, replyTo)
      const item = message('me', fake.now(), text, {
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
      fake.put(room, item)
      fake.deliver(room, item)
      return { key: clientKey }
    },
    'message.edit': ({ room, envelope, text }) => (
      fake.put(room, { ...fake.find(room, envelope), text, edited: true }),
      null
    ),
    'message.delete': ({ room, envelope }) => (
      fake.put(room, { ...fake.find(room, envelope), text: '', deleted: true, reactions: [] }),
      null
    ),
    'message.react': ({ room, envelope, emoji, on }) => {
      const item = fake.find(room, envelope)
      const others = item.reactions.filter((each) => each.emoji !== emoji)
      const old = item.reactions.find((each) => each.emoji === emoji)
      const members = (old?.members ?? []).filter((each) => each !== me)
      if (on) members.push(me)
      const reactions = members.length > 0 ? [...others, { emoji, members, mine: on }] : others
      fake.put(room, { ...item, reactions })
      return null
    },
    'message.retry': ({ room, key }) => {
      const item = fake.roomOf(room).items.find((each) => each.key === key)
      if (item?.kind === 'message') {
        fake.put(room, { ...item, delivery: 'sending', failure: null })
        fake.deliver(room, { ...item, failure: null })
      }
      return null
    },
    'message.cancel': ({ room, key }) => {
      const held = fake.roomOf(room)
      held.items = held.items.filter((item) => item.key !== key)
      fake.emit('timeline', { account: me, room, upserts: [], removed: [key], reset: false })
      return null
    },
    'draft.get': ({ room }) => fake.drafts.get(room) ?? { text: '', replyTo: null },
    'draft.set': ({ room, text, replyTo }) => {
      fake.drafts.set(room, { text, replyTo })
      return fake.changeRoom(room, { hasDraft: text !== '' })
    },
    'alert.dismiss': () => null,
  }
}

export const createHandlers = (fake: FakeState): Handlers => ({
  ...accountHandlers(fake),
  ...roomHandlers(fake),
})
