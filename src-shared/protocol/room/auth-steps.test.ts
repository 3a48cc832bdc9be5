/** Header, create event, rosters and redaction (spec 8.5, 8.5.1, 8.5.2, 7.6), one condition at a time. */
import { describe, expect, it } from 'vitest'
import { canonicalBytes, toBase64Url } from '../encoding/index.ts'
import { bodyHash } from '../envelope/index.ts'
import { checkAuth, redactionApplies } from './auth.ts'
import { inviteBody, joinBody, joinRulesBody, nameBody, powerBody, stateBody } from './builders.ts'
import type { StateBody } from './builders.ts'
import { makeEvent, redact } from './event.ts'
import type { EventParts, RoomEvent } from './event.ts'
import { applyEvent, emptyState } from './state.ts'
import type { RoomState } from './state.ts'
import {
  advanceManifest,
  createBodyOf,
  createLab,
  eventAt,
  messageAt,
  outsideAnyGraph,
  quickCrypto,
  rosterAt,
  sealRedaction,
  sealState,
  secondDevice,
} from './testing/lab.ts'
import type { Draft, Person } from './testing/lab.ts'

const lab = createLab(quickCrypto)
const { crypto } = lab
const alice = lab.person('alice', 'a.example')
const [bob, carol] = [lab.person('bob', 'b.example'), lab.person('carol', 'c.example')]

const verdict = (event: RoomEvent, state: RoomState): string => {
  const result = checkAuth(event, state)
  return result.ok ? 'ok' : result.code
}
const put = (state: RoomState, ...bodies: StateBody[]): RoomState =>
  bodies.reduce((reached, body) => applyEvent(reached, eventAt(lab, alice, reached, body)), state)
const membership = (person: Person, is: 'invite' | 'join' | 'leave' | 'ban' | 'knock') =>
  stateBody('e.room.member', person.member, { membership: is, user_id: person.userId })

const createEvent = eventAt(lab, alice, emptyState, createBodyOf(lab, alice))
const created = applyEvent(emptyState, createEvent)
const joined = put(created, joinBody(alice.member, alice.userId))
const founded = put(applyEvent(joined, rosterAt(lab, alice, joined)), powerBody())
const room = applyEvent(
  put(founded, membership(bob, 'join')),
  rosterAt(lab, bob, put(founded, membership(bob, 'join'))),
)

describe('type, key, transport and maker go together', () => {
  const key = (person: Person) => person.member
  const rows: readonly (readonly [string, string, string, boolean])[] = [
    ['e.room.name', '', 'the empty key', true],
    ['e.room.name', 'k', 'another key', false],
    ['e.room.topic', 'k', 'another key', false],
    ['e.room.avatar', 'k', 'another key', false],
    ['e.room.power', 'k', 'another key', false],
    ['e.room.join_rules', 'k', 'another key', false],
    ['e.room.history_visibility', 'k', 'another key', false],
    ['e.room.member', '', 'no fingerprint', false],
    ['e.room.member', '@bob:b.example', 'a user id', false],
    ['e.room.grant', '', 'no fingerprint', false],
    ['e.room.grant', key(bob), 'a fingerprint', true],
    ['e.space.child', 'any', 'any key', true],
    ['e.space.parent', 'any', 'any key', true],
    ['x.other', 'any', 'any key', true],
    ['x.other', '', 'the empty key', true],
    ['e.message', '', 'as state', false],
    ['e.redaction', '', 'as state', false],
    ['e.room.roster', key(alice), 'by a device', false],
  ]
  const contents: Readonly<Record<string, StateBody['content']>> = {
    'e.room.grant': { user_id: bob.userId, devices: [], read: 'none', send: [], until: null },
    'e.space.child': { via: [] },
    'e.space.parent': { via: [] },
  }

  it.each(rows)('%s under %j, %s', (type, stateKey, _, good) => {
    const event = eventAt(lab, alice, room, { type, stateKey, content: contents[type] ?? {} })
    expect(verdict(event, room)).toBe(good ? 'ok' : 'bad_header')
  })

  it('without a state key: no type of state, and a redaction only in the clear', () => {
    for (const type of ['e.room.power', 'e.room.name', 'e.room.member', 'e.space.child'])
      expect(verdict(messageAt(lab, alice, room, { type }), room)).toBe('bad_header')
    expect(verdict(messageAt(lab, alice, room, { type: 'e.redaction' }), room)).toBe('bad_header')
    expect(verdict(messageAt(lab, alice, room, { type: 'x.other' }), room)).toBe('ok')
    expect(verdict(redactionBy(alice, createEvent.envelopeId), room)).toBe('ok')
  })

  it('with a state key: in the clear, in a suite that is known, by a device but for rosters', () => {
    const sealed = sealState(lab, alice, room, nameBody('x'))
    const tried = (changes: object, sig: string | null = sealed.sig) =>
      verdict(
        outsideAnyGraph(
          lab,
          { ...sealed, header: { ...sealed.header, ...changes }, sig },
          'a.example',
        ),
        room,
      )
    expect(tried({})).toBe('ok')
    const name = eventAt(lab, alice, room, nameBody('x'))
    const opaque = { ...name, header: { ...name.header, transport: 'pairwise' as const } }
    expect(verdict(opaque, room)).toBe('bad_header')
    expect(tried({ suite: 2 })).toBe('bad_header')
    expect(tried({ device: null, node: 'a.example' }, null)).toBe('bad_header')
  })
})

