/** The tables of the auth rules (spec 8.5), row by row: every membership from every other, every threshold. */
import { describe, expect, it } from 'vitest'
import { checkAuth } from './auth.ts'
import {
  inviteBody,
  joinBody,
  joinRulesBody,
  nameBody,
  powerBody,
  stateBody,
  topicBody,
} from './builders.ts'
import type { StateBody } from './builders.ts'
import type { Membership, PowerContent } from './content.ts'
import type { RoomEvent } from './event.ts'
import {
  applyEvent,
  canBan,
  canInvite,
  canJoin,
  canKick,
  canKnock,
  canLeave,
  canSetPower,
  canUnban,
  emptyState,
  powerLevels,
} from './state.ts'
import type { RoomState } from './state.ts'
import {
  createBodyOf,
  createLab,
  eventAt,
  messageAt,
  quickCrypto,
  rosterAt,
} from './testing/lab.ts'
import type { Person } from './testing/lab.ts'

const lab = createLab(quickCrypto)
const alice = lab.person('alice', 'a.example')
const [mod, peer] = [lab.person('mod', 'b.example'), lab.person('peer', 'c.example')]
const [bob, carol] = [lab.person('bob', 'b.example'), lab.person('carol', 'c.example')]

/** Nothing is asked here: a state is put together from whatever events it is to hold. */
function withEvents(state: RoomState, ...makers: ((state: RoomState) => RoomEvent)[]): RoomState {
  return makers.reduce((reached, make) => applyEvent(reached, make(reached)), state)
}

const by = (person: Person, body: StateBody) => (state: RoomState) =>
  eventAt(lab, person, state, body)
const roster = (person: Person) => (state: RoomState) => rosterAt(lab, person, state)
const membership = (person: Person, is: Membership) =>
  by(alice, stateBody('e.room.member', person.member, { membership: is, user_id: person.userId }))

const LEVELS: PowerContent = {
  members: { [mod.member]: 50, [peer.member]: 50 },
  default: 0,
  events: { 'e.room.power': 50 },
  invite: 50,
  kick: 50,
  ban: 50,
  redact: 50,
  state_default: 50,
}
const founded = withEvents(
  emptyState,
  by(alice, createBodyOf(lab, alice)),
  by(alice, joinBody(alice.member, alice.userId)),
  roster(alice),
  by(alice, powerBody(LEVELS)),
)
const room = withEvents(
  founded,
  ...[mod, peer, bob].flatMap((person) => [membership(person, 'join'), roster(person)]),
)

function verdict(event: RoomEvent, state: RoomState): string {
  const result = checkAuth(event, state)
  return result.ok ? 'ok' : result.code
}

const CURRENT = ['none', 'invite', 'join', 'leave', 'ban', 'knock'] as const
const NEW = ['invite', 'join', 'leave', 'ban', 'knock'] as const

function being(state: RoomState, person: Person, current: (typeof CURRENT)[number]): RoomState {
  return current === 'none' ? state : withEvents(state, membership(person, current))
}

function becoming(person: Person, next: Membership): StateBody {
  return stateBody('e.room.member', person.member, { membership: next, user_id: person.userId })
}

