/** What must hold of an event by its auth events and at its own parents (spec 8.6, 8.7), one condition each. */
import { describe, expect, it } from 'vitest'
import { rosterHash } from '../envelope/index.ts'
import {
  checkAgainstAuthEvents,
  checkAtParents,
  checkEvent,
  verifyDeviceSignature,
} from './accept.ts'
import { selectAuthEvents } from './auth.ts'
import {
  historyVisibilityBody,
  inviteBody,
  joinBody,
  joinRulesBody,
  kickBody,
  memberPowerBody,
  nameBody,
  powerBody,
} from './builders.ts'
import type { StateBody } from './builders.ts'
import type { RoomEvent } from './event.ts'
import { currentRosterHash, emptyState, stateEvent, stateEvents } from './state.ts'
import type { RoomState } from './state.ts'
import {
  act,
  advanceManifest,
  attempt,
  bringIn,
  copyOf,
  createBodyOf,
  createLab,
  createReplica,
  foundRoom,
  place,
  quickCrypto,
  rosterEvent,
  say,
  sealMessage,
  sealState,
  stateNow,
} from './testing/lab.ts'
import type { Draft, Person, Placement } from './testing/lab.ts'

const lab = createLab(quickCrypto)
const { crypto } = lab
const alice = lab.person('alice', 'a.example')
const [mod, bob] = [lab.person('mod', 'b.example'), lab.person('bob', 'c.example')]
const room = foundRoom(lab, alice, { events: { 'e.room.power': 50 } })
for (const person of [mod, bob]) bringIn(room, alice, person)
act(room, alice, memberPowerBody(stateNow(room), mod.member, 50))
const last = say(room, bob)
const state = stateNow(room)
const [create] = room.events.values()

const code = (result: ReturnType<typeof checkAtParents>): string => (result.ok ? 'ok' : result.code)
const atParents = (event: RoomEvent, parents: readonly RoomEvent[] = [last], at = state): string =>
  code(checkAtParents(crypto, event, parents, at))

function message(changes: Draft = {}, placement: Placement = {}): RoomEvent {
  return place(room, sealMessage(lab, { ...bob }, state, changes), bob.server, placement)
}

function stateBy(person: Person, body: StateBody, changes: Draft = {}): RoomEvent {
  return place(room, sealState(lab, { ...person }, state, body, changes), person.server)
}

const idOf = (type: string, key = ''): string => stateEvent(state, type, key)?.envelopeId ?? ''