describe('a body', () => {
  it('that is gone is good where a redaction may take it, and bad elsewhere', () => {
    const name = redact(eventAt(lab, alice, room, nameBody('x')))
    expect(name.body).toBeNull()
    expect(verdict(name, room)).toBe('ok')
    for (const body of [joinRulesBody('public'), powerBody(), membership(bob, 'leave')]) {
      const event = eventAt(lab, alice, room, body)
      expect(verdict({ ...event, body: null }, room)).toBe('bad_content')
    }
    const roster = rosterAt(lab, advanced(bob), room)
    expect(verdict(roster, room)).toBe('ok')
    expect(verdict({ ...roster, body: null }, room)).toBe('bad_content')
    expect(verdict({ ...createEvent, body: null }, emptyState)).toBe('bad_content')
  })

  it('of a message or of a type that is not known is not looked at', () => {
    const message = messageAt(lab, bob, room)
    expect(verdict({ ...message, body: null }, room)).toBe('ok')
    const other = eventAt(lab, alice, room, { type: 'x.other', stateKey: '', content: { a: [1] } })
    expect(verdict(other, room)).toBe('ok')
    expect(verdict({ ...other, body: null }, room)).toBe('ok')
  })
})

describe('a create event', () => {
  const body = createBodyOf(lab, alice)

  function createdBy(
    changes: object = {},
    header: Draft = {},
    placed: Partial<EventParts> = {},
  ): RoomEvent {
    const content = { ...body.content, ...changes }
    const sealed = sealState(lab, { ...alice }, emptyState, { ...body, content }, header)
    return makeEvent(crypto, {
      envelope: sealed.header,
      body: sealed.body,
      sig: sealed.sig,
      prevEvents: [],
      authEvents: [],
      origin: 'a.example',
      originTs: lab.now,
      nodeKey: lab.nodeKey('a.example'),
      ...placed,
    })
  }

  it('begins a room, and only that', () => {
    expect(verdict(createdBy(), emptyState)).toBe('ok')
    expect(verdict(createdBy(), created)).toBe('room_exists')
    const other = applyEvent(emptyState, eventAt(lab, alice, created, nameBody('x')))
    expect(verdict(createdBy(), other)).toBe('room_exists')
  })

  it('replaces nothing, rests on nothing and grows from nothing', () => {
    const [id, eventId] = [createEvent.envelopeId, createEvent.id]
    expect(verdict(createdBy({}, { replaces: id }), emptyState)).toBe('bad_header')
    expect(verdict(createdBy({}, { basis: [id] }), emptyState)).toBe('bad_header')
    for (const placed of [{ prevEvents: [eventId] }, { authEvents: [eventId] }])
      expect(verdict(createdBy({}, {}, placed), emptyState)).toBe('room_exists')
  })

  it('is of the version that these rules are', () => {
    for (const version of ['', '0', '2', '1.0'])
      expect(verdict(createdBy({ version }), emptyState)).toBe('unsupported_version')
  })

  it('comes from the server that it names, which is its creator’s', () => {
    for (const tried of [
      createdBy({ server: 'b.example' }),
      createdBy({ creator: '@alice:b.example' }),
      createdBy({ creator: '@alice:b.example', server: 'b.example' }),
      createdBy({}, {}, { origin: 'b.example' }),
      createdBy({ server: 'b.example' }, {}, { origin: 'b.example' }),
      createdBy({ creator: '@alice:b.example' }, {}, { origin: 'b.example' }),
    ])
      expect(verdict(tried, emptyState)).toBe('wrong_origin')
  })

  it('is refused for the first of its faults', () => {
    const id = createEvent.id
    const header = { replaces: createEvent.envelopeId }
    const all = [{ version: '2', server: 'b.example' }, header, { prevEvents: [id] }] as const
    expect(verdict(createdBy(...all), created)).toBe('room_exists')
    expect(verdict(createdBy(...all), emptyState)).toBe('bad_header')
    expect(verdict(createdBy(all[0], {}, all[2]), emptyState)).toBe('room_exists')
    expect(verdict(createdBy(all[0]), emptyState)).toBe('unsupported_version')
  })
})