describe('one’s own membership', () => {
  const everyone = ['none', 'invite', 'join', 'leave', 'knock']
  const invited = ['invite', 'join']
  const staying = ['join', 'invite', 'knock']
  // Per join rule and new membership: from which ones, and what anything else is refused as.
  const rows = [
    ['invite', 'join', invited, 'not_invited'],
    ['knock', 'join', invited, 'not_invited'],
    ['public', 'join', everyone, 'not_invited'],
    ['invite', 'leave', staying, 'bad_transition'],
    ['knock', 'leave', staying, 'bad_transition'],
    ['public', 'leave', staying, 'bad_transition'],
    ['invite', 'knock', [], 'bad_transition'],
    ['knock', 'knock', ['none', 'leave'], 'bad_transition'],
    ['public', 'knock', [], 'bad_transition'],
    ['public', 'invite', [], 'bad_transition'],
    ['public', 'ban', [], 'bad_transition'],
  ] as const

  it.each(rows)('under the join rule %s: %s', (rule, next, from: readonly string[], otherwise) => {
    const ruled = withEvents(room, by(alice, joinRulesBody(rule)), roster(carol))
    for (const current of CURRENT) {
      const state = being(ruled, carol, current)
      const code = current === 'ban' ? 'banned' : from.includes(current) ? 'ok' : otherwise
      expect([current, verdict(eventAt(lab, carol, state, becoming(carol, next)), state)]).toEqual([
        current,
        code,
      ])
      // What a client asks before it tries is what the rules answer.
      const asked = { join: canJoin, leave: canLeave, knock: canKnock, invite: no, ban: no }[next]
      expect([current, asked(state, carol.member)]).toEqual([current, code === 'ok'])
    }
  })

  it('is asked for by invitation where the room says nothing', () => {
    const state = withEvents(room, roster(carol))
    for (const next of ['join', 'knock'] as const)
      expect(verdict(eventAt(lab, carol, state, becoming(carol, next)), state)).not.toBe('ok')
  })

  it('is the creator’s from the start, but not after it has left', () => {
    const created = withEvents(emptyState, by(alice, createBodyOf(lab, alice)))
    const join = (state: RoomState) =>
      verdict(eventAt(lab, alice, state, joinBody(alice.member, alice.userId)), state)
    expect(join(created)).toBe('ok')
    for (const [current, code] of [
      ['leave', 'not_invited'],
      ['knock', 'not_invited'],
      ['ban', 'banned'],
      ['invite', 'ok'],
    ] as const) {
      const state = withEvents(created, membership(alice, current))
      expect([current, join(state)]).toEqual([current, code])
      expect(canJoin(state, alice.member)).toBe(code === 'ok')
    }
  })

  function no(): boolean {
    return false
  }
})

describe('another’s membership', () => {
  // From each membership, by a moderator of 50 about one of 0, with every threshold at 50.
  const rows = [
    ['invite', { join: 'bad_transition', ban: 'banned' }, 'ok'],
    ['leave', { none: 'bad_transition', leave: 'bad_transition' }, 'ok'],
    ['ban', {}, 'ok'],
    ['join', {}, 'bad_transition'],
    ['knock', {}, 'bad_transition'],
  ] as const

  it.each(rows)('by one with the power for it: %s', (next, codes: object, otherwise) => {
    for (const current of CURRENT) {
      const state = being(room, carol, current)
      const code: unknown = new Map(Object.entries(codes)).get(current) ?? otherwise
      expect([current, verdict(eventAt(lab, mod, state, becoming(carol, next)), state)]).toEqual([
        current,
        code,
      ])
      expect([current, may(next, state, mod, carol)]).toEqual([current, code === 'ok'])
    }
  })

  it.each([
    ['invite', 'none', { invite: 51 }, 'power_too_low'],
    ['invite', 'none', { kick: 51, ban: 51 }, 'ok'],
    ['leave', 'join', { kick: 51 }, 'power_too_low'],
    ['leave', 'invite', { kick: 51 }, 'power_too_low'],
    ['leave', 'knock', { kick: 51 }, 'power_too_low'],
    ['leave', 'join', { ban: 51 }, 'ok'],
    ['leave', 'ban', { ban: 51 }, 'power_too_low'],
    ['leave', 'ban', { kick: 51 }, 'ok'],
    ['ban', 'join', { ban: 51 }, 'power_too_low'],
    ['ban', 'none', { ban: 51 }, 'power_too_low'],
    ['ban', 'join', { kick: 51 }, 'ok'],
  ] as const)('needs the power for it: %s from %s', (next, current, changes, code) => {
    const levels = powerBody({ ...LEVELS, ...changes })
    const state = being(withEvents(room, by(alice, levels)), carol, current)
    expect(verdict(eventAt(lab, mod, state, becoming(carol, next)), state)).toBe(code)
    expect(may(next, state, mod, carol)).toBe(code === 'ok')
  })

  it.each([
    ['an equal', peer, 'not_outranked'],
    ['one above', alice, 'not_outranked'],
    ['one below', bob, 'ok'],
  ] as const)('takes strictly more power than the target’s to remove: %s', (_, target, code) => {
    for (const next of ['leave', 'ban'] as const) {
      expect(verdict(eventAt(lab, mod, room, becoming(target, next)), room)).toBe(code)
      expect(may(next, room, mod, target)).toBe(code === 'ok')
    }
    const banned = withEvents(room, membership(target, 'ban'))
    expect(verdict(eventAt(lab, mod, banned, becoming(target, 'leave')), banned)).toBe(code)
    expect(canUnban(banned, mod.member, target.member)).toBe(code === 'ok')
  })

  it('is refused as not outranked before it is refused for the threshold', () => {
    const state = withEvents(room, by(alice, powerBody({ ...LEVELS, kick: 60, ban: 60 })))
    for (const next of ['leave', 'ban'] as const)
      expect(verdict(eventAt(lab, mod, state, becoming(peer, next)), state)).toBe('not_outranked')
  })

  it('is for the joined alone', () => {
    for (const current of ['invite', 'leave', 'ban', 'knock'] as const) {
      const state = withEvents(room, membership(mod, current))
      for (const next of NEW) {
        expect(verdict(eventAt(lab, mod, state, becoming(bob, next)), state)).toBe('not_joined')
        expect(may(next, state, mod, bob)).toBe(false)
      }
    }
  })

  it('is never one’s own: nobody invites, kicks or bans themselves', () => {
    for (const ask of [canInvite, canKick, canBan])
      expect(ask(room, alice.member, alice.member)).toBe(false)
  })

  function may(next: Membership, state: RoomState, sender: Person, target: Person): boolean {
    const [from, to] = [sender.member, target.member]
    if (next === 'invite') return canInvite(state, from, to)
    if (next === 'ban') return canBan(state, from, to)
    return next === 'leave' && (canKick(state, from, to) || canUnban(state, from, to))
  }
})

