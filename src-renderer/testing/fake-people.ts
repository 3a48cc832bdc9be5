/** People, rooms and lines for the fake: plausible, several scripts, nothing private. */
import type {
  AccountView,
  Member,
  MessageItem,
  NoticeItem,
  RoomSummary,
  TimelineItem,
} from '../../src-shared/view-model/index.ts'

export const minute = 60_000
export const day = 86_400_000
export const me = 'ME'.padEnd(43, 'm')

export interface Person {
  id: string
  userId: string
  name: string
  server: string
}
const person = (id: string, name: string, server = 'home.example'): Person => ({
  id: id.padEnd(43, '0'),
  userId: `@${id}:${server}`,
  name,
  server,
})
export const people = {
  mei: person('mei.lin', '林梅'),
  omar: person('omar', 'عمر الحداد', 'dar.example'),
  jonas: person('jonas', 'Jonas Weidner'),
  ada: person('ada', 'Ada Okafor', 'lab.example'),
  lucia: person('lucia', 'Lucía Fernández', 'lab.example'),
  tomas: person('tomas', 'Tomáš Novák', 'old.example'),
  helper: person('minutes', 'Minutes', 'lab.example'),
} as const

export const account: AccountView = {
  account: me,
  userId: '@anna:home.example',
  displayName: 'Anna Brandt',
  homeserver: 'home.example',
  personalNode: true,
  device: 'anna-laptop-0001',
  deviceName: 'Anna’s laptop',
  state: 'ready',
  connection: { state: 'online' },
  queuedMessages: 0,
}

let serial = 0
export const freshId = (): string => (serial++).toString(36).padStart(43, 'e')

export function message(
  from: Person | 'me',
  time: number,
  text: string,
  more: Partial<MessageItem> = {},
): MessageItem {
  const mine = from === 'me'
  const id = freshId()
  return {
    kind: 'message',
    key: id,
    envelope: id,
    sender: mine ? me : from.id,
    senderName: mine ? account.displayName : from.name,
    senderUserId: mine ? account.userId : from.userId,
    mine,
    time,
    text,
    edited: false,
    deleted: false,
    protection: { state: 'protected' },
    warnings: [],
    delivery: mine ? 'read' : null,
    deliveredTo: mine ? ['林梅'] : [],
    failure: null,
    quote: null,
    reactions: [],
    bot: false,
    bridge: null,
    expiresAt: null,
    ...more,
  }
}

export function notice(time: number, what: NoticeItem['notice']): NoticeItem {
  return { kind: 'notice', key: freshId(), time, notice: what }
}

const talk = [
  'Did you see the light over the harbour this morning?',
  'Yes! I took the long way just for that.',
  'Next time we bring a thermos.',
  'Deal. And the good cups, not the paper ones.',
  'I found the recipe you asked about. It needs two days, sadly.',
  'Two days is fine if the result is that bread again 🥖',
  'The train at 8:12 is the better one, it has the bicycle carriage.',
  'I’ll book the seats tonight then.',
  'One more thing: the key for the boathouse is with Jonas. He is away until Thursday, but his neighbour can let us in if we call before noon.',
  'Perfect, thank you.',
  '好的，我记下了。',
  'Haha, exactly.',
]

/** A long two-person history that ends at `end`, oldest first. */
export function longHistory(other: Person, count: number, end: number): TimelineItem[] {
  const items: TimelineItem[] = []
  let time = end - count * 47 * minute
  for (let index = 0; index < count; index++) {
    const text = talk[(index * 7 + (index % 5)) % talk.length] ?? ''
    const from = (index * 13) % 7 < 4 ? other : 'me'
    items.push(message(from, time, text, from === 'me' ? { deliveredTo: [other.name] } : {}))
    time += index % 4 === 0 ? 150 * minute : 2 * minute + (index % 3) * 30_000
  }
  const shift = end - time
  return items.map((item) => ({ ...item, time: item.time + shift }))
}

export function room(id: string, name: string, more: Partial<RoomSummary> = {}): RoomSummary {
  return {
    id,
    kind: 'direct',
    visibility: 'private',
    membership: 'join',
    name,
    topic: '',
    preview: null,
    lastActivity: 0,
    unread: 0,
    mentions: 0,
    memberCount: 2,
    inviter: null,
    hasDraft: false,
    leavingAt: null,
    ...more,
  }
}

export function member(who: Person | 'me', more: Partial<Member> = {}): Member {
  const mine = who === 'me'
  const seed = mine ? me : who.id
  return {
    id: seed,
    userId: mine ? account.userId : who.userId,
    name: mine ? account.displayName : who.name,
    server: mine ? account.homeserver : who.server,
    membership: 'join',
    power: 0,
    role: 'member',
    bot: false,
    me: mine,
    changed: false,
    can: { remove: !mine, ban: !mine, unban: false, letIn: false, decline: false, roles: [] },
    devices: [
      {
        id: `${seed.slice(0, 14)}-1`,
        name: mine ? account.deviceName : null,
        addedAtHeight: 0,
        status: 'active',
        verified: mine,
        keyDigest: '3f1a 90c4 7be2 d015',
      },
    ],
    ...more,
  }
}