describe('a roster', () => {
  it('is of those who are in, asked in or at the door, and of anyone where the door is open', () => {
    const rows = [
      ['none', 'not_invited', 'ok'],
      ['leave', 'not_invited', 'ok'],
      ['invite', 'ok', 'ok'],
      ['join', 'ok', 'ok'],
      ['knock', 'ok', 'ok'],
      ['ban', 'banned', 'banned'],
    ] as const
    for (const [current, closed, open] of rows) {
      const state = current === 'none' ? room : put(room, membership(carol, current))
      const ask = (at: RoomState) => verdict(rosterAt(lab, carol, at), at)
      expect([current, ask(state), ask(put(state, joinRulesBody('invite')))]).toEqual([
        current,
        closed,
        closed,
      ])
      for (const rule of ['knock', 'public'] as const)
        expect([current, rule, ask(put(state, joinRulesBody(rule)))]).toEqual([current, rule, open])
    }
  })

  it('is of the creator whatever its membership, but for a ban', () => {
    const newer = advanced(alice)
    for (const is of ['leave', 'invite', 'knock'] as const) {
      const state = put(founded, membership(alice, is))
      expect(verdict(rosterAt(lab, newer, state), state)).toBe('ok')
    }
    const banned = put(founded, membership(alice, 'ban'))
    expect(verdict(rosterAt(lab, newer, banned), banned)).toBe('banned')
    expect(verdict(rosterAt(lab, alice, created), created)).toBe('ok')
  })

  it('is stated by the server of the user id, as origin and as the envelope’s node', () => {
    const newer = advanced(bob)
    const roster = rosterAt(lab, newer, room)
    const sealed = { header: roster.header, body: roster.body ?? new Uint8Array(), sig: null }
    expect(verdict(roster, room)).toBe('ok')
    expect(verdict(outsideAnyGraph(lab, sealed, 'evil.example'), room)).toBe('wrong_origin')
    const byOther = rosterAt(lab, newer, room, { node: 'evil.example' })
    expect(verdict(byOther, room)).toBe('wrong_origin')
    const lent = { ...sealed, header: byOther.header, body: byOther.body ?? new Uint8Array() }
    expect(verdict(outsideAnyGraph(lab, lent, bob.server), room)).toBe('wrong_origin')
  })

  it('is under the user id that the room knows, if it knows one', () => {
    const moved = { ...advanced(bob), userId: '@robert:b.example' }
    expect(verdict(rosterAt(lab, moved, room), room)).toBe('user_id_changed')
    const invited = put(room, inviteBody(carol.member, '@charlie:c.example'))
    expect(verdict(rosterAt(lab, carol, invited), invited)).toBe('user_id_changed')
    const renamed = { ...alice, userId: '@alicia:a.example' }
    expect(verdict(rosterAt(lab, renamed, created), created)).toBe('user_id_changed')
    const open = put(room, joinRulesBody('public'))
    expect(verdict(rosterAt(lab, carol, open), open)).toBe('ok')
  })

  it('is at first, of a creator, what the create event says: head, height, device and its key', () => {
    const laptop = secondDevice(lab, alice, 'laptop')
    const first = (person: Person, devices = [person]) =>
      verdict(rosterAt(lab, person, joined, { devices }), joined)
    expect(first(alice)).toBe('ok')
    expect(first(alice, [alice, laptop])).toBe('ok')
    expect(first(alice, [laptop, alice])).toBe('ok')
    const otherKey = { ...alice, local: { ...alice.local, ed25519: bob.local.ed25519 } }
    const otherId = { ...alice, local: { ...alice.local, device: bob.local.device } }
    for (const devices of [[], [laptop], [otherKey], [otherId], [otherId, laptop]])
      expect(first(alice, devices)).toBe('founder_mismatch')
    expect(first({ ...alice, head: bob.head })).toBe('founder_mismatch')
    expect(first({ ...alice, height: 1 })).toBe('founder_mismatch')
    // Of anyone else the first roster is whatever the home node says.
    const invited = put(room, inviteBody(carol.member, carol.userId))
    const later = advanced(carol, 7)
    expect(verdict(rosterAt(lab, later, invited, { devices: [] }), invited)).toBe('ok')
  })

  it('moves on to a greater height under another head', () => {
    const second = advanced(bob, 2)
    const state = applyEvent(room, rosterAt(lab, second, room))
    const then = (changes: Partial<Person>) =>
      verdict(rosterAt(lab, { ...second, ...changes }, state), state)
    const head = carol.head
    expect(then({ height: 3, head })).toBe('ok')
    expect(then({ height: 9, head })).toBe('ok')
    for (const changes of [{}, { head }, { height: 1, head }, { height: 3 }])
      expect(then(changes)).toBe('roster_rollback')
  })
})