describe('the user id of a membership', () => {
  const elsewhere = (person: Person, is: Membership) =>
    stateBody('e.room.member', person.member, { membership: is, user_id: '@bob:evil.example' })

  it('is that of the roster, a founding one included, whatever the membership', () => {
    for (const target of [bob, alice])
      for (const next of ['invite', 'leave', 'ban'] as const)
        for (const sender of [mod, alice])
          expect(verdict(eventAt(lab, sender, room, elsewhere(target, next)), room)).toBe(
            'user_id_changed',
          )
    const created = withEvents(emptyState, by(alice, createBodyOf(lab, alice)))
    const join = eventAt(lab, alice, created, elsewhere(alice, 'join'))
    expect(verdict(join, created)).toBe('user_id_changed')
  })

  it('is without a roster that of the membership, but for a new invitation', () => {
    const state = withEvents(room, membership(carol, 'invite'))
    for (const [next, code] of [
      ['invite', 'ok'],
      ['leave', 'user_id_changed'],
      ['ban', 'user_id_changed'],
    ] as const)
      expect(verdict(eventAt(lab, mod, state, elsewhere(carol, next)), state)).toBe(code)
  })

  it('is anything of someone the room has never heard of', () => {
    for (const next of ['invite', 'ban'] as const)
      expect(verdict(eventAt(lab, mod, room, elsewhere(carol, next)), room)).toBe('ok')
  })
})

