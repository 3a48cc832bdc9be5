/** The fake's whole world at one moment: rooms with their timelines and members. */
import type {
  JoinRule,
  Member,
  RoomSummary,
  TimelineItem,
} from '../../src-shared/view-model/index.ts'
import { day, longHistory, member, message, minute, notice, people, room } from './fake-people.ts'

export interface FakeRoom {
  summary: RoomSummary
  items: TimelineItem[]
  members: Member[]
  servers: string[]
  joinRule?: JoinRule
  silentServers?: string[]
  hasBots?: boolean
  hasBridges?: boolean
}

function withPreview(fake: FakeRoom): FakeRoom {
  const last = fake.items.findLast((item) => item.kind === 'message')
  if (last?.kind !== 'message') return fake
  const state = last.protection.state
  fake.summary = {
    ...fake.summary,
    lastActivity: last.time,
    preview: {
      sender: last.senderName,
      text: last.text,
      mine: last.mine,
      kind: last.deleted
        ? 'deleted'
        : state === 'waiting_for_key'
          ? 'waiting'
          : state === 'unreadable'
            ? 'unreadable'
            : 'text',
    },
  }
  return fake
}

function mei(now: number): FakeRoom {
  const { mei: who } = people
  const map = message(who, now - 52 * minute, '我把地图画好了，周日早上八点在码头见，可以吗？')
  const items: TimelineItem[] = [
    notice(now - 40 * day, { what: 'created', by: 'Anna Brandt' }),
    notice(now - 40 * day, { what: 'joined', who: who.name }),
    ...longHistory(who, 600, now - 1.2 * day),
    message(who, now - 70 * minute, 'Good morning! Are we still on for Sunday?', {
      reactions: [{ emoji: '☀️', members: ['ME'], mine: true }],
    }),
    message('me', now - 64 * minute, 'Yes! I’ll bring the map and the good coffee ☕️', {
      deliveredTo: [who.name],
    }),
    message(
      'me',
      now - 63 * minute,
      'The trail guide says the path along the lake is open again: https://trails.example.org/lake-loop?season=autumn',
      { deliveredTo: [who.name], edited: true },
    ),
    map,
    message(who, now - 51 * minute, '🛶🍂'),
    message('me', now - 44 * minute, '好的，没问题！', {
      deliveredTo: [who.name],
      quote: {
        envelope: map.key,
        sender: who.id,
        senderName: who.name,
        text: map.text,
        missing: false,
      },
      reactions: [
        { emoji: '❤️', members: [who.id], mine: false },
        { emoji: '👍', members: [who.id], mine: false },
      ],
    }),
    message('me', now - 43 * minute, '', { deleted: true, deliveredTo: [who.name] }),
    message(who, now - 12 * minute, 'I told Omar too, he might join us with the small boat.'),
    message('me', now - 9 * minute, 'Oh lovely. Then we are four.', {
      delivery: 'delivered',
      deliveredTo: [who.name],
    }),
    message('me', now - 2 * minute, 'See you at eight!', { delivery: 'sent', deliveredTo: [] }),
  ]
  return withPreview({
    summary: room('!mei:home.example', who.name, { peer: who.id }),
    items,
    members: [member('me', { role: 'creator', power: 100 }), member(who)],
    servers: ['home.example'],
  })
}

function garden(now: number): FakeRoom {
  const { jonas, ada, lucia, omar } = people
  const idea = message(
    ada,
    now - 3 * 60 * minute,
    'Could we move the tomatoes to the south wall? They got too little sun last year, and the wall keeps the warmth until late.',
  )
  return withPreview({
    summary: room('!garden:home.example', 'Garden on Elm Street', {
      kind: 'group',
      topic: 'Seeds, beds, watering and who has the wheelbarrow',
      memberCount: 5,
      unread: 3,
      mentions: 1,
    }),
    items: [
      notice(now - 9 * day, { what: 'created', by: jonas.name }),
      notice(now - 9 * day, { what: 'invited', who: 'Anna Brandt', by: jonas.name }),
      notice(now - 8 * day, { what: 'joined', who: 'Anna Brandt' }),
      ...longHistory(lucia, 24, now - 2 * day),
      message(jonas, now - 4 * 60 * minute, 'The soil arrived. Two cubic metres. It is… a lot.'),
      message(jonas, now - 4 * 60 * minute + 20_000, 'Who can help with wheelbarrows on Saturday?'),
      idea,
      message('me', now - 170 * minute, 'Good idea. I can be there from nine.', {
        deliveredTo: [jonas.name, ada.name, lucia.name],
        delivery: 'read',
        quote: {
          envelope: idea.key,
          sender: ada.id,
          senderName: ada.name,
          text: idea.text,
          missing: false,
        },
      }),
      notice(now - 100 * minute, { what: 'device_added', who: lucia.name, device: 'Phone' }),
      message(omar, now - 95 * minute, 'أستطيع أن أحضر بعض الأدوات من المستودع يوم السبت 🌱'),
      message(lucia, now - 40 * minute, '@Anna, do you still have the long hose?'),
      message(jonas, now - 31 * minute, 'And the gloves!', {
        reactions: [{ emoji: '😂', members: [ada.id, lucia.id], mine: false }],
      }),
    ],
    members: [
      member('me'),
      member(jonas, { role: 'creator', power: 100 }),
      member(ada, { role: 'moderator', power: 50 }),
      member(lucia, {
        changed: true,
        devices: [
          ...member(lucia).devices,
          {
            id: 'lucia-phone-0002',
            name: 'Phone',
            addedAtHeight: 3,
            status: 'active',
            verified: false,
            keyDigest: '81d0 2c6f a94b 7703',
          },
        ],
      }),
      member(omar, { membership: 'invite', devices: [] }),
      member(people.tomas, {
        membership: 'knock',
        devices: [],
        can: { remove: false, ban: true, unban: false, letIn: true, decline: true, roles: [] },
      }),
    ],
    servers: ['home.example', 'lab.example'],
    joinRule: 'knock',
  })
}