describe('an event at its parents', () => {
  it('has parents, unless it is the create event', () => {
    expect(atParents(message())).toBe('ok')
    expect(atParents(message(), [])).toBe('no_parents')
    const other = attempt(createReplica(lab), alice, createBodyOf(lab, alice))
    expect(atParents(other, [], emptyState)).toBe('ok')
    expect(atParents(other, [last], emptyState)).toBe('no_parents')
  })

  it('has parents of its own room, all of them', () => {
    const elsewhere = foundRoom(lab, alice)
    const foreign = say(elsewhere, alice)
    expect(atParents(message(), [last, foreign])).toBe('wrong_room')
    expect(atParents(message(), [foreign])).toBe('wrong_room')
  })

  it('is dated no earlier than any parent', () => {
    const ts = last.pdu.event.origin_ts
    expect(atParents(message({}, { originTs: ts }))).toBe('ok')
    expect(atParents(message({}, { originTs: ts - 1 }))).toBe('earlier_than_parent')
    const [older] = room.events.values()
    if (older === undefined) throw new Error('no room')
    expect(atParents(message({}, { originTs: ts - 1 }), [older, last])).toBe('earlier_than_parent')
    expect(atParents(message({}, { originTs: ts - 1 }), [older])).toBe('ok')
  })

  it('is allowed by the state there', () => {
    const copy = copyOf(room)
    act(copy, alice, kickBody(state, bob.member))
    expect(atParents(message(), [last], stateNow(copy))).toBe('not_joined')
  })

  it('names what of that state decides on it, no more and no less', () => {
    const copy = copyOf(room)
    act(copy, alice, nameBody('of no concern'))
    expect(atParents(message(), [last], stateNow(copy))).toBe('ok')
    act(copy, alice, memberPowerBody(stateNow(copy), mod.member, 40))
    expect(atParents(message(), [last], stateNow(copy))).toBe('wrong_auth_events')
    const none = message({}, { authState: emptyState })
    expect(atParents(none)).toBe('wrong_auth_events')
  })

  it('replaces the current event under its key, or nothing where there is none', () => {
    const name = (changes: Draft = {}) => atParents(stateBy(mod, nameBody('x'), changes))
    expect(name()).toBe('ok')
    for (const replaces of [null, idOf('e.room.create'), last.envelopeId])
      expect(name({ replaces })).toBe('replaces_stale')
    const unset = { type: 'x.thing', stateKey: 'k', content: {} }
    expect(atParents(stateBy(mod, unset))).toBe('ok')
    expect(atParents(stateBy(mod, unset, { replaces: idOf('e.room.name') }))).toBe('replaces_stale')
  })

  it('rests on its sender’s membership and the power levels, and on nothing that is past', () => {
    const [own, power] = [idOf('e.room.member', mod.member), idOf('e.room.power')]
    const name = (basis: readonly string[]) => atParents(stateBy(mod, nameBody('x'), { basis }))
    expect(name([own, power])).toBe('ok')
    expect(name([power, own])).toBe('ok')
    // More than must be named may be, as long as it is current.
    expect(name([own, power, idOf('e.room.create')])).toBe('ok')
    for (const basis of [[], [own], [power], [own, power, last.envelopeId]])
      expect(name(basis)).toBe('basis_stale')
    const levels = (basis: readonly string[]) =>
      atParents(stateBy(alice, powerBody({ kick: 60 }), { basis }))
    expect(levels([idOf('e.room.member', alice.member)])).toBe('ok')
    expect(levels([])).toBe('basis_stale')
    // Of one's own membership nothing but what it replaces is asked.
    const again = joinBody(bob.member, bob.userId)
    expect(atParents(stateBy(bob, again, { basis: [] }))).toBe('ok')
    expect(atParents(stateBy(bob, again, { basis: [last.envelopeId] }))).toBe('basis_stale')
    const guest = lab.person('guest', 'd.example')
    const invite = inviteBody(guest.member, guest.userId)
    expect(atParents(stateBy(alice, invite, { basis: [] }))).toBe('basis_stale')
    expect(atParents(stateBy(alice, invite))).toBe('ok')
  })

  it('names the members as they are there, or nobody where its sender is none', () => {
    const nobody = rosterHash(crypto, [])
    expect(atParents(message({ roster: nobody }))).toBe('roster_mismatch')
    const newer = { ...mod }
    advanceManifest(newer)
    const stated = (roster: string): RoomEvent => {
      const event = rosterEvent(room, newer)
      const header = { ...event.header, roster }
      return place(room, { header, body: event.body ?? new Uint8Array(), sig: null }, mod.server)
    }
    expect(atParents(stated(nobody))).toBe('ok')
    expect(atParents(stated(currentRosterHash(crypto, state)))).toBe('roster_mismatch')
  })
})

describe('what decides on an event', () => {
  const typesOf = (event: RoomEvent, at: RoomState): string[] =>
    selectAuthEvents(at, event.header).map(({ header }) =>
      header.state_key === '' ? header.type : `${header.type} ${whose(header.state_key ?? '')}`,
    )
  const whose = (member: string): string =>
    [alice, mod, bob].find((person) => person.member === member)?.userId ?? 'nobody'
  const common = (person: Person) => [
    'e.room.create',
    'e.room.power',
    `e.room.member ${person.userId}`,
    `e.room.roster ${person.userId}`,
  ]

  it('is nothing for the create event', () => {
    expect(create === undefined ? null : typesOf(create, state)).toEqual([])
  })

  it('is room, power, and the sender’s membership and roster', () => {
    expect(typesOf(message(), state)).toEqual(common(bob))
    expect(typesOf(stateBy(mod, nameBody('x')), state)).toEqual(common(mod))
    for (const body of [powerBody(), joinRulesBody('public'), historyVisibilityBody('shared')])
      expect(typesOf(stateBy(alice, body), state)).toEqual(common(alice))
  })

  it('is the join rule besides for rosters and memberships', () => {
    const rule = 'e.room.join_rules'
    const newer = { ...bob }
    advanceManifest(newer)
    expect(typesOf(rosterEvent(room, newer), state)).toEqual([...common(bob), rule])
    const join = stateBy(bob, joinBody(bob.member, bob.userId))
    expect(typesOf(join, state)).toEqual([...common(bob), rule])
  })

  it('is the target’s membership and roster as well, for another’s membership', () => {
    const kick = stateBy(mod, kickBody(state, bob.member))
    const target = [`e.room.member ${bob.userId}`, `e.room.roster ${bob.userId}`]
    expect(typesOf(kick, state)).toEqual([...common(mod), 'e.room.join_rules', ...target])
  })

  it('is only what the state has', () => {
    expect(typesOf(message(), emptyState)).toEqual([])
  })
})