describe('a change of power by one who has 50', () => {
  const OTHER = 'x.poll'
  const types = (changes: Record<string, number>) => ({
    events: { 'e.room.power': 50, ...changes },
  })
  const people = (changes: Record<string, number>) => ({
    members: { [mod.member]: 50, [peer.member]: 50, ...changes },
  })
  type Row = readonly [string, Partial<PowerContent>, Partial<PowerContent>, string]
  const thresholds = ['invite', 'kick', 'ban', 'redact', 'state_default'] as const
  const rows: readonly Row[] = [
    ...thresholds.flatMap((name): Row[] => [
      [`${name} from 50 to less`, { [name]: 50 }, { [name]: 49 }, 'ok'],
      [`${name} from less to 50`, { [name]: 49 }, { [name]: 50 }, 'ok'],
      [`${name} from above 50`, { [name]: 51 }, { [name]: 50 }, 'power_too_low'],
      [`${name} to above 50`, { [name]: 50 }, { [name]: 51 }, 'power_too_low'],
      [`${name} left above 50`, { [name]: 60 }, { [name]: 60, ...people({}) }, 'ok'],
    ]),
    ['a type from 50 to less', types({ [OTHER]: 50 }), types({ [OTHER]: 49 }), 'ok'],
    ['a type from above 50', types({ [OTHER]: 51 }), types({ [OTHER]: 50 }), 'power_too_low'],
    ['a type to above 50', {}, types({ [OTHER]: 51 }), 'power_too_low'],
    [
      'a type of state, off the list at the value it keeps above 50',
      { state_default: 60, ...types({ 'e.room.topic': 60 }) },
      { state_default: 60 },
      'ok',
    ],
    [
      'a type of state, onto the list from above 50',
      { state_default: 60 },
      { state_default: 60, ...types({ 'e.room.topic': 50 }) },
      'power_too_low',
    ],
    [
      'messages and redactions, onto the list from 0',
      { state_default: 60 },
      { state_default: 60, ...types({ 'e.message': 50, 'e.redaction': 50 }) },
      'ok',
    ],
    ['messages, off the list from above 50', types({ 'e.message': 60 }), {}, 'power_too_low'],
    [
      'an unknown type, which may be state that needs more unlisted',
      { state_default: 60 },
      { state_default: 60, ...types({ [OTHER]: 0 }) },
      'power_too_low',
    ],
    [
      'an unknown type, which may be a message that needs nothing unlisted',
      { state_default: 60, ...types({ [OTHER]: 60 }) },
      { state_default: 60 },
      'power_too_low',
    ],
    ['the default to 50', {}, { default: 50 }, 'ok'],
    ['the default to above 50', {}, { default: 51 }, 'power_too_low'],
    ['the default from less than 50', { default: 49 }, { default: 0 }, 'ok'],
    ['the default from 50', { default: 50 }, { default: 0 }, 'not_outranked'],
    ['the default from above 50 to above', { default: 60 }, { default: 70 }, 'not_outranked'],
    ['the default left above 50', { default: 60 }, { default: 60, kick: 40 }, 'ok'],
    ['another to 50', {}, people({ [bob.member]: 50 }), 'ok'],
    ['another to above 50', {}, people({ [bob.member]: 51 }), 'power_too_low'],
    ['another from less than 50', people({ [bob.member]: 49 }), {}, 'ok'],
    ['another from 50', {}, people({ [peer.member]: 49 }), 'not_outranked'],
    ['another from above 50', people({ [bob.member]: 51 }), {}, 'not_outranked'],
    ['another from 50 to above', {}, people({ [peer.member]: 51 }), 'power_too_low'],
    [
      'another left above 50',
      people({ [bob.member]: 60 }),
      { ...people({ [bob.member]: 60 }), kick: 40 },
      'ok',
    ],
    ['another onto the list with what the default gives', {}, people({ [bob.member]: 0 }), 'ok'],
    [
      'an equal onto the list with what the default gives',
      { default: 50 },
      { default: 50, ...people({ [bob.member]: 50 }) },
      'not_outranked',
    ],
    [
      'an equal off the list with what the default gives',
      { default: 50, ...people({ [bob.member]: 50 }) },
      { default: 50 },
      'not_outranked',
    ],
    ['its own to less', {}, people({ [mod.member]: 49 }), 'ok'],
    ['its own to more', {}, people({ [mod.member]: 51 }), 'power_too_low'],
    ['itself off the list', {}, { members: { [peer.member]: 50 } }, 'ok'],
    [
      'itself off the list with what the default gives',
      { default: 50 },
      { default: 50, members: { [peer.member]: 50 } },
      'ok',
    ],
    ['the creator onto the list', {}, people({ [alice.member]: 0 }), 'creator_immutable'],
  ]

  it.each(rows)('%s', (_, before, next, code) => {
    const state = withEvents(room, by(alice, powerBody({ ...LEVELS, ...before })))
    const change = powerBody({ ...LEVELS, ...next })
    expect(verdict(eventAt(lab, mod, state, change), state)).toBe(code)
    // The creator may set anything but its own place.
    const byCreator = code === 'creator_immutable' ? code : 'ok'
    expect(verdict(eventAt(lab, alice, state, change), state)).toBe(byCreator)
  })

  it('of one member is what a client asks for before it tries', () => {
    const levels = { ...LEVELS, members: { ...LEVELS.members, [bob.member]: 20 } }
    const state = withEvents(room, by(alice, powerBody(levels)))
    for (const sender of [alice, mod, bob])
      for (const target of [alice, mod, peer, bob])
        for (const level of [0, 49, 51, 100]) {
          const members = { ...powerLevels(state).members, [target.member]: level }
          const change = eventAt(lab, sender, state, powerBody({ ...levels, members }))
          const asked = canSetPower(state, sender.member, target.member, level)
          expect([sender.userId, target.userId, level, asked]).toEqual([
            sender.userId,
            target.userId,
            level,
            verdict(change, state) === 'ok',
          ])
        }
  })
})