function omarRoom(now: number): FakeRoom {
  const { omar } = people
  return withPreview({
    summary: room('!omar:dar.example', omar.name, { unread: 1, peer: omar.id }),
    items: [
      notice(now - 3 * day, { what: 'created', by: omar.name }),
      message(omar, now - 2 * day, 'مرحبا آنا! كيف كانت الرحلة؟'),
      message('me', now - 2 * day + minute, 'Wonderful, thank you! شكراً 🌊', {
        deliveredTo: [omar.name],
      }),
      message(omar, now - 26 * 60 * minute, '', {
        protection: { state: 'unreadable', reason: 'key_exchange_failed' },
      }),
      message(omar, now - 25 * 60 * minute, '', {
        protection: { state: 'waiting_for_key', since: now - 25 * 60 * minute },
      }),
      notice(now - 25 * 60 * minute, { what: 'refused', reason: 'replayed' }),
      message(omar, now - 24 * 60 * minute, 'وصلتني رسالتك، سأرد عليك مساء اليوم إن شاء الله.', {
        warnings: ['key_changed'],
      }),
    ],
    members: [member('me'), member(omar, { changed: true })],
    servers: ['home.example', 'dar.example'],
  })
}

function lab(now: number): FakeRoom {
  const { ada, helper, tomas } = people
  return withPreview({
    summary: room('!lab:lab.example', 'Reading group', {
      kind: 'group',
      visibility: 'invite_only',
      memberCount: 4,
      hasDraft: true,
    }),
    items: [
      message(ada, now - 5 * day, 'Chapter four until next week, please.'),
      message(helper, now - 5 * day + minute, 'Noted: chapter four, next meeting Tuesday 18:00.', {
        bot: true,
      }),
      message(tomas, now - 4 * day, 'I read it on the tram. Short and very clear.', {
        bridge: { network: 'Old Chat', sender: 'tomas' },
      }),
      message('me', now - 4 * day + 5 * minute, 'I have questions about the second proof.', {
        delivery: 'failed',
        failure: 'recipient_unreachable',
        deliveredTo: [],
      }),
    ],
    members: [
      member('me'),
      member(ada, { role: 'admin', power: 100 }),
      member(helper, { bot: true }),
      member(tomas),
    ],
    servers: ['home.example', 'lab.example', 'old.example'],
    hasBots: true,
    hasBridges: true,
  })
}

export function fakeWorld(now: number): FakeRoom[] {
  const { lucia, tomas } = people
  return [
    mei(now),
    garden(now),
    omarRoom(now),
    lab(now),
    withPreview({
      summary: room('!quiet:home.example', 'Harbour choir', {
        kind: 'group',
        visibility: 'shadow',
        memberCount: 11,
      }),
      items: longHistory(people.ada, 8, now - 12 * day),
      members: [member('me'), member(people.ada)],
      servers: ['home.example'],
    }),
    withPreview({
      summary: room('!walks:old.example', 'Night walks', {
        kind: 'group',
        membership: 'leave',
        ended: { how: 'banned', by: people.ada.name, reason: 'Too many puns' },
      }),
      items: longHistory(people.ada, 3, now - 2 * day),
      members: [member('me', { membership: 'ban' }), member(people.ada)],
      servers: ['old.example'],
    }),
    {
      summary: room('!chess:lab.example', 'Chess by the pond', {
        kind: 'group',
        membership: 'knock',
        topic: 'Thursdays, bring a board',
        lastActivity: now - 30 * minute,
      }),
      items: [],
      members: [],
      servers: ['lab.example'],
    },
    {
      summary: room('!invite:lab.example', lucia.name, {
        peer: lucia.id,
        membership: 'invite',
        lastActivity: now - 20 * minute,
        inviter: { userId: lucia.userId, name: lucia.name, server: lucia.server },
      }),
      items: [],
      members: [],
      servers: [lucia.server],
    },
    {
      summary: room('!invite2:old.example', 'Sunday football', {
        kind: 'group',
        membership: 'invite',
        topic: 'Every second Sunday, eleven o’clock',
        lastActivity: now - 90 * minute,
        inviter: { userId: tomas.userId, name: tomas.name, server: tomas.server },
      }),
      items: [],
      members: [],
      servers: [tomas.server],
    },
  ]
}