describe('a redaction', () => {
  const message = messageAt(lab, bob, room)
  const named = (id: string) => redactionBy(bob, id)

  it('takes the body of what it names, in its own room, where it may be taken', () => {
    expect(redactionApplies(named(message.envelopeId), message, room)).toBe(true)
    expect(redactionApplies(named(createEvent.envelopeId), message, room)).toBe(false)
    const elsewhere = { ...message, roomId: `!${message.envelopeId}:a.example` }
    expect(redactionApplies(named(message.envelopeId), elsewhere, room)).toBe(false)
    const own = eventAt(lab, bob, room, membership(bob, 'leave'))
    expect(redactionApplies(named(own.envelopeId), own, room)).toBe(false)
  })

  it('is what a redaction says, and no other event', () => {
    expect(redactionApplies(message, message, room)).toBe(false)
    const gone = { ...named(message.envelopeId), body: null }
    expect(redactionApplies(gone, message, room)).toBe(false)
    const content = canonicalBytes({ target: message.envelopeId })
    const sealed = sealState(lab, bob, room, nameBody('x'))
    const header = { ...sealed.header, body_hash: bodyHash(crypto, content) }
    const name = outsideAnyGraph(lab, { ...sealed, header, body: content }, bob.server)
    expect(redactionApplies(name, message, room)).toBe(false)
    expect(toBase64Url(content)).toBe(name.pdu.body)
  })

  it('is asked of the state: its sender is in the room', () => {
    const redaction = named(message.envelopeId)
    const left = put(room, membership(bob, 'leave'))
    expect(redactionApplies(redaction, message, left)).toBe(false)
  })
})

function redactionBy(person: Person, target: string): RoomEvent {
  return outsideAnyGraph(lab, sealRedaction(lab, person, room, target), person.server)
}

function advanced(person: Person, by = 1): Person {
  const later = { ...person }
  for (let i = 0; i < by; i++) advanceManifest(later)
  return later
}