describe('the checks of an event', () => {
  const created = withEvents(emptyState, by(alice, createBodyOf(lab, alice)))
  const bad = { ...nameBody('x'), content: { name: 7 } }

  it('come in the order of the chapter: the first that fails decides', () => {
    const other = withEvents(emptyState, by(alice, createBodyOf(lab, alice)))
    // Each has the faults of the later ones as well.
    const rows = [
      ['bad_header', eventAt(lab, carol, room, { ...bad, stateKey: 'k' }), emptyState],
      ['bad_content', eventAt(lab, carol, room, bad), emptyState],
      ['no_room', eventAt(lab, carol, room, nameBody('x')), emptyState],
      ['wrong_room', eventAt(lab, carol, room, nameBody('x')), other],
      [
        'device_not_listed',
        eventAt(lab, { ...carol, server: 'evil.example' }, room, nameBody('x')),
        room,
      ],
    ] as const
    for (const [code, event, state] of rows) expect(verdict(event, state)).toBe(code)
    const invited = withEvents(room, membership(carol, 'invite'), roster(carol))
    const evil = { ...carol, server: 'evil.example' }
    expect(verdict(eventAt(lab, evil, invited, nameBody('x')), invited)).toBe('wrong_origin')
    expect(verdict(eventAt(lab, carol, invited, nameBody('x')), invited)).toBe('not_joined')
    const joined = withEvents(invited, membership(carol, 'join'))
    expect(verdict(eventAt(lab, carol, joined, nameBody('x')), joined)).toBe('power_too_low')
  })

  it('ask for a join before they ask for power, even of the creator', () => {
    for (const body of [nameBody('x'), powerBody()])
      expect(verdict(eventAt(lab, alice, created, body), created)).toBe('not_joined')
    expect(verdict(messageAt(lab, alice, created), created)).toBe('not_joined')
  })

  it('need the power that is listed for the type, or that of other state, or none', () => {
    const of = (changes: Partial<PowerContent>, event: (state: RoomState) => RoomEvent) => {
      const state = withEvents(room, by(alice, powerBody({ ...LEVELS, ...changes })))
      return verdict(event(state), state)
    }
    const message = (state: RoomState) => messageAt(lab, bob, state)
    expect(of({}, message)).toBe('ok')
    expect(of({ events: { 'e.message': 0 } }, message)).toBe('ok')
    expect(of({ events: { 'e.message': 1 } }, message)).toBe('power_too_low')
    expect(of({ events: { 'e.message': 1 }, default: 1 }, message)).toBe('ok')
    const topic = by(bob, topicBody('x'))
    expect(of({ state_default: 1 }, topic)).toBe('power_too_low')
    expect(of({ state_default: 0 }, topic)).toBe('ok')
    expect(of({ state_default: 0, events: { 'e.room.topic': 1 } }, topic)).toBe('power_too_low')
    expect(of({ state_default: 1, events: { 'e.room.topic': 0 } }, topic)).toBe('ok')
    // What every object has is no type that is listed.
    const odd = by(bob, { type: 'constructor', stateKey: '', content: {} })
    expect(of({ state_default: 0 }, odd)).toBe('ok')
    expect(of({ state_default: 1 }, odd)).toBe('power_too_low')
  })

  it('use these levels until the first are set: all for the creator, speaking for all', () => {
    const state = withEvents(
      emptyState,
      by(alice, createBodyOf(lab, alice)),
      by(alice, joinBody(alice.member, alice.userId)),
      ...[mod, bob].flatMap((person) => [membership(person, 'join'), roster(person)]),
    )
    expect(verdict(messageAt(lab, mod, state), state)).toBe('ok')
    const tried: readonly (readonly [StateBody, string])[] = [
      [nameBody('x'), 'power_too_low'],
      [powerBody(), 'power_too_low'],
      [inviteBody(carol.member, carol.userId), 'power_too_low'],
      [becoming(bob, 'leave'), 'not_outranked'],
      [becoming(bob, 'ban'), 'not_outranked'],
    ]
    for (const [body, code] of tried) {
      expect(verdict(eventAt(lab, mod, state, body), state)).toBe(code)
      expect(verdict(eventAt(lab, alice, state, body), state)).toBe('ok')
    }
    expect(powerLevels(state)).toEqual({
      members: {},
      default: 0,
      events: {},
      invite: 100,
      kick: 100,
      ban: 100,
      redact: 100,
      state_default: 100,
    })
  })
})