describe('the device’s signature', () => {
  it('is under the key that the roster lists, and under that of the founder at the beginning', () => {
    const event = message()
    expect(verifyDeviceSignature(crypto, event, state)).toBe(true)
    expect(verifyDeviceSignature(crypto, event, emptyState)).toBe(false)
    const twisted = { ...event, pdu: { ...event.pdu, envelope_sig: last.pdu.envelope_sig } }
    expect(verifyDeviceSignature(crypto, twisted, state)).toBe(false)
    const without = { ...event, pdu: { ...event.pdu, envelope_sig: null } }
    expect(verifyDeviceSignature(crypto, without, state)).toBe(false)
    if (create === undefined) throw new Error('no room')
    expect(verifyDeviceSignature(crypto, create, emptyState)).toBe(true)
    const other = { ...create, pdu: { ...create.pdu, envelope_sig: last.pdu.envelope_sig } }
    expect(verifyDeviceSignature(crypto, other, emptyState)).toBe(false)
  })

  it('is missing from a roster, and only there', () => {
    const roster = stateEvent(state, 'e.room.roster', bob.member)
    if (roster === undefined) throw new Error('no roster')
    expect(verifyDeviceSignature(crypto, roster, state)).toBe(true)
    const signed = { ...roster, pdu: { ...roster.pdu, envelope_sig: last.pdu.envelope_sig } }
    expect(verifyDeviceSignature(crypto, signed, state)).toBe(false)
  })
})

describe('the order of the checks', () => {
  it('is signature, auth events, keys, rules, device, place: the first that fails decides', () => {
    const event = attempt(copyOf(room), bob, nameBody('by one without the power'))
    const authEvents = event.pdu.event.auth_events.flatMap((id) => room.events.get(id) ?? [])
    const context = {
      authEvents,
      parents: [],
      stateBefore: state,
      originKey: lab.nodePublicKey(bob.server),
    }
    const check = (changes: object, of = event, with_ = crypto) =>
      code(checkEvent(with_, of, { ...context, ...changes }))
    expect(check({ originKey: lab.nodePublicKey('evil.example'), authEvents: [] })).toBe(
      'bad_event_signature',
    )
    expect(check({ authEvents: [] })).toBe('wrong_auth_events')
    expect(check({})).toBe('power_too_low')
    const spoken = message()
    const unsigned = place(room, { ...signedLike(spoken), sig: last.pdu.envelope_sig }, bob.server)
    expect(check({}, unsigned)).toBe('bad_envelope_signature')
    expect(check({}, spoken)).toBe('no_parents')
    expect(check({ parents: [last] }, spoken)).toBe('ok')
    // A roster of a stranger, with a key that no device may have.
    const stranger = lab.person('stranger', 'd.example')
    const roster = rosterEvent(room, stranger)
    const known = roster.pdu.event.auth_events.flatMap((id) => room.events.get(id) ?? [])
    const small = { ...crypto, ed25519IsAdmissible: () => false }
    const of = { authEvents: known, originKey: lab.nodePublicKey(stranger.server) }
    expect(check(of, roster, small)).toBe('inadmissible_key')
    expect(check(of, roster)).toBe('not_invited')
    expect(check({ ...of, authEvents: known.slice(1) }, roster, small)).toBe('wrong_auth_events')
  })

  it('takes the auth events in any order, as they are a set', () => {
    const event = message()
    const auth = event.pdu.event.auth_events.flatMap((id) => room.events.get(id) ?? [])
    expect(auth).toHaveLength(4)
    for (const given of [auth, auth.toReversed()])
      expect(code(checkAgainstAuthEvents(crypto, event, given))).toBe('ok')
    expect(code(checkAgainstAuthEvents(crypto, event, [...auth, ...auth]))).toBe(
      'wrong_auth_events',
    )
    expect(stateEvents(state).length).toBeGreaterThan(auth.length)
  })

  function signedLike(event: RoomEvent) {
    return { header: event.header, body: event.body ?? new Uint8Array() }
  }
})
